"""Cold: rows are there, the controller starts, until the database says Ready=True of all of them.

The floor sends the very same documents raw, over eight connections. The peer is ``docker stack deploy`` of the same
services on the same networks.
"""

from __future__ import annotations

import time

from tests.bench.place import Place, wait_until
from tests.bench.process import controller
from tests.bench.raw import send_all
from tests.bench.report import Measurement
from tests.bench.stack import deploy
from tests.bench.workload import add_environments, documents, unready

AIM = 3.0


def measure(place: Place, count: int, rounds: int) -> list[Measurement]:
    """Seconds for ``count`` environments: the fastest of ``rounds``, floors too: disturbance only adds."""
    raw, stack, begun, converged = zip(*(_round(place, count) for _ in range(rounds)), strict=True)
    return [
        Measurement(f"cold converge of {count} environments", min(converged), "s", min(raw), AIM),
        Measurement("  of which until the first comparison", min(begun), "s"),
        Measurement("  beside docker stack deploy (as floor)", min(converged), "s", min(stack)),
    ]


def _round(place: Place, count: int) -> tuple[float, float, float, float]:
    """Seconds: raw, docker stack deploy, the controller's first comparison, all ready."""
    with place.database() as database:
        with database.connect() as panel:
            add_environments(panel, count)
        with database.connect("reader") as reader:
            wanted = documents(reader)
        networks, services = wanted.network_requests(), wanted.service_requests()

        started = time.perf_counter()
        send_all(place.socket, networks)
        send_all(place.socket, services)
        raw = time.perf_counter() - started
        place.empty()

        send_all(place.socket, networks)
        stack = deploy(place, wanted.services)
        place.empty()

        with database.connect("reader") as reader:
            started = time.perf_counter()
            with controller(place, database) as daemon:
                daemon.wait_for("resync.done")
                begun = time.perf_counter() - started
                wait_until(lambda: unready(reader) == 0, "all environments are ready", every=0.05)
                return raw, stack, begun, time.perf_counter() - started
