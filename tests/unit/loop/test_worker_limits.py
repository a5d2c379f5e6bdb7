"""A reconcile that hangs is cut off; how long things take is measured from when they were seen."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import anyio
import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from controller.loop.latencies import Latencies
from controller.loop.trace import Trace
from controller.records import Key, Loaded, Report
from reconcilers.conditions import progressing, ready
from reconcilers.outcomes import Done, Outcome
from reconcilers.ports import Context
from tests.unit.loop.parts import Nothing, Table, manager, thing

pytestmark = pytest.mark.anyio
KEY = Key("thing", "a")


def sample(name: str, kind: str = "thing", **labels: str) -> float:
    return REGISTRY.get_sample_value(name, {"kind": kind, **labels}) or 0.0


async def test_a_reconcile_that_hangs_is_cut_off_counted_and_tried_again() -> None:
    before = sample("skypanel_reconcile_timeouts_total")
    store, looks, second = Table(), 0, anyio.Event()
    store.declare(KEY, "acme")

    async def body(context: Context, _: Any) -> Outcome:
        nonlocal looks
        looks += 1
        if looks == 1:
            await anyio.sleep_forever()
        context.report(ready("Running", "it runs"))
        second.set()
        return Done()

    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(manager(store, Nothing(), thing(body, concurrency=1), reconcile_timeout_seconds=0.05).run)
            await second.wait()
            tasks.cancel_scope.cancel()

    assert sample("skypanel_reconcile_timeouts_total") == before + 1
    said = store.reports[0].statuses[0].conditions
    assert [c.reason for c in said] == ["ReconcileTimeout", "ReconcileTimeout"]
    assert "SKYPANEL_RECONCILE_TIMEOUT_SECONDS" in said[0].message


async def test_an_end_from_outside_is_not_taken_for_a_time_out() -> None:
    before = sample("skypanel_reconcile_timeouts_total"), sample("skypanel_reconcile_total", result="cancelled")
    store, running = Table(), anyio.Event()
    store.declare(KEY, "acme")

    async def body(_: Context, __: Any) -> Outcome:
        running.set()
        await anyio.sleep_forever()
        return Done()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(manager(store, Nothing(), thing(body, concurrency=1), reconcile_timeout_seconds=60.0).run)
        await running.wait()
        tasks.cancel_scope.cancel()

    after = sample("skypanel_reconcile_timeouts_total"), sample("skypanel_reconcile_total", result="cancelled")
    assert after == (before[0], before[1] + 1)


class Life:
    """One object's looks, one after another; ``count`` and ``sum`` of what was measured since the beginning."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.key = Key(kind, "a")
        self.milestones = Latencies(kind)
        self.row = Loaded(self.key, "acme", 1, deleted=False, document={})

    def look(self, **row: Any) -> None:
        self.row = replace(self.row, **row)
        self.milestones.loaded(self.row, Trace(self.key, "id", ("change",), 2.0, 1).queued)

    def measured(self, name: str) -> tuple[float, float]:
        return sample(f"skypanel_{name}_count", self.kind), round(sample(f"skypanel_{name}_sum", self.kind))


def status(generation: int, *, finalized: bool = False) -> dict[str, Any]:
    return {"observed_generation": generation, "finalized": finalized}


async def test_a_new_object_is_timed_to_its_first_look_and_to_its_first_readiness() -> None:
    life = Life("born")
    life.look()
    life.look()  # a look that failed is not the first one again
    life.look(status=status(1))
    life.milestones.ready(life.key)
    life.milestones.ready(life.key)

    assert life.measured("first_time_to_reconcile_seconds") == (1, 2)
    assert life.measured("first_time_to_readiness_seconds") == (1, 2)
    assert life.measured("time_to_ready_seconds") == (1, 2)


async def test_a_generation_is_timed_to_readiness_and_one_that_another_process_began_is_not() -> None:
    life = Life("changed")
    life.look(status=status(1))
    life.milestones.ready(life.key)
    assert life.measured("time_to_ready_seconds") == (0, 0)

    life.look(generation=2)
    life.milestones.ready(life.key)
    assert life.measured("time_to_ready_seconds") == (1, 2)
    assert life.measured("first_time_to_readiness_seconds") == (0, 0)


async def test_a_deletion_is_timed_until_nothing_is_left() -> None:
    life = Life("deleted")
    life.look(status=status(1), deleted=True)
    life.milestones.gone(life.key)
    life.look(status=status(1, finalized=True))
    life.milestones.gone(life.key)

    assert life.measured("deletion_seconds") == (1, 2)


async def test_drift_is_timed_from_its_first_sight_also_over_failures() -> None:
    life = Life("drifted")
    for repaired in (False, True):
        trace = Trace(life.key, "id", ("drift",), 2.0 if repaired else 30.0, 1)
        trace.drifted, trace.repaired = True, repaired
        life.milestones.ended(trace)

    assert life.measured("drift_seconds") == (1, 30)


async def test_what_is_not_ready_is_not_counted_as_ready() -> None:
    store, done = Table(), anyio.Event()
    store.declare(KEY, "acme")
    before = sample("skypanel_time_to_ready_seconds_count")

    async def body(context: Context, _: Any) -> Outcome:
        context.report(progressing("RollingOut", "on its way"))
        done.set()
        return Done()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(manager(store, Nothing(), thing(body, concurrency=1)).run)
        await done.wait()
        while not store.reports:
            await anyio.lowlevel.checkpoint()
        tasks.cancel_scope.cancel()
    assert sample("skypanel_time_to_ready_seconds_count") == before


async def test_what_a_reconcile_learned_is_said_by_the_next_one_whatever_kept_it_from_saying_so() -> None:
    said = anyio.Event()

    class Refusing(Table):
        async def report(self, report: Report) -> None:
            self.reports.append(report)
            if len(self.reports) == 1:
                raise ZeroDivisionError
            said.set()

    store = Refusing()
    store.declare(KEY, "acme")

    async def body(context: Context, _: Any) -> Outcome:
        if not store.reports:
            context.draft.event("Normal", "Created", "made")  # type: ignore[attr-defined] # the loop's own has it
        context.report(ready("Running", "it runs"))
        return Done()

    with anyio.fail_after(10), capture_logs():
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(manager(store, Nothing(), thing(body, concurrency=1)).run)
            await said.wait()
            tasks.cancel_scope.cancel()
    assert [event.reason for event in store.reports[1].events] == ["Created"]
