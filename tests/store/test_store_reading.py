"""What the engine asks of the store: one consistent look at an object, the change log, what depends on what."""

from __future__ import annotations

from uuid import UUID, uuid4

import anyio
import pytest

from controller.records import Changed, Intent, InventoryRow, InventoryUpdate, Key, Report
from controller.store import store as module
from controller.store.database import Database as Connections
from reconcilers.conditions import Status, ready
from reconcilers.outcomes import FencedError
from specs.snapshots import EnvironmentSnapshot, OrganizationSnapshot
from tests.store.conftest import Database, Tenant, make_tenant
from tests.store.leading import Process, leader, process, run_out

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def key(kind: str, object_id: UUID) -> Key:
    return Key(kind, str(object_id))


async def taken(one: Process) -> dict[Key, bool]:
    """What comes off the change log: key -> whether it only depends on what changed."""
    changes, more = await one.store.consume()
    assert not more
    return {change.key: change.dependent for change in changes}


# -- load ------------------------------------------------------------------------------------------------------------


async def test_a_load_gives_a_document_that_the_models_take(database: Database, tenant: Tenant) -> None:
    async with leader(database) as one:
        home = await one.store.load(key("organization", tenant.organization))
        loaded = await one.store.load(key("environment", tenant.environment))
    assert OrganizationSnapshot.model_validate(home.document).slug == "acme"
    assert EnvironmentSnapshot.model_validate(loaded.document).swarm_name == "acme-shop-production"
    assert loaded.organization_id == home.organization_id == str(tenant.organization)
    assert (loaded.generation, loaded.deleted, loaded.inventory, loaded.status) == (1, False, (), None)


