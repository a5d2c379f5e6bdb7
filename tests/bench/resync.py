"""A full comparison of everything when nothing is to be done, as the controller itself times it.

The floor is one raw list of the services and its decoding. That nothing was written is counted at the engine: the
version of every service is the same before and after.
"""

from __future__ import annotations

import json
import time

from tests.bench.place import Place, wait_until
from tests.bench.process import controller
from tests.bench.raw import RawConnection, request
from tests.bench.report import Measurement, percentile
from tests.bench.workload import add_environments, unready

AIM = 3.0
_PERIOD_SECONDS = 1.5


def measure(place: Place, count: int, rounds: int) -> list[Measurement]:
    """Median of ``rounds`` comparisons of ``count`` environments.

    Raises:
        AssertionError: a comparison wrote something.
    """
    with place.database() as database, database.connect() as panel, database.connect("reader") as reader:
        add_environments(panel, count)
        with controller(place, database) as daemon:
            wait_until(lambda: unready(reader) == 0, "all environments are ready", every=0.1)
        before = _versions(place)
        with controller(place, database, skypanel_resync_seconds=str(_PERIOD_SECONDS)) as daemon:
            lines = daemon.wait_for("resync.done", 4)  # the first one after a start reconciles all
            seen = len(lines)
            floors: list[float] = []
            while len(floors) < rounds:
                floors.append(_floor(place))
                daemon.wait_for("resync.done", seen + len(floors))
            lines = daemon.lines("resync.done")[1:]
        idle = [line["seconds"] for line in lines if line["queued"] == 0]
        after = _versions(place)
    changed = sum(before[name] != after.get(name) for name in before)
    if changed:
        raise AssertionError(f"{changed} services were written by comparisons that had nothing to do")
    if not idle:
        raise AssertionError("every comparison queued something, although nothing had changed")
    floor = percentile(floors, 0.5)
    return [Measurement(f"resync of {count} with nothing to do", percentile(idle, 0.5), "s", floor, AIM)]


def _floor(place: Place) -> float:
    with RawConnection(place.socket) as connection:
        data = request("GET", "/services")
        started = time.perf_counter()
        json.loads(connection.send(data))
        return time.perf_counter() - started


def _versions(place: Place) -> dict[str, int]:
    return {name: d["Version"]["Index"] for name, d in place.services().items()}
