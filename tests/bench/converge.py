"""Cold: rows are there, the controller starts, until the database says Ready=True of all of them.

The floor sends the very same documents raw, over eight connections. The peer is ``docker stack deploy`` of the same
services on the same networks.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from tests.bench.harness import BenchHarness, accepted_at, wait_until
from tests.bench.process import controller
from tests.bench.raw import send_all
from tests.bench.report import Measurement
from tests.bench.stack import deploy
from tests.bench.workload import Documents, add_environments, documents, said_at, unready

AIM = 2.0
AIM_BESIDE_STACK = 1.0
AIM_START_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Cold:
    """One cold start, in seconds since the process began.

    Args:
        compared: the first comparison was done.
        acted: the first object of the first reconcile was accepted by the engine.
        converged: the last status was written.
    """

    compared: float
    acted: float
    converged: float


def measure(place: BenchHarness, count: int, rounds: int) -> list[Measurement]:
    """Seconds for ``count`` environments: the fastest of ``rounds``, floors too: disturbance only adds."""
    raw, stack, cold = zip(*(_round(place, count) for _ in range(rounds)), strict=True)
    converged = min(c.converged for c in cold)
    return [
        Measurement(f"cold converge of {count} environments", converged, "s", min(raw), AIM),
        Measurement("  of which until the first comparison", min(c.compared for c in cold), "s"),
        Measurement("  beside docker stack deploy (as floor)", converged, "s", min(stack), AIM_BESIDE_STACK),
        Measurement(
            f"start -> first reconcile, {count} rows, empty Swarm",
            min(c.acted for c in cold),
            "s",
            aim=AIM_START_SECONDS,
        ),
    ]


def cold_start(place: BenchHarness, count: int) -> tuple[float, Cold]:
    """Seconds for the same creates sent raw, and for the controller."""
    with place.database() as database:
        with database.connect() as panel:
            add_environments(panel, count)
        with database.connect("reader") as reader:
            raw = send_raw(place, documents(reader))
            place.empty()
            with controller(place, database) as daemon:
                compared = daemon.wait_for("resync.done")[0]["timestamp"]
                wait_until(lambda: unready(reader) == 0, "all environments are ready", every=count / 20_000)
            converged = said_at(reader)
        acted = min(accepted_at(d["CreatedAt"]) for d in place.services().values())
    return raw, Cold(accepted_at(compared) - daemon.began, acted - daemon.began, converged - daemon.began)


def send_raw(place: BenchHarness, wanted: Documents) -> float:
    """Seconds that the creates of ``wanted`` take over eight connections, networks first."""
    networks, services = wanted.network_requests(), wanted.service_requests()
    started = time.perf_counter()
    send_all(place.socket, networks)
    send_all(place.socket, services)
    return time.perf_counter() - started


def _round(place: BenchHarness, count: int) -> tuple[float, float, Cold]:
    """Seconds: raw, docker stack deploy, the controller."""
    raw, cold = cold_start(place, count)
    with place.database() as database:
        with database.connect() as panel:
            add_environments(panel, count)
        with database.connect("reader") as reader:
            wanted = documents(reader)
        send_all(place.socket, wanted.network_requests())
        stack = deploy(place, wanted.services)
    return raw, stack, cold
