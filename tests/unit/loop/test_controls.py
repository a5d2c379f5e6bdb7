"""What an operator says of an object, on a simulated database: pause, go on, look now."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from controller.loop.manager import Manager
from controller.records import Key
from reconcilers.conditions import ready
from reconcilers.outcomes import Done, Outcome, TransientError
from reconcilers.ports import Child, ChildStatus, Context
from tests.sim.database.database import SimDatabase
from tests.sim.database.lease import SimLease
from tests.sim.database.link import Link, direct
from tests.sim.database.store import SimStore
from tests.unit.loop.parts import Nothing, manager, thing

pytestmark = pytest.mark.anyio

ONE, PART = Key("thing", "one"), Key("part", "of-one")
ORGANIZATION = "acme"


@dataclass
class Managed:
    """One object, its part, and a manager that looks after it."""

    database: SimDatabase
    looks: list[str] = field(default_factory=list)
    fails: bool = False
    manager: Manager | None = None

    async def body(self, context: Context, _: Any) -> Outcome:
        self.looks.append(context.id)
        if self.fails:
            raise TransientError("EngineUnavailable", "no answer")
        settled = ready("Deployed", "it runs")
        context.report(settled, children=[ChildStatus(*PART, 1, settled)])
        return Done()

    def said(self, key: Key = ONE) -> tuple[str, str]:
        """Whether it is ready, and why, as last written."""
        row = self.database.statuses.get(key)
        return (str(row.ready), row.reason) if row else ("", "")

    def failures(self) -> int:
        """How often in a row it has failed, as its backoff knows."""
        assert self.manager is not None
        return self.manager._queues[ONE.kind]._backoff._failures.get(ONE, 0)

    def handled(self) -> str | None:
        row = self.database.statuses.get(ONE)
        return row.handled_token if row else None

    async def until(self, condition: Callable[[], bool]) -> None:
        with anyio.fail_after(10):
            while not condition():  # noqa: ASYNC110 - several things that it may wait for have no event
                await anyio.sleep(0.001)

    async def quiet(self) -> None:
        """Until nothing is queued or worked on any more."""
        for _ in range(50):
            await checkpoint()
        await self.until(lambda: not self.database.change_log)
        for _ in range(50):
            await checkpoint()


class Counted(Nothing):
    """Counts how often it was asked to look at the engine itself."""

    def __init__(self) -> None:
        self.refreshes = 0

    async def refresh(self, key: Key, inventory: Any) -> None:
        self.refreshes += 1


@asynccontextmanager
async def running(one: Managed, swarm: Any = None, link: Link = direct) -> AsyncIterator[Managed]:
    lease = SimLease(one.database, "test", 60, holder="me")
    assert await lease.acquire()
    kind = replace(thing(one.body, concurrency=2), children=lambda _: [Child(*PART, 1)])
    looked_after = manager(SimStore(one.database, lease, link=link), swarm or Nothing(), kind)
    one.database.listeners.append(looked_after.changed.ring)
    one.manager = looked_after
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(looked_after.run)
        yield one
        tasks.cancel_scope.cancel()


@pytest.fixture
def one() -> Managed:
    return Managed(SimDatabase())


async def test_a_paused_object_is_not_looked_at_and_neither_it_nor_its_parts_are_ready(one: Managed) -> None:
    async with running(one):
        one.database.put(ONE, ORGANIZATION, {})
        await one.until(lambda: one.said(PART) == ("True", "Deployed"))
        one.database.pause("object", ONE, reason="audit", by="ada")
        await one.until(lambda: one.said(PART) == ("False", "Paused"))
        looks = len(one.looks)
        one.database.put(ONE, ORGANIZATION, {"changed": 1})
        await one.until(lambda: one.database.statuses[ONE].observed_generation == 2)
        assert one.said() == ("False", "Paused")
        assert len(one.looks) == looks
        assert "ada paused this thing at " in one.database.statuses[ONE].message
        one.database.resume("object", ONE)
        await one.until(lambda: one.said() == one.said(PART) == ("True", "Deployed"))
    assert [e.reason for e in one.database.events.values()] == ["Paused", "Resumed"]


async def test_a_paused_object_that_is_to_be_deleted_stays_until_it_goes_on(one: Managed) -> None:
    async with running(one):
        one.database.put(ONE, ORGANIZATION, {})
        one.database.pause("organization", Key("organization", ORGANIZATION))
        one.database.mark_deleted(ONE)
        await one.until(lambda: one.said() == ("False", "Paused"))
        assert one.database.statuses[ONE].finalized_at is None


async def test_a_bad_document_is_not_told_of_while_it_is_paused(one: Managed) -> None:
    async with running(one):
        one.database.pause("installation")
        one.database.put(ONE, ORGANIZATION, ["not", "an", "object"])
        await one.until(lambda: one.said() == ("False", "Paused"))
        one.database.resume("installation")
        await one.until(lambda: one.said() == ("False", "InvalidSpec"))


async def test_a_document_that_cannot_be_read_is_a_bad_one_and_is_looked_at_again_when_it_changes(
    one: Managed,
) -> None:
    async with running(one):
        deep: list[Any] = []
        for _ in range(100):
            deep = [deep]
        one.database.put(ONE, ORGANIZATION, {"ports": deep})
        await one.until(lambda: one.said() == ("False", "InvalidSpec"))
        assert "ports: cannot be read" in one.database.statuses[ONE].message
        assert not one.looks
        one.database.put(ONE, ORGANIZATION, {})
        await one.until(lambda: one.said() == ("True", "Deployed"))


async def test_a_look_now_reads_the_engine_and_is_acknowledged_with_the_status(one: Managed) -> None:
    swarm = Counted()
    async with running(one, swarm):
        one.database.put(ONE, ORGANIZATION, {})
        await one.until(lambda: one.said() == ("True", "Deployed"))
        assert swarm.refreshes == 0, "the live view is enough"
        one.database.ask(ONE, "please")
        await one.until(lambda: one.handled() == "please")
        assert swarm.refreshes == 1
        one.database.touch(ONE)
        await one.quiet()
        assert swarm.refreshes == 1, "it was had"


async def test_a_look_now_does_not_wait_for_a_backoff_and_is_not_had_before_it_succeeds(one: Managed) -> None:
    one.fails = True
    async with running(one):
        one.database.put(ONE, ORGANIZATION, {})
        await one.until(lambda: one.said() == ("False", "EngineUnavailable"))
        failures = one.failures()
        one.database.ask(ONE, "please")
        await one.until(lambda: one.failures() > failures)
        assert one.handled() != "please"
        one.fails = False
        await one.until(lambda: one.handled() == "please")


async def test_a_look_now_whose_status_cannot_be_written_is_tried_again_with_a_backoff(one: Managed) -> None:
    broken = False

    async def link(operation: str, keys: tuple[Key, ...], effect: Callable[[], Any], /) -> Any:
        if broken and operation == "report":
            raise TransientError("DatabaseError", "refused")
        return effect()

    async with running(one, link=link):
        one.database.put(ONE, ORGANIZATION, {})
        await one.until(lambda: one.said() == ("True", "Deployed"))
        broken = True
        one.database.ask(ONE, "please")
        await one.until(lambda: one.failures() >= 4)
        broken = False
        await one.until(lambda: one.handled() == "please")


async def test_a_look_now_at_what_is_paused_is_acknowledged_as_paused(one: Managed) -> None:
    async with running(one):
        one.database.put(ONE, ORGANIZATION, {})
        one.database.pause("installation")
        await one.until(lambda: one.said() == ("False", "Paused"))
        one.database.ask(ONE, "please")
        await one.until(lambda: one.handled() == "please")
        assert one.said() == ("False", "Paused")
