"""An answer of ``load`` that is older than what was written since: each is a look that once was, never a mixture.

On PostgreSQL the older answers come from exported snapshots, so that a simulated one is one that a database can give.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import ExitStack

import pytest

from controller.records import EventRecord, Intent, InventoryUpdate, Loaded, Report
from reconcilers.conditions import Status, progressing, ready
from tests.conformance.store_world import StoreWorld

pytestmark = pytest.mark.anyio


async def test_an_older_answer_is_a_whole_look_of_that_time(store_world: StoreWorld) -> None:
    declare = store_world.declare
    acme = declare.organization("acme")
    web = declare.environment(acme, "production")
    async with store_world.leader() as one:

        async def deployed() -> None:
            status = Status(*web, acme.id, 2, ready("Deployed", "runs"), {"image": "web:1"})
            learned = InventoryUpdate("service", "web", engine_id="e", spec_hash="h", last_good={"Name": "web"})
            event = EventRecord("Normal", "Created", "made")
            await one.store.report(Report(web, acme.id, [status], [event], [learned]))

        async def progressed() -> None:
            status = Status(*web, acme.id, 1, progressing("RollingOut", "0/1 run"), {})
            await one.store.report(Report(web, acme.id, [status]))

        async def announced() -> None:
            await one.store.announce(web, acme.id, [Intent("service", "web", "applying")])

        async def changed() -> None:
            declare.change(web, instances=2)

        async def deleted() -> None:
            declare.delete(web)

        async def dropped() -> None:
            declare.drop(web)

        steps: list[Callable[[], Awaitable[None]]] = [announced, progressed, changed, deployed, deleted, dropped]
        seen: list[Loaded] = []
        looks: list[Callable[..., Awaitable[Loaded]]] = []
        with ExitStack() as stack:
            for step in steps:
                seen.append(await one.store.load(web))
                looks.append(stack.enter_context(store_world.tables.earlier()))
                await step()
            assert [await look(web) for look in looks] == seen
            assert (await one.store.load(web)).document is None
        assert len({repr(look) for look in seen}) == len(steps), "each step was a look of its own"
