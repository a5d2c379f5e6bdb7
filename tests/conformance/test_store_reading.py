"""What a process reads: one consistent look at an object, the index, what is left over, what depends on what."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import pytest

from controller.records import DesiredObject, Intent, InventoryRow, InventoryUpdate, Key, Report
from reconcilers.conditions import Status, ready
from specs.snapshots import EnvironmentSnapshot, OrganizationSnapshot
from tests.conformance.store_world import StoreWorld

pytestmark = pytest.mark.anyio

KINDS = ("organization", "environment")
NOBODY = Key("environment", str(UUID(int=1 << 100)))


async def test_a_load_gives_the_document_of_the_view(store_world: StoreWorld) -> None:
    declare, ledger = store_world.declare, store_world.ledger
    acme = declare.organization("acme")
    web = declare.environment(acme, "production", port=8080, cpu_limit=0.25, entrypoint=["run", "it"])
    declare.process(web, "worker", command=["work"], instances=2)
    declare.process(web, "web", healthcheck={"command": ["true"]})
    declare.domain(web, "b.example")
    declare.domain(web, "a.example")
    async with store_world.process() as one:
        home, loaded = await one.store.load(acme), await one.store.load(web)
    assert (home.document, loaded.document) == (ledger.document(acme), ledger.document(web))
    assert OrganizationSnapshot.model_validate(home.document).slug == "acme"
    assert EnvironmentSnapshot.model_validate(loaded.document).swarm_name == "acme-shop-production"
    assert (home.organization_id, loaded.organization_id) == (acme.id, acme.id)
    assert (home.generation, loaded.generation) == (1, 5)
    assert (loaded.deleted, loaded.inventory, loaded.status) == (False, (), None)


async def test_every_change_raises_the_generation_by_one_and_no_change_does_not(store_world: StoreWorld) -> None:
    declare = store_world.declare
    acme = declare.organization("acme")
    web = declare.environment(acme, "production")
    async with store_world.process() as one:

        async def seen() -> tuple[int, bool]:
            loaded = await one.store.load(web)
            assert loaded.document == store_world.ledger.document(web)
            return loaded.generation, loaded.deleted

        declare.change(web, instances=3)
        assert await seen() == (2, False)
        declare.change(web, instances=3)
        assert await seen() == (2, False)
        for _ in range(2):
            declare.delete(web)
            assert await seen() == (3, True)
        declare.take_back(web)
        assert await seen() == (4, False)
        declare.change(acme, network_prefix=25)
        assert await seen() == (4, False)
        assert (await one.store.load(acme)).generation == 2


async def test_a_suspended_organization_suspends_what_is_in_it(store_world: StoreWorld) -> None:
    declare = store_world.declare
    acme = declare.organization("acme")
    web = declare.environment(acme, "production")
    declare.change(acme, suspended=True)
    async with store_world.process() as one:
        loaded = await one.store.load(web)
    assert loaded.document is not None
    assert loaded.document["suspended"] is True
    assert loaded.document == store_world.ledger.document(web)
    assert loaded.generation == 2


async def test_a_deleted_organization_makes_its_environments_deleted(store_world: StoreWorld) -> None:
    declare = store_world.declare
    acme = declare.organization("acme")
    web = declare.environment(acme, "production")
    declare.delete(acme)
    async with store_world.process() as one:
        home, loaded = await one.store.load(acme), await one.store.load(web)
    assert (home.deleted, loaded.deleted) == (True, True)
    assert loaded.generation > 1
    assert loaded.document is not None


async def test_a_row_that_is_gone_is_loaded_as_gone_with_what_was_made_and_said_of_it(
    store_world: StoreWorld,
) -> None:
    declare = store_world.declare
    acme = declare.organization("acme")
    web = declare.environment(acme, "production")
    async with store_world.leader() as one:
        await one.store.announce(web, acme.id, [Intent("service", "acme-shop-production-web", "applying")])
        status = Status(*web, acme.id, 1, ready("Deployed", "1 task runs"), {"image": "web:1"})
        await one.store.report(Report(web, acme.id, statuses=[status]))
        declare.drop(acme)
        loaded = await one.store.load(web)
    assert (loaded.document, loaded.generation, loaded.deleted) == (None, 0, False)
    assert loaded.inventory == (InventoryRow("service", "acme-shop-production-web"),)
    assert loaded.organization_id == acme.id, "the status remembers it"
    assert loaded.status == {
        "observed_generation": 1,
        "conditions": [{"type": "Ready", "status": "True", "reason": "Deployed", "message": "1 task runs"}],
        "details": {"image": "web:1"},
        "finalized": False,
        "organization_id": acme.id,
        "handled_token": None,
    }


async def test_a_row_that_was_deleted_has_a_tombstone_and_one_that_is_absent_has_none(
    store_world: StoreWorld,
) -> None:
    declare, tables = store_world.declare, store_world.tables
    acme = declare.organization("acme")
    deleted, absent = declare.environment(acme, "deleted"), declare.environment(acme, "absent")
    async with store_world.process() as one:

        async def seen(key: Key) -> tuple[bool, bool]:
            loaded = await one.store.load(key)
            return loaded.declared, loaded.tombstone

        assert (await seen(deleted), await seen(absent)) == ((True, False), (True, False))
        declare.drop(deleted)
        tables.lose(absent)
        assert (await seen(deleted), await seen(absent)) == ((False, True), (False, False))
        tables.lose(acme)
        assert await seen(acme) == (False, False)


async def test_what_goes_with_its_organization_has_a_tombstone_of_its_own(store_world: StoreWorld) -> None:
    acme = store_world.declare.organization("acme")
    web = store_world.declare.environment(acme, "production")
    store_world.declare.drop(acme)
    async with store_world.process() as one:
        assert [(await one.store.load(key)).tombstone for key in (acme, web)] == [True, True]


async def test_a_row_whose_document_is_hidden_is_declared_all_the_same(store_world: StoreWorld) -> None:
    declare = store_world.declare
    acme = declare.organization("acme")
    web = declare.environment(acme, "production")
    declare.change(web, instances=3)
    store_world.tables.lose_tenant(acme)
    async with store_world.process() as one:
        home, loaded = await one.store.load(acme), await one.store.load(web)
    assert (home.declared, home.document, home.deleted, home.generation) == (True, None, False, 1)
    assert (loaded.declared, loaded.document, loaded.deleted, loaded.generation) == (True, None, False, 2)
    assert (home.organization_id, loaded.organization_id) == (acme.id, acme.id)


async def test_what_nobody_ever_heard_of_is_loaded_as_nothing(store_world: StoreWorld) -> None:
    async with store_world.process() as one:
        loaded = await one.store.load(NOBODY)
    assert (loaded.document, loaded.organization_id, loaded.generation) == (None, None, 0)
    assert (loaded.inventory, loaded.status, loaded.deleted) == ((), None, False)


async def test_inventory_comes_back_as_it_was_learned(store_world: StoreWorld) -> None:
    good = {"Name": "a", "Labels": {"empty": ""}, "TaskTemplate": {"Networks": [{"Target": "org-acme"}]}}
    update = InventoryUpdate("service", "a", engine_id="e1", spec_hash="h1", failed_hash="h0", last_good=good)
    async with store_world.leader() as one:
        await one.store.report(Report(NOBODY, None, inventory=[update]))
        (row,) = (await one.store.load(NOBODY)).inventory
    assert row == InventoryRow("service", "a", "e1", "h1", "h0", good, "present")


async def test_nobody_shares_a_document_with_the_database(store_world: StoreWorld) -> None:
    web = store_world.declare.environment(store_world.declare.organization("acme"), "production")
    good: dict[str, object] = {"Name": "a", "Labels": {"a": "1"}}
    details: dict[str, object] = {"image": "web:1"}
    status = Status(*web, None, 1, ready("Deployed", "runs"), details)
    async with store_world.leader() as one:
        await one.store.report(
            Report(web, None, statuses=[status], inventory=[InventoryUpdate("service", "a", last_good=good)])
        )
        good["Labels"] = {}
        details["image"] = "web:2"
        first = await one.store.load(web)
        assert first.document is not None
        assert first.status is not None
        first.document["processes"].append("spoiled")
        first.status["conditions"].clear()
        second = await one.store.load(web)
    assert second.document == store_world.ledger.document(web)
    assert second.inventory[0].last_good == {"Name": "a", "Labels": {"a": "1"}}
    assert second.status is not None
    assert (second.status["details"], len(second.status["conditions"])) == ({"image": "web:1"}, 1)


async def test_the_index_lists_every_object_and_whether_its_status_is_of_this_generation(
    store_world: StoreWorld,
) -> None:
    declare = store_world.declare
    acme = declare.organization("acme")
    web = declare.environment(acme, "production")
    async with store_world.leader() as one:

        async def entry() -> tuple[DesiredObject, bool, bool]:
            found = {e.key: (e, is_ready, done) for e, is_ready, done in await one.store.index()}
            assert set(found) == {acme, web}
            return found[web]

        assert await entry() == (DesiredObject(web, acme.id, 1, deleted=False), False, False)
        said = Status(*web, acme.id, 1, ready("Deployed", "runs"), {})
        await one.store.report(Report(web, None, statuses=[said]))
        assert await entry() == (DesiredObject(web, acme.id, 1, deleted=False), True, False)
        declare.change(web, instances=2)
        assert await entry() == (DesiredObject(web, acme.id, 2, deleted=False), False, False)
        declare.delete(web)
        done = Status(*web, acme.id, 3, said.conditions, {}, finalized=True)
        await one.store.report(Report(web, None, statuses=[done]))
        assert await entry() == (DesiredObject(web, acme.id, 3, deleted=True), True, True)


async def test_owners_in_the_inventory_whose_rows_are_gone_are_leftovers(store_world: StoreWorld) -> None:
    here = store_world.declare.environment(store_world.declare.organization("acme"), "production")
    async with store_world.leader() as one:
        for owner in (here, NOBODY):
            await one.store.announce(owner, None, [Intent("service", f"{owner.id}-{n}", "applying") for n in "ab"])
        assert await one.store.leftovers(KINDS) == [NOBODY]
        for name in (f"{NOBODY.id}-a", f"{NOBODY.id}-b"):
            assert await one.store.leftovers(KINDS) == [NOBODY]
            await one.store.report(Report(NOBODY, None, inventory=[InventoryUpdate("service", name, gone=True)]))
        assert await one.store.leftovers(KINDS) == []


async def test_a_status_that_is_not_final_of_what_is_gone_is_a_leftover(store_world: StoreWorld) -> None:
    async with store_world.leader() as one:
        said = Status("environment", NOBODY.id, None, 1, ready("Deployed", "it runs"), {})
        child = Status("domain", NOBODY.id, None, 1, ready("Routed", "it is routed"), {})
        await one.store.report(Report(NOBODY, None, statuses=[said, child]))
        assert await one.store.leftovers(KINDS) == [Key("environment", NOBODY.id)]
        await one.store.report(Report(NOBODY, None, statuses=[replace(said, finalized=True)]))
        assert await one.store.leftovers(KINDS) == []


async def test_an_organization_that_is_gone_and_still_has_a_subnet_is_a_leftover(store_world: StoreWorld) -> None:
    async with store_world.leader() as one:
        await one.store.allocate_subnet(NOBODY.id, "10.64.0.0/16", 24, [], 0.0)
        assert await one.store.leftovers(KINDS) == [Key("organization", NOBODY.id)]
        await one.store.release_subnet(NOBODY.id)
        assert await one.store.leftovers(KINDS) == []


async def test_an_organization_s_environments_depend_on_it_as_long_as_they_are_there(store_world: StoreWorld) -> None:
    declare = store_world.declare
    acme = declare.organization("acme")
    web, staging = declare.environment(acme, "production"), declare.environment(acme, "staging")
    declare.environment(declare.organization("globex"), "production")
    async with store_world.process() as one:
        assert set(await one.store.dependents(acme)) == {web, staging}
        assert await one.store.dependents(web) == []
        declare.delete(web)
        assert set(await one.store.dependents(acme)) == {web, staging}
        declare.drop(web)
        assert await one.store.dependents(acme) == [staging]
        declare.drop(acme)
        assert await one.store.dependents(acme) == []
