"""How a process learns of changes: the change log, which loses none, and notifications, which may be lost."""

from __future__ import annotations

from contextlib import suppress
from uuid import UUID

import anyio
import pytest

from controller.records import Changed, Key
from controller.store import state as module
from tests.conformance.store_world import Contender, StoreWorld

pytestmark = pytest.mark.anyio

RECONCILED = ("organization", "environment")


def numbered(number: int) -> Key:
    return Key("environment", str(UUID(int=(1 << 100) + number)))


def itself(key: Key, organization: Key | None) -> Changed:
    return Changed(key, organization.id if organization else None, dependent=False)


def dependent(key: Key, organization: Key | None) -> Changed:
    return Changed(key, organization.id if organization else None, dependent=True)


async def taken(one: Contender) -> set[Changed]:
    """What comes off the log of the kinds that have a reconciler, each once."""
    with anyio.fail_after(5):
        changes, more = await one.store.consume()
    assert not more
    assert len(set(changes)) == len(changes)
    return {change for change in changes if change.key.kind in RECONCILED}


async def test_changes_come_off_the_log_once_with_those_that_depend_on_them(store_world: StoreWorld) -> None:
    declare = store_world.declare
    acme = declare.organization("acme")
    web = declare.environment(acme, "production")
    declare.change(web, instances=2)
    async with store_world.leader() as one:
        everything = {itself(acme, acme), itself(web, acme), dependent(web, acme)}
        assert await taken(one) == everything, "many changes of one object are one"
        assert await taken(one) == set()
        declare.change(acme, network_prefix=25)
        assert await taken(one) == {itself(acme, acme), dependent(web, acme)}
        declare.change(web, instances=2)
        assert await taken(one) == set(), "it was no change"
    assert store_world.tables.logged() == 0


async def test_changes_whose_answer_was_lost_are_given_again(store_world: StoreWorld) -> None:
    """They are in the log until somebody who was given them looks again; another leader is given them too."""
    declare = store_world.declare
    acme = declare.organization("acme")
    web = declare.environment(acme, "production")
    async with store_world.leader() as one, store_world.process() as other:
        await one.store.consume()
        declare.change(web, instances=2)
        before = store_world.tables.logged()
        given, _ = await one.store.consume()
        assert itself(web, acme) in given
        assert 0 < store_world.tables.logged() <= before
        again, _ = await one.store.consume(anew=True)
        assert set(again) == set(given), "as after an answer that never came"
        store_world.tables.run_out()
        assert await other.lease.acquire()
        assert set((await other.store.consume())[0]) == set(given)
        assert await other.store.consume() == ([], False)
        assert store_world.tables.logged() == 0


async def test_the_changes_that_a_former_leader_was_given_are_not_its_to_take_off(store_world: StoreWorld) -> None:
    acme = store_world.declare.organization("acme")
    async with store_world.leader() as one, store_world.process() as other:
        given, _ = await one.store.consume()
        logged = store_world.tables.logged()
        store_world.tables.run_out()
        assert await other.lease.acquire()
        assert await one.store.consume() == ([], False)
        assert store_world.tables.logged() == logged
        assert set((await other.store.consume())[0]) == set(given)
    assert itself(acme, acme) in given


async def test_a_wish_to_delete_and_its_being_taken_back_are_changes(store_world: StoreWorld) -> None:
    declare = store_world.declare
    acme = declare.organization("acme")
    web = declare.environment(acme, "production")
    async with store_world.leader() as one:
        await one.store.consume()
        declare.delete(web)
        assert await taken(one) == {itself(web, acme)}
        declare.take_back(web)
        assert await taken(one) == {itself(web, acme)}


async def test_a_hard_delete_comes_off_the_log_with_all_that_went(store_world: StoreWorld) -> None:
    declare = store_world.declare
    acme = declare.organization("acme")
    web, staging = declare.environment(acme, "production"), declare.environment(acme, "staging")
    async with store_world.leader() as one:
        await one.store.consume()
        declare.drop(web)
        assert await taken(one) == {itself(web, acme)}
        declare.drop(acme)
        assert await taken(one) == {itself(acme, acme), itself(staging, None)}, "nobody knows any more whose it was"


