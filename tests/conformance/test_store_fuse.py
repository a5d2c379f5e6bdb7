"""The fuse's side of the database: what of that lives would be lost, what waits, what was confirmed."""

from __future__ import annotations

from uuid import UUID

import pytest

from controller.records import Holdings, Intent, Key, Loss
from tests.conformance.store_world import StoreWorld, lives

pytestmark = pytest.mark.anyio

FIRST, SECOND, THIRD = (Key("environment", str(UUID(int=(1 << 100) + number))) for number in (1, 2, 3))
GONE = Loss("deleted", 1, 0, 0)
FUSE = Key("fuse", str(UUID(int=0)))


async def test_lost_is_what_is_gone_or_to_be_deleted_and_what_is_absent_is_told_from_it(
    store_world: StoreWorld,
) -> None:
    declare = store_world.declare
    acme = declare.organization("acme")
    here, deleted, dropped, absent = (
        declare.environment(acme, name) for name in ("here", "marked", "dropped", "absent")
    )
    declare.delete(deleted)
    declare.drop(dropped)
    store_world.tables.lose(absent)
    async with store_world.process() as one:
        found = await one.store.assess_losses(lives(acme, here, deleted, dropped, absent))
        assert found.lost == {deleted: GONE, dropped: GONE, absent: Loss("absent", 1, 0, 0)}
        assert (found.tripped, found.hidden, found.recorded) == (False, "", 0)
        assert (await one.store.assess_losses(Holdings({}))).lost == {}


async def test_what_an_absent_owner_has_beyond_the_swarm_is_lost_with_it(store_world: StoreWorld) -> None:
    declare = store_world.declare
    acme = declare.organization("acme")
    here, absent = (declare.environment(acme, name) for name in ("here", "absent"))
    async with store_world.leader() as one:
        for key in (here, absent):
            things = [Intent(kind, f"{kind}-{key.id}", "applying") for kind in ("buckets/thing", "service")]
            await one.store.announce(key, acme.id, things)
        store_world.tables.lose(absent)
        assert (await one.store.assess_losses(Holdings({}))).lost == {absent: Loss("absent", 1, 0, 0)}
        assert (await one.store.assess_losses(lives(absent))).lost == {absent: Loss("absent", 2, 0, 0)}


async def test_lost_is_a_process_that_runs_and_shall_not_and_a_host_name_that_leads_nowhere_any_more(
    store_world: StoreWorld,
) -> None:
    declare = store_world.declare
    acme = declare.organization("acme")
    plain, split, stopped = (declare.environment(acme, name) for name in ("plain", "split", "stopped"))
    declare.process(split, "web")
    declare.process(split, "worker", instances=0)
    declare.domain(split, "new.example")
    holdings = Holdings(
        dict.fromkeys((plain, split, stopped), 1),
        [(plain.id, "web"), (split.id, "web"), (split.id, "worker"), (split.id, "gone"), (stopped.id, "web")],
        [(split.id, "new.example"), (split.id, "old.example"), (plain.id, "new.example")],
    )
    async with store_world.process() as one:
        assert (await one.store.assess_losses(holdings)).lost == {split: Loss("reduced", 0, 2, 1)}
        declare.change(stopped, instances=0)
        assert (await one.store.assess_losses(holdings)).lost[stopped] == Loss("reduced", 0, 1, 0)
        declare.change(acme, suspended=True)
        lost = (await one.store.assess_losses(holdings)).lost
        assert lost == {plain: Loss("reduced", 0, 1, 0), split: Loss("reduced", 0, 3, 1), stopped: lost[stopped]}
        declare.delete(split)
        assert (await one.store.assess_losses(holdings)).lost[split] == Loss("deleted", 1, 0, 0)


async def test_a_trip_stays_until_it_is_taken_back_and_tells_since_when(store_world: StoreWorld) -> None:
    async with store_world.leader() as one, store_world.process() as other:
        await one.store.record_losses({FIRST: GONE, SECOND: GONE}, tripped=True, live=7)
        first = store_world.tables.fuse()
        assert first is not None
        assert first[1] == 7
        assert (await other.store.assess_losses(lives(FIRST))).tripped
        await one.store.record_losses({SECOND: GONE}, tripped=True, live=6)
        assert store_world.tables.fuse() == (first[0], 6)
        assert store_world.tables.losses() == {SECOND: GONE}
        await one.store.record_losses({}, tripped=False, live=5)
        assert store_world.tables.fuse() is None
        assert store_world.tables.losses() == {}


async def test_a_confirmation_is_of_one_owner_and_stays_when_others_join(store_world: StoreWorld) -> None:
    async with store_world.leader() as one:
        await one.store.record_losses({FIRST: GONE, SECOND: GONE}, tripped=True, live=7)
        store_world.tables.confirm_fuse(FIRST)
        await one.store.record_losses({FIRST: GONE, SECOND: GONE, THIRD: GONE}, tripped=True, live=7)
        found = await one.store.assess_losses(lives(FIRST, SECOND, THIRD))
        assert {key: loss.confirmed for key, loss in found.lost.items()} == {FIRST: True, SECOND: False, THIRD: False}
        assert found.recorded == 3


async def test_a_confirmation_covers_no_more_than_was_shown(store_world: StoreWorld) -> None:
    async with store_world.leader() as one:
        await one.store.record_losses({FIRST: GONE._replace(objects=2)}, tripped=True, live=7)
        store_world.tables.confirm_fuse()

        async def confirmed(objects: int) -> bool:
            return (await one.store.assess_losses(Holdings({FIRST: objects}))).lost[FIRST].confirmed

        assert [await confirmed(objects) for objects in (1, 2, 3)] == [True, True, False]
        await one.store.record_losses({FIRST: GONE}, tripped=True, live=6)
        assert await confirmed(1), "what goes on as confirmed is confirmed"
        await one.store.record_losses({FIRST: GONE._replace(objects=5)}, tripped=True, live=9)
        assert not await confirmed(1)


async def test_a_confirmation_wakes_the_fuse_and_what_it_is_about(store_world: StoreWorld) -> None:
    async with store_world.leader() as one:
        await one.store.record_losses({FIRST: GONE, SECOND: GONE, THIRD: GONE}, tripped=True, live=3)
        with store_world.declare.hints() as hints:
            store_world.tables.confirm_fuse(FIRST, SECOND)
            assert hints() == 1
        changes, _ = await one.store.consume()
    assert {change.key for change in changes} == {FUSE, FIRST, SECOND}


async def test_a_confirmation_of_nothing_is_none(store_world: StoreWorld) -> None:
    async with store_world.leader() as one:
        store_world.tables.confirm_fuse()
        assert await one.store.consume() == ([], False)
