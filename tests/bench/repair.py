"""From damage done by hand to the repairing call, with hints on.

Measured from just before the hand's call is sent to the time at which the manager began the repair's transaction:
``CreatedAt`` of the new service after a removal, ``UpdatedAt`` after a scaling. The floor is a bare process that
follows the engine's events and sends the repair at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from tests.bench.harness import BenchHarness, accepted_at, wait_until
from tests.bench.process import controller
from tests.bench.raw import RawConnection, RawError
from tests.bench.reaction import bare
from tests.bench.report import Measurement, percentile
from tests.bench.workload import add_apps, add_environment, documents, unready

AIM_P50_MILLISECONDS, AIM_P99_MILLISECONDS = 20.0, 250.0
_DAMAGES_A_SERVICE = 4
"""Repairs of one object that come again and again are spaced out; that is not what is measured."""


def measure(place: BenchHarness, samples: int) -> list[Measurement]:
    """Median and 99th percentile of ``samples`` removals and as many scalings."""
    with place.database() as database, database.connect() as panel, database.connect("reader") as reader:
        (app,) = add_apps(panel, 1, 1)
        for number in range(-(-2 * samples // _DAMAGES_A_SERVICE)):
            add_environment(panel, app, f"e{number}")
        with controller(place, database) as daemon:
            daemon.wait_for("resync.done")
            wait_until(lambda: unready(reader) == 0, "all environments are ready")
            subject = _damage(place, samples)
        wanted = {d["Name"]: d for d in documents(reader).services}
        with bare(place, {"mode": "events", "documents": wanted}):
            floor = _damage(place, samples)
    found = [
        Measurement(
            f"service {what} by hand -> repair, {label}",
            percentile(subject[what], share) * 1000,
            "ms",
            percentile(floor[what], share) * 1000,
        )
        for what in subject
        for label, share in (("p50", 0.5), ("p99", 0.99))
    ]
    every = [sample for delays in subject.values() for sample in delays]
    return [
        *found,
        Measurement("all repairs, p50", percentile(every, 0.5) * 1000, "ms", aim=AIM_P50_MILLISECONDS),
        Measurement("all repairs, p99", percentile(every, 0.99) * 1000, "ms", aim=AIM_P99_MILLISECONDS),
    ]


def _damage(place: BenchHarness, samples: int) -> dict[str, list[float]]:
    names = sorted(place.services())
    with RawConnection(place.socket) as engine:
        return {
            "removed": [_remove(engine, names[n % len(names)]) for n in range(samples)],
            "scaled": [_scale(engine, names[n % len(names)]) for n in range(samples)],
        }


def _remove(engine: RawConnection, name: str) -> float:
    done = time.time()
    engine.call("DELETE", f"/services/{name}")
    return accepted_at(_settled(engine, name, lambda d: True)["CreatedAt"]) - done


def _scale(engine: RawConnection, name: str) -> float:
    document = engine.call("GET", f"/services/{name}")
    spec = {**document["Spec"], "Mode": {"Replicated": {"Replicas": 1}}}
    done = time.time()
    engine.call("POST", f"/services/{name}/update?version={document['Version']['Index']}", spec)
    return accepted_at(_settled(engine, name, lambda d: not _replicas(d))["UpdatedAt"]) - done


def _replicas(document: dict[str, Any]) -> int:
    return int(document["Spec"]["Mode"]["Replicated"].get("Replicas") or 0)


def _settled(engine: RawConnection, name: str, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The service when it is as it should be again."""
    found: dict[str, Any] = {}

    def look() -> bool:
        nonlocal found
        try:
            found = engine.call("GET", f"/services/{name}")
        except RawError:
            return False
        return condition(found)

    wait_until(look, f"service {name} is repaired", every=0.005)
    return found