async def test_only_the_leader_takes_changes(store_world: StoreWorld) -> None:
    acme = store_world.declare.organization("acme")
    web = store_world.declare.environment(acme, "production")
    async with store_world.process() as standby, store_world.leader() as one:
        logged = store_world.tables.logged()
        assert await standby.store.consume() == ([], False)
        store_world.tables.run_out()
        assert await one.store.consume() == ([], False), "its lease has run out"
        assert store_world.tables.logged() == logged
        assert await standby.lease.acquire()
        assert await one.store.consume() == ([], False), "it was taken over"
        assert itself(web, acme) in await taken(standby)


async def test_a_transaction_that_began_earlier_and_commits_later_is_not_skipped(store_world: StoreWorld) -> None:
    declare = store_world.declare
    acme = declare.organization("acme")
    slow, fast = declare.environment(acme, "slow"), declare.environment(acme, "fast")
    async with store_world.leader() as one:
        await one.store.consume()
        with declare.late() as panel:
            panel.change(slow, instances=5)
            new = panel.environment(acme, "new")
            declare.change(fast, instances=5)
            assert await taken(one) == {itself(fast, acme)}, "it does not wait for the slow one"
            assert (await one.store.load(slow)).generation == 1
            assert (await one.store.load(new)).document is None
        assert await taken(one) == {itself(slow, acme), itself(new, acme)}
        assert (await one.store.load(slow)).generation == 2
        assert new in await one.store.dependents(acme)


async def test_a_late_change_comes_by_when_it_was_written(
    store_world: StoreWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare = store_world.declare
    acme = declare.organization("acme")
    slow, fast = declare.environment(acme, "slow"), declare.environment(acme, "fast")
    async with store_world.leader() as one:
        await one.store.consume()
        with declare.late() as panel:
            panel.change(slow, instances=5)
            declare.change(fast, instances=5)
        monkeypatch.setattr(module, "CONSUME_LIMIT", 1)
        assert await one.store.consume() == ([itself(slow, acme)], True)
        assert await one.store.consume() == ([itself(fast, acme)], True)
        assert await one.store.consume() == ([], False)


async def test_a_change_that_is_rolled_back_never_was(store_world: StoreWorld) -> None:
    declare = store_world.declare
    web = declare.environment(declare.organization("acme"), "production")
    async with store_world.leader() as one:
        await one.store.consume()
        with suppress(InterruptedError), declare.late() as panel:
            panel.delete(web)
            raise InterruptedError
        assert await taken(one) == set()
        assert not (await one.store.load(web)).deleted


async def test_a_long_log_is_taken_in_pieces(store_world: StoreWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CONSUME_LIMIT", 3)
    store_world.declare.log(*(numbered(n) for n in range(7)))
    async with store_world.leader() as one:
        pieces = [await one.store.consume() for _ in range(3)]
    assert [({change.key for change in changes}, more) for changes, more in pieces] == [
        ({numbered(0), numbered(1), numbered(2)}, True),
        ({numbered(3), numbered(4), numbered(5)}, True),
        ({numbered(6)}, False),
    ]


async def test_many_changes_of_one_object_do_not_hide_that_more_is_there(
    store_world: StoreWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CONSUME_LIMIT", 3)
    store_world.declare.log(*(numbered(n) for n in (1, 1, 1, 2)))
    async with store_world.leader() as one:
        assert await one.store.consume() == ([itself(numbered(1), None)], True)
        assert await one.store.consume() == ([itself(numbered(2), None)], False)


async def test_a_transaction_that_changed_something_notifies_once_when_it_commits(store_world: StoreWorld) -> None:
    declare = store_world.declare
    acme = declare.organization("acme")
    web = declare.environment(acme, "production")
    with declare.hints() as hints:
        with declare.late() as panel:
            panel.change(web, instances=2)
            panel.environment(acme, "staging")
            assert hints() == 0
        assert hints() == 1
        declare.change(web, instances=2)
        assert hints() == 1, "it was no change"
        with suppress(InterruptedError), declare.late() as panel:
            panel.change(web, instances=3)
            raise InterruptedError
        assert hints() == 1
        declare.drop(web)
        assert hints() == 2