async def test_many_loads_at_once_are_few_statements_and_each_gets_its_own(
    database: Database, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    statements = []
    fetch = Connections.fetch

    async def counted(self: Connections, *arguments: object, **options: object) -> object:
        statements.append(arguments)
        return await fetch(self, *arguments, **options)  # type: ignore[arg-type] # handed on as it came

    names = [f"e{number}" for number in range(30)]
    ids = {
        name: database.one(
            "INSERT INTO paas_environments (app_id, name, image_ref) VALUES (%s, %s, 'web:1') RETURNING id",
            tenant.app,
            name,
        )
        for name in names
    }
    found: dict[str, object] = {}

    async def load(one: Process, name: str) -> None:
        loaded = await one.store.load(key("environment", ids[name]))
        found[name] = (loaded.document or {})["name"]

    async with leader(database) as one:
        monkeypatch.setattr(Connections, "fetch", counted)
        async with anyio.create_task_group() as tasks:
            for name in names:
                tasks.start_soon(load, one, name)
    assert found == {name: name for name in names}
    assert len(statements) == 2


async def test_a_row_that_is_gone_is_loaded_as_gone_with_what_was_made_and_said_of_it(
    database: Database, tenant: Tenant
) -> None:
    gone = key("environment", tenant.environment)
    async with leader(database) as one:
        await one.store.announce(
            gone, str(tenant.organization), [Intent("service", "acme-shop-production-web", "applying")]
        )
        status = Status(*gone, str(tenant.organization), 1, ready("Deployed", "1 task runs"), {"image": "web:1"})
        await one.store.report(Report(gone, str(tenant.organization), statuses=[status]))
        database.execute("DELETE FROM paas_apps")
        loaded = await one.store.load(gone)
    assert loaded.document is None
    assert loaded.inventory == (InventoryRow("service", "acme-shop-production-web"),)
    assert loaded.organization_id == str(tenant.organization), "the status remembers it"
    assert loaded.status is not None
    assert loaded.status["details"] == {"image": "web:1"}
    assert (loaded.status["observed_generation"], loaded.status["finalized"]) == (1, False)


async def test_what_nobody_ever_heard_of_is_loaded_as_nothing(database: Database) -> None:
    async with leader(database) as one:
        loaded = await one.store.load(key("environment", uuid4()))
    assert (loaded.document, loaded.organization_id, loaded.generation, loaded.inventory) == (None, None, 0, ())


async def test_a_soft_deleted_parent_makes_the_object_deleted(database: Database, tenant: Tenant) -> None:
    database.execute("UPDATE paas_apps SET deleted_at = now() WHERE id = %s", tenant.app)
    async with leader(database) as one:
        loaded = await one.store.load(key("environment", tenant.environment))
    assert loaded.deleted
    assert loaded.document is not None


async def test_inventory_comes_back_as_it_was_learned(database: Database, tenant: Tenant) -> None:
    mine = key("environment", tenant.environment)
    good = {"Name": "a", "Labels": {"empty": ""}, "TaskTemplate": {"Networks": [{"Target": "org-acme"}]}}
    update = InventoryUpdate("service", "a", engine_id="e1", spec_hash="h1", failed_hash="h0", last_good=good)
    async with leader(database) as one:
        await one.store.report(Report(mine, None, inventory=[update]))
        (row,) = (await one.store.load(mine)).inventory
    assert row == InventoryRow("service", "a", "e1", "h1", "h0", good, "present")


# -- index, leftovers, dependents ------------------------------------------------------------------------------------


async def test_the_index_lists_every_object_and_whether_its_status_is_of_this_generation(
    database: Database, tenant: Tenant
) -> None:
    mine = key("environment", tenant.environment)
    async with leader(database) as one:

        async def entry() -> tuple[int, bool, bool, bool]:
            found = {e.key: (e.generation, e.deleted, ready_, done) for e, ready_, done in await one.store.index()}
            assert set(found) == {mine, key("organization", tenant.organization)}
            return found[mine]

        assert await entry() == (1, False, False, False)
        status = Status(*mine, str(tenant.organization), 1, ready("Deployed", "runs"), {})
        await one.store.report(Report(mine, None, statuses=[status]))
        assert await entry() == (1, False, True, False)
        database.execute("UPDATE paas_environments SET instances = 2 WHERE id = %s", tenant.environment)
        assert await entry() == (2, False, False, False)
        database.execute("UPDATE paas_environments SET deleted_at = now() WHERE id = %s", tenant.environment)
        done = Status(*mine, str(tenant.organization), 3, status.conditions, {}, finalized=True)
        await one.store.report(Report(mine, None, statuses=[done]))
        assert (await entry())[1:] == (True, True, True)


async def test_owners_in_the_inventory_whose_rows_are_gone_are_leftovers(database: Database, tenant: Tenant) -> None:
    here, gone = key("environment", tenant.environment), key("environment", uuid4())
    async with leader(database) as one:
        for owner in (here, gone):
            await one.store.announce(owner, None, [Intent("service", f"{owner.id}-web", "applying")])
            await one.store.announce(owner, None, [Intent("service", f"{owner.id}-clock", "applying")])
        assert await one.store.leftovers() == [gone]


async def test_an_organization_s_environments_depend_on_it(database: Database, tenant: Tenant) -> None:
    other = make_tenant(database, "globex")
    async with leader(database) as one:
        found = await one.store.dependents(key("organization", tenant.organization))
        assert found == [key("environment", tenant.environment)]
        assert await one.store.dependents(key("environment", other.environment)) == []


# -- the change log --------------------------------------------------------------------------------------------------


async def test_changes_come_off_the_log_once_with_those_that_depend_on_them(database: Database, tenant: Tenant) -> None:
    async with leader(database) as one:
        await one.store.consume()
        database.execute("UPDATE paas_organizations SET network_prefix = 25")
        assert await taken(one) == {
            key("organization", tenant.organization): False,
            key("environment", tenant.environment): True,
        }
        assert await taken(one) == {}


async def test_a_hard_delete_comes_off_the_log(database: Database, tenant: Tenant) -> None:
    async with leader(database) as one:
        await one.store.consume()
        database.execute("DELETE FROM paas_environments WHERE id = %s", tenant.environment)
        assert key("environment", tenant.environment) in await taken(one)


async def test_only_the_leader_takes_changes(database: Database, tenant: Tenant) -> None:
    async with process(database) as standby:
        assert await taken(standby) == {}
    async with leader(database) as one:
        run_out(database)
        assert await taken(one) == {}, "its lease has run out"
        assert await one.lease.acquire()
        assert key("environment", tenant.environment) in await taken(one)


async def test_a_transaction_that_began_earlier_and_commits_later_is_not_skipped(
    database: Database, tenant: Tenant
) -> None:
    slow_one, fast_one = (
        database.one(
            "INSERT INTO paas_environments (app_id, name, image_ref) VALUES (%s, %s, 'web:1') RETURNING id",
            tenant.app,
            name,
        )
        for name in ("slow", "fast")
    )
    async with leader(database) as one:
        await one.store.consume()
        with database.connect("panel") as slow:
            slow.execute("BEGIN")
            slow.execute("UPDATE paas_environments SET instances = 5 WHERE id = %s", [slow_one])
            database.execute("UPDATE paas_environments SET instances = 5 WHERE id = %s", fast_one)
            with anyio.fail_after(5):
                assert key("environment", fast_one) in await taken(one), "it does not wait for the slow one"
            slow.execute("COMMIT")
        assert set(await taken(one)) == {key("environment", slow_one)}


async def test_a_change_that_is_rolled_back_never_was(database: Database, tenant: Tenant) -> None:
    async with leader(database) as one:
        await one.store.consume()
        with database.connect("panel") as panel:
            panel.execute("BEGIN")
            panel.execute("UPDATE paas_environments SET instances = 5")
            panel.execute("ROLLBACK")
        assert await taken(one) == {}


async def test_a_long_log_is_taken_in_pieces(
    database: Database, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CONSUME_LIMIT", 3)
    async with leader(database) as one:
        for number in range(10):
            database.execute(
                "INSERT INTO skypanel.change_log (kind, id, op) VALUES ('environment', %s, 'U')", UUID(int=number)
            )
        seen: set[Key] = set()
        more, rounds = True, 0
        while more:
            changes, more = await one.store.consume()
            seen |= {change.key for change in changes}
            rounds += 1
            assert rounds < 50
    assert {key("environment", UUID(int=number)) for number in range(10)} <= seen
    assert rounds > 3
    assert database.one("SELECT count(*) FROM skypanel.change_log") == 0


async def test_many_changes_of_one_object_do_not_hide_that_more_is_there(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CONSUME_LIMIT", 3)
    logged = "INSERT INTO skypanel.change_log (kind, id, op) VALUES ('environment', %s, 'U')"
    async with leader(database) as one:
        for number in (1, 1, 1, 2):
            database.execute(logged, UUID(int=number))
        assert await one.store.consume() == ([Changed(key("environment", UUID(int=1)), None, dependent=False)], True)
        assert await one.store.consume() == ([Changed(key("environment", UUID(int=2)), None, dependent=False)], False)


async def test_a_change_says_whose_it_is_for_itself_and_for_what_depends_on_it(
    database: Database, tenant: Tenant
) -> None:
    async with leader(database) as one:
        await one.store.consume()
        database.execute("UPDATE paas_organizations SET network_prefix = 25")
        changes, _ = await one.store.consume()
    assert {change.key.kind for change in changes} == {"organization", "environment"}
    assert {change.organization_id for change in changes} == {str(tenant.organization)}


# -- the fuse --------------------------------------------------------------------------------------------------------


async def test_unwanted_are_owners_that_are_gone_or_to_be_deleted(database: Database, tenant: Tenant) -> None:
    deleted, gone = make_tenant(database, "globex").environment, uuid4()
    database.execute("UPDATE paas_environments SET deleted_at = now() WHERE id = %s", deleted)
    owners = [key("environment", i) for i in (tenant.environment, deleted, gone)]
    owners.append(key("organization", tenant.organization))
    async with leader(database) as one:
        assert await one.store.unwanted(owners) == {owners[1]: False, owners[2]: True}


async def test_a_tripped_fuse_waits_for_the_confirmation_of_exactly_what_was_shown(database: Database) -> None:
    first, second = key("environment", UUID(int=1)), key("environment", UUID(int=2))
    confirm = "UPDATE skypanel.fuse SET confirmed_at = now()"
    async with leader(database) as one:
        assert await one.store.confirmed_removals() is None
        await one.store.trip_fuse([first, second], 2, 2)
        assert await one.store.confirmed_removals() == set()
        database.execute(confirm)
        assert await one.store.confirmed_removals() == {first, second}
        await one.store.trip_fuse([second], 1, 1)
        assert await one.store.confirmed_removals() == {first, second}, "a part of it needs no new confirmation"
        await one.store.trip_fuse([second, key("environment", UUID(int=3))], 2, 2)
        assert await one.store.confirmed_removals() == set(), "something new does"
        await one.store.clear_fuse()
        assert await one.store.confirmed_removals() is None


async def test_a_fuse_that_trips_again_tells_since_when(database: Database) -> None:
    async with leader(database) as one:
        await one.store.trip_fuse([key("environment", UUID(int=1))], 1, 1)
        since = database.one("SELECT tripped_at FROM skypanel.fuse")
        await one.store.trip_fuse([key("environment", UUID(int=2))], 1, 1)
        assert database.execute("SELECT tripped_at, doomed FROM skypanel.fuse") == [
            (since, [f"environment/{UUID(int=2)}"])
        ]


async def test_a_process_that_does_not_lead_touches_no_fuse(database: Database) -> None:
    async with leader(database) as one:
        await one.store.trip_fuse([key("environment", UUID(int=1))], 1, 1)
        run_out(database)
        with pytest.raises(FencedError):
            await one.store.clear_fuse()
        with pytest.raises(FencedError):
            await one.store.trip_fuse([key("environment", UUID(int=2))], 1, 1)
    assert database.one("SELECT doomed FROM skypanel.fuse") == [f"environment/{UUID(int=1)}"]
