"""The fuse: a set of unwanted objects waits for the confirmation of exactly what was shown."""

from __future__ import annotations

from uuid import UUID

import pytest

from controller.records import Changed, Key
from tests.conformance.store_world import StoreWorld

pytestmark = pytest.mark.anyio

FIRST, SECOND, THIRD = (Key("environment", str(UUID(int=(1 << 100) + number))) for number in (1, 2, 3))


async def test_a_fuse_that_has_not_tripped_says_nothing(store_world: StoreWorld) -> None:
    async with store_world.leader() as one:
        assert await one.store.confirmed_removals() is None
        await one.store.clear_fuse()
        assert await one.store.confirmed_removals() is None
        await one.store.trip_fuse([FIRST], 1, 1)
        await one.store.clear_fuse()
        assert await one.store.confirmed_removals() is None
    assert store_world.tables.fuse() is None


async def test_only_what_was_shown_is_confirmed(store_world: StoreWorld) -> None:
    async with store_world.leader() as one:
        await one.store.trip_fuse([SECOND, FIRST], 2, 7)
        assert await one.store.confirmed_removals() == set()
        shown = store_world.tables.fuse()
        assert shown is not None
        assert shown[1:] == ([str(FIRST), str(SECOND)], 2, 7, False)
        store_world.tables.confirm_fuse()
        assert await one.store.confirmed_removals() == {FIRST, SECOND}
        await one.store.trip_fuse([SECOND], 1, 1)
        assert await one.store.confirmed_removals() == {FIRST, SECOND}, "a part of it needs no new confirmation"
        await one.store.trip_fuse([SECOND, THIRD], 2, 2)
        assert await one.store.confirmed_removals() == set(), "something new does"


async def test_a_fuse_that_trips_again_tells_since_when(store_world: StoreWorld) -> None:
    async with store_world.leader() as one:
        await one.store.trip_fuse([FIRST], 1, 1)
        before = store_world.tables.fuse()
        await one.store.trip_fuse([SECOND], 1, 1)
        after = store_world.tables.fuse()
    assert before is not None
    assert after == (before[0], [str(SECOND)], 1, 1, False)


async def test_a_confirmation_wakes_what_it_is_about(store_world: StoreWorld) -> None:
    async with store_world.leader() as one:
        await one.store.trip_fuse([FIRST, SECOND], 2, 2)
        with store_world.desk.hints() as hints:
            store_world.tables.confirm_fuse()
            assert hints() == 1
        changes, _ = await one.store.consume()
    assert set(changes) == {Changed(FIRST, None, dependent=False), Changed(SECOND, None, dependent=False)}


async def test_a_fuse_can_trip_for_nobody(store_world: StoreWorld) -> None:
    async with store_world.leader() as one:
        await one.store.trip_fuse([], 0, 9)
        assert await one.store.confirmed_removals() == set()
    fuse = store_world.tables.fuse()
    assert fuse is not None
    assert fuse[1:] == ([], 0, 9, False)


async def test_a_confirmation_of_nothing_is_none(store_world: StoreWorld) -> None:
    async with store_world.leader() as one:
        store_world.tables.confirm_fuse()
        assert await one.store.confirmed_removals() is None
        assert await one.store.consume() == ([], False)
