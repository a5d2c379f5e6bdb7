"""The manager on tables: who goes first, how many at once, and how it ends."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from controller.records import Key
from reconcilers.outcomes import Done, Outcome, RequeueAfter
from reconcilers.ports import Context
from tests.unit.loop.parts import Nothing, Table, manager, thing

pytestmark = pytest.mark.anyio


async def test_one_change_does_not_wait_for_the_thousands_of_another_organization() -> None:
    store, seen = Table(), list[str]()
    everything = anyio.Event()

    async def body(context: Context, _: Any) -> Outcome:
        seen.append(context.id)
        if len(seen) == 100:
            store.declare(Key("thing", "single"), "small")
            started.changed.ring()
        if len(seen) == 5001:
            everything.set()
        await checkpoint()
        return Done()

    started = manager(store, Nothing(), thing(body, concurrency=128))
    with anyio.fail_after(60):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(started.run)
            while not started.synced:
                await checkpoint()
            for number in range(5000):
                store.declare(Key("thing", str(number)), "large")
            await everything.wait()
            tasks.cancel_scope.cancel()
    assert seen.index("single") < 100 + 2 * 128, "behind those that are worked on, not behind those that wait"


async def test_no_more_keys_are_worked_on_at_once_than_the_kind_allows() -> None:
    store, most, now = Table(), 0, 0
    for number in range(50):
        store.declare(Key("thing", str(number)), "acme")
    done = anyio.Event()

    async def body(_: Context, __: Any) -> Outcome:
        nonlocal most, now
        now += 1
        most = max(most, now)
        await anyio.sleep(0.001)
        now -= 1
        if len(store.reports) == 49 or not len(started._queues["thing"]):
            done.set()
        return Done()

    started = manager(store, Nothing(), thing(body, concurrency=7))
    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(started.run)
            await done.wait()
            tasks.cancel_scope.cancel()
    assert most == 7


async def test_a_cancelled_manager_takes_no_more_keys() -> None:
    store, begun = Table(), list[str]()
    for number in range(20):
        store.declare(Key("thing", str(number)), "acme")

    async def body(context: Context, _: Any) -> Outcome:
        begun.append(context.id)
        tasks.cancel_scope.cancel()
        with anyio.CancelScope(shield=True):
            await anyio.sleep(0.001)
        return RequeueAfter(0)

    started = manager(store, Nothing(), thing(body, concurrency=2))
    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(started.run)
    assert 1 <= len(begun) <= 2


async def test_draining_lets_the_running_ones_end_and_starts_no_other() -> None:
    store, ended = Table(), list[str]()
    for number in range(20):
        store.declare(Key("thing", str(number)), "acme")
    running = anyio.Event()

    async def body(context: Context, _: Any) -> Outcome:
        running.set()
        await anyio.sleep(0.02)
        ended.append(context.id)
        return Done()

    started = manager(store, Nothing(), thing(body, concurrency=3))
    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(started.run)
            await running.wait()
            await started.drain()
            assert len(ended) == 3
            tasks.cancel_scope.cancel()
    assert len(ended) == 3
