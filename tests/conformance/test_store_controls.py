"""Pauses and requests to look now: what they hold, whom they wake, and that a request is handled with a status."""

from __future__ import annotations

from uuid import UUID

import pytest

from controller.records import EventRecord, Intent, Key, Loss, Report
from reconcilers.conditions import Status, paused, ready
from tests.conformance.store_world import Contender, StoreWorld, lives

pytestmark = pytest.mark.anyio


async def held(one: Contender, key: Key) -> tuple[str, str] | None:
    """Scope and reason of the pause of ``key``."""
    found = (await one.store.load(key)).paused
    assert found is None or (found.by and found.at)
    return (found.scope, found.reason) if found else None


async def woken(one: Contender) -> dict[Key, str | None]:
    """Whom the change log names, themselves, and whose they are."""
    changes, _ = await one.store.consume()
    return {change.key: change.organization_id for change in changes if not change.dependent}


async def test_the_widest_pause_of_an_object_is_the_one_that_is_told(store_world: StoreWorld) -> None:
    declare = store_world.declare
    home = declare.organization("acme")
    environment, other = declare.environment(home, "production"), declare.environment(home, "staging")
    foreign = declare.organization("globex")
    async with store_world.leader() as one:
        assert await held(one, environment) is None
        declare.pause("object", environment, reason="looking into it")
        assert await held(one, environment) == ("object", "looking into it")
        assert await held(one, other) is None
        declare.pause("organization", home)
        assert await held(one, environment) == ("organization", "")
        assert await held(one, other) == await held(one, home) == ("organization", "")
        assert await held(one, foreign) is None
        declare.pause("installation", reason="upgrade")
        assert await held(one, environment) == await held(one, foreign) == ("installation", "upgrade")
        assert await one.store.pauses() == {"object": 1, "organization": 1, "installation": 1}
        declare.resume("installation")
        declare.resume("organization", home)
        assert await held(one, environment) == ("object", "looking into it")
        assert await held(one, home) is None
        declare.resume("object", environment)
        assert await held(one, environment) is None
        assert await one.store.pauses() == {}


async def test_a_pause_and_its_end_wake_everything_that_they_concern(store_world: StoreWorld) -> None:
    declare = store_world.declare
    home, foreign = declare.organization("acme"), declare.organization("globex")
    environment = declare.environment(home, "production")
    async with store_world.leader() as one:
        await woken(one)
        with declare.hints() as hints:
            declare.pause("object", environment)
            assert hints() == 1
        assert await woken(one) == {environment: home.id}
        declare.pause("organization", home)
        assert await woken(one) == {environment: home.id, home: home.id}
        declare.resume("organization", home)
        assert await woken(one) == {environment: home.id, home: home.id}
        declare.pause("installation")
        assert await woken(one) == {environment: home.id, home: home.id, foreign: foreign.id}


async def test_what_lives_though_its_row_is_gone_is_held_and_woken_too(store_world: StoreWorld) -> None:
    declare = store_world.declare
    home = declare.organization("acme")
    environment = declare.environment(home, "production")
    async with store_world.leader() as one:
        await one.store.announce(environment, home.id, [Intent("service", "acme-shop-production-web", "applying")])
        declare.drop(environment)
        await woken(one)
        declare.pause("organization", home)
        assert environment in await woken(one)
        assert await held(one, environment) == ("organization", "")
        assert (await one.store.assess_losses(lives(environment))).lost == {}, "what is paused is not about to go"
        declare.resume("organization", home)
        assert environment in await woken(one)
        assert (await one.store.assess_losses(lives(environment))).lost == {environment: Loss("deleted", 1, 0, 0)}


async def test_what_is_to_be_deleted_is_not_unwanted_while_it_is_paused(store_world: StoreWorld) -> None:
    declare = store_world.declare
    environment = declare.environment(declare.organization("acme"), "production")
    async with store_world.leader() as one:
        declare.delete(environment)
        assert (await one.store.assess_losses(lives(environment))).lost == {environment: Loss("deleted", 1, 0, 0)}
        declare.pause("installation")
        assert (await one.store.assess_losses(lives(environment))).lost == {}


async def test_a_request_to_look_now_wakes_and_stays_until_it_is_handled_with_a_status(store_world: StoreWorld) -> None:
    declare = store_world.declare
    home = declare.organization("acme")
    environment = declare.environment(home, "production")
    part = str(UUID(int=(1 << 100) + 7))
    said = Status(*environment, home.id, 1, ready("Deployed", "1 task runs"), {})
    of_part = Status("process", part, home.id, 1, ready("Deployed", "1 task runs"), {})
    async with store_world.leader() as one:
        await one.store.report(Report(environment, home.id, [said, of_part]))
        await woken(one)
        declare.ask(environment, "first")
        assert await woken(one) == {environment: home.id}
        assert (await one.store.load(environment)).requested
        await one.store.report(Report(environment, home.id, [], [EventRecord("Normal", "Seen", "no status yet")]))
        assert (await one.store.load(environment)).requested, "a status has to say what came of it"
        await one.store.report(Report(environment, home.id, [said, of_part], handled_token="first"))
        loaded = await one.store.load(environment)
        assert (loaded.requested, loaded.token) == (False, "first")
        assert loaded.status is not None
        assert loaded.status["handled_token"] == "first"
        await one.store.report(
            Report(environment, home.id, [Status(*environment, home.id, 1, paused("for now"), {}), of_part])
        )
        loaded = await one.store.load(environment)
        assert not loaded.requested, "a later status does not take it back"
        declare.ask(environment, "second")
        assert (await one.store.load(environment)).requested
        assert await one.store.pauses() == {}
    handled = {key: row["reason"] for key, row in store_world.tables.statuses().items()}
    assert handled == {environment: "Paused", Key("process", part): "Deployed"}


async def test_the_index_names_who_was_asked_for_until_it_is_acknowledged(store_world: StoreWorld) -> None:
    """A request whose row in the change log is lost with a crash is found by the full comparison."""
    declare = store_world.declare
    home = declare.organization("acme")
    environment = declare.environment(home, "production")
    async with store_world.leader() as one:

        async def asked() -> set[Key]:
            return {entry.key for entry, _, _ in await one.store.index() if entry.requested}

        assert await asked() == set()
        for token in ("first", "second"):
            declare.ask(environment, token)
            assert await asked() == {environment}
            status = Status(*environment, home.id, 1, ready("Deployed", "1 task runs"), {})
            await one.store.report(Report(environment, home.id, [status], handled_token=token))
            assert await asked() == set()
