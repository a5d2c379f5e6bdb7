"""A controller with many converged environments: what it costs when nothing, or one thing, is to be done.

The services are created raw, with the very documents that the controller would send, so it finds them and writes down
that they are its own. It is then started again, and measured: how long until it has compared everything, the full
comparison with nothing to do, its memory, one more environment at a time.

The floor of a comparison is one raw list of the services and its decoding. That nothing was written is counted at the
engine: the version of every service is the same before and after.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass

from tests.bench.converge import AIM_START_SECONDS, send_raw
from tests.bench.harness import BenchHarness, Database, accepted_at, wait_until
from tests.bench.process import Controller, controller
from tests.bench.raw import RawConnection, request
from tests.bench.reaction import one_at_a_time
from tests.bench.report import Measurement, percentile
from tests.bench.workload import add_apps, add_environments, allocate, documents, unready

AIM_RESYNC = 1.5
AIM_PAUSE_MILLISECONDS = 50.0
AIM_ONE = 2.0
AIM_MEGABYTES = 200.0
AIM_KILOBYTES_A_SERVICE = 12.0
_FEW = 100
PERIOD_SECONDS = 1.5


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured with ``count`` environments.

    Args:
        started: seconds from the start of the process to the end of its first comparison.
        resync: seconds of a comparison with nothing to do, median.
        listed: seconds of a raw list with its decoding, median.
        pause: longest time in seconds for which the event loop did not turn during such a comparison, median of all.
        memory: resident bytes after the comparisons.
        one: seconds from each further row to the engine's acceptance.
    """

    count: int
    started: float
    resync: float
    listed: float
    pause: float
    memory: int
    one: list[float]


def measure(place: BenchHarness, count: int, rounds: int, samples: int, idle: float | None) -> list[Measurement]:
    """Everything that depends on how many there are.

    Args:
        count: environments.
        rounds: comparisons.
        samples: further environments, one at a time.
        idle: median reaction in seconds with nothing else there; None when it was not measured.

    Raises:
        AssertionError: a comparison wrote something.
    """
    few = figures(place, _FEW, rounds, 0)
    found = figures(place, count, rounds, samples)
    growth = (found.memory - few.memory) / (count - _FEW) if count > _FEW else 0.0
    return [
        Measurement(f"resync of {count} with nothing to do", found.resync, "s", found.listed, AIM_RESYNC),
        Measurement("  longest pause of the event loop in it", found.pause * 1000, "ms", aim=AIM_PAUSE_MILLISECONDS),
        Measurement(
            f"one change among {count}, p50", percentile(found.one, 0.5) * 1000, "ms", idle and idle * 1000, AIM_ONE
        )
        if idle
        else Measurement(f"one change among {count}, p50", percentile(found.one, 0.5) * 1000, "ms"),
        Measurement(f"one change among {count}, p99", percentile(found.one, 0.99) * 1000, "ms"),
        Measurement(f"memory with {count}", found.memory / 1e6, "MB", aim=AIM_MEGABYTES),
        Measurement("  growth for each service", growth / 1e3, "kB", aim=AIM_KILOBYTES_A_SERVICE),
        Measurement(f"start -> first reconcile, {count} rows and services", found.started, "s", aim=AIM_START_SECONDS),
    ]


def figures(place: BenchHarness, count: int, rounds: int, samples: int) -> Figures:
    """Measure with ``count`` environments; see ``Figures``."""
    with place.database() as database:
        with database.connect() as panel, database.connect("reader") as reader:
            add_environments(panel, count)
            (app,) = add_apps(panel, 1, 1, prefix="late")
            with database.connect("controller") as writer:
                subnets = allocate(writer)
            send_raw(place, documents(reader, subnets))
            with controller(place, database):
                wait_until(lambda: unready(reader) == 0, "all environments are ready", every=max(0.1, count / 20_000))
        started = min(_started(place, database) for _ in range(2))
        before = _versions(place)
        with controller(place, database, skypanel_resync_seconds=str(PERIOD_SECONDS)) as daemon:
            resync, listed, pause = comparisons(place, daemon, rounds)
            memory = daemon.memory()
        after = _versions(place)
        changed = sum(version != after.get(name) for name, version in before.items())
        if changed:
            raise AssertionError(f"{changed} services were written by comparisons that had nothing to do")
        one: list[float] = []
        if samples:
            with controller(place, database) as daemon, database.connect() as panel:
                daemon.wait_for("resync.done")
                daemon.rest()  # after a start it looks at everything once
                one = one_at_a_time(place, database, panel, app, samples)
    return Figures(count, started, resync, listed, pause, memory, one)


def _started(place: BenchHarness, database: Database) -> float:
    with controller(place, database) as daemon:
        (line,) = daemon.wait_for("resync.done")[:1]
    return accepted_at(line["timestamp"]) - daemon.began


def comparisons(
    place: BenchHarness, daemon: Controller, rounds: int, paths: Sequence[str] = ("/services",)
) -> tuple[float, float, float]:
    """Medians: seconds of a comparison, of a raw list of ``paths``, of the longest pause."""
    seen = len(daemon.wait_for("resync.done", 3))  # the first one after a start looks at everything
    floors: list[float] = []
    while len(floors) < rounds or len(_idle(daemon)) < rounds:
        floors.append(_list(place, paths))
        daemon.wait_for("resync.done", seen + len(floors))
    lines = _idle(daemon)
    return (
        percentile([line["seconds"] for line in lines], 0.5),
        percentile(floors, 0.5),
        percentile([line["longest_stall"] for line in lines], 0.5),
    )


def _idle(daemon: Controller) -> list[dict[str, float]]:
    """Comparisons that found nothing to do."""
    return [line for line in daemon.lines("resync.done")[1:] if line["queued"] == 0]


def _list(place: BenchHarness, paths: Sequence[str]) -> float:
    with RawConnection(place.socket) as connection:
        asked = [request("GET", path) for path in paths]
        started = time.perf_counter()
        for data in asked:
            json.loads(connection.send(data))
        return time.perf_counter() - started


def _versions(place: BenchHarness) -> dict[str, int]:
    return {name: d["Version"]["Index"] for name, d in place.services().items()}
