"""Config vars: three layers, versions, names, whose generation they raise; data keys, and what is known of images."""

from __future__ import annotations

import threading
from typing import Any, LiteralString
from uuid import UUID

import psycopg
import pytest

from specs.snapshots import EnvironmentSnapshot
from tests.store.conftest import Database, Tenant, make_tenant

OWNERS = ("organization", "app", "environment")


@pytest.fixture
def other(database: Database, tenant: Tenant) -> UUID:
    """Another environment of the tenant's app."""
    return add_environment(database, tenant.app, "staging")


def add_environment(database: Database, app: UUID, name: str) -> UUID:
    found = database.one(
        "INSERT INTO paas_environments (app_id, name, image_ref) VALUES (%s, %s, 'web:1') RETURNING id",
        app,
        name,
        role="panel",
    )
    assert isinstance(found, UUID)
    return found


def put(database: Database, layer: str, owner: UUID, name: str, *, as_file: bool = False) -> UUID:
    """A var of that layer, as the panel writes it."""
    query = (
        f"INSERT INTO skypanel.config_vars ({layer}_id, name, ciphertext, key_id, as_file)"
        " VALUES (%s, %s, '\\x01', 'k', %s) RETURNING id"
    )
    ((found,),) = database.session("panel").execute(query.encode(), [owner, name, as_file]).fetchall()
    assert isinstance(found, UUID)
    return found


def config(database: Database, environment: UUID) -> Any:
    return database.one(
        "SELECT doc->'config' FROM skypanel.snapshot_environment WHERE id = %s", environment, role="controller"
    )


def effective(database: Database, tenant: Tenant) -> dict[str, str]:
    """Layer by name, as the reader sees it."""
    return dict(
        database.execute(
            "SELECT name, layer FROM skypanel.config_of(%s, %s, %s)",
            tenant.organization,
            tenant.app,
            tenant.environment,
            role="reader",
        )
    )


def generations(database: Database) -> dict[UUID, int]:
    return dict(database.execute("SELECT id, generation FROM paas_environments"))


def fill(database: Database, tenant: Tenant) -> dict[str, UUID]:
    owners = {"organization": tenant.organization, "app": tenant.app, "environment": tenant.environment}
    return {layer: put(database, layer, owners[layer], "A") for layer in OWNERS}


def test_the_later_layer_counts_and_what_it_hid_counts_again_without_it(database: Database, tenant: Tenant) -> None:
    rows = fill(database, tenant)
    put(database, "organization", tenant.organization, "B")
    seen = []
    for layer in reversed(OWNERS):
        assert effective(database, tenant) == {"A": layer, "B": "organization"}
        seen.append(config(database, tenant.environment)["digest"])
        database.execute("UPDATE skypanel.config_vars SET deleted_at = now() WHERE id = %s", rows[layer], role="panel")
    assert effective(database, tenant) == {"B": "organization"}
    assert len({*seen, config(database, tenant.environment)["digest"]}) == 4
    database.execute("UPDATE skypanel.config_vars SET deleted_at = NULL", role="panel")
    assert config(database, tenant.environment)["digest"] == seen[0]


def test_a_version_that_comes_again_after_a_restore_is_another_digest(database: Database, tenant: Tenant) -> None:
    """The engine may still have the secret of the first time, which has another value in it."""
    row = put(database, "environment", tenant.environment, "A")
    backup = database.execute("SELECT version, revision, ciphertext FROM skypanel.config_vars WHERE id = %s", row)[0]
    change = "UPDATE skypanel.config_vars SET ciphertext = %s WHERE id = %s"
    database.execute(change, b"two", row, role="panel")
    second = config(database, tenant.environment)["digest"]
    with database.connect() as conn:  # as a restored dump has it: no trigger
        conn.execute("ALTER TABLE skypanel.config_vars DISABLE TRIGGER USER")
        conn.execute(
            "UPDATE skypanel.config_vars SET version = %s, revision = %s, ciphertext = %s WHERE id = %s", [*backup, row]
        )
        conn.execute("ALTER TABLE skypanel.config_vars ENABLE TRIGGER USER")
    database.execute(change, b"three", row, role="panel")
    assert database.one("SELECT version FROM skypanel.config_vars WHERE id = %s", row) == 2
    assert config(database, tenant.environment)["digest"] != second


def test_the_document_says_versions_and_nothing_of_a_value(database: Database, tenant: Tenant) -> None:
    assert config(database, tenant.environment) is None
    for name in ("b", "A", "_C"):
        put(database, "environment", tenant.environment, name, as_file=name != "A")
    document = database.one(
        "SELECT doc FROM skypanel.snapshot_environment WHERE id = %s", tenant.environment, role="reader"
    )
    found = EnvironmentSnapshot.model_validate(document).config
    assert found is not None
    assert (found.variables, found.files) == (3, ("_C", "b"))
    assert document["config"].keys() == {"digest", "variables", "files"}


@pytest.mark.parametrize(
    ("change", "version", "digest"),
    [
        ("ciphertext = '\\x02'", 2, True),
        ("key_id = 'other'", 2, True),
        ("ciphertext = '\\x02', key_id = 'other'", 2, True),
        ("as_file = true", 1, True),
        ("ciphertext = '\\x01', updated_at = now()", 1, False),
    ],
)
def test_another_value_is_another_version_and_every_change_that_counts_another_digest(
    database: Database, tenant: Tenant, change: LiteralString, version: int, digest: bool
) -> None:
    put(database, "environment", tenant.environment, "A")
    before = config(database, tenant.environment)["digest"]
    database.execute("UPDATE skypanel.config_vars SET " + change, role="panel")
    assert database.one("SELECT version FROM skypanel.config_vars") == version
    assert (config(database, tenant.environment)["digest"] != before) == digest


def test_nobody_chooses_a_version_and_to_take_a_deletion_back_is_none(database: Database, tenant: Tenant) -> None:
    database.execute(
        "INSERT INTO skypanel.config_vars (environment_id, name, ciphertext, key_id, version)"
        " VALUES (%s, 'A', 'x', 'k', 9)",
        tenant.environment,
    )
    for change in ("version = 7", "deleted_at = now()", "deleted_at = NULL"):
        database.execute(b"UPDATE skypanel.config_vars SET " + change.encode())  # type: ignore[arg-type]
    assert database.one("SELECT version FROM skypanel.config_vars") == 1
    database.execute("UPDATE skypanel.config_vars SET ciphertext = 'y', version = 40")
    assert database.one("SELECT version FROM skypanel.config_vars") == 2


@pytest.mark.parametrize(
    ("columns", "constraint"),
    [
        ({"name": "PORT"}, "config_vars_name_not_reserved"),
        ({"name": "SKYPANEL_X"}, "config_vars_name_not_reserved"),
        ({"name": "1A"}, "config_vars_name_form"),
        ({"name": "A-B"}, "config_vars_name_form"),
        ({"name": "A" * 256}, "config_vars_name_form"),
        ({"name": "A\n"}, "config_vars_name_form"),
        ({"app_id": "app"}, "config_vars_one_owner"),
        ({"environment_id": None}, "config_vars_one_owner"),
        ({"ciphertext": b"x" * 262_145}, "config_vars_ciphertext_bounded"),
    ],
)
def test_what_breaks_a_rule_is_refused_by_name(
    database: Database, tenant: Tenant, columns: dict[str, Any], constraint: str
) -> None:
    row = {"environment_id": tenant.environment, "app_id": None, "name": "A", "ciphertext": b"x"} | columns
    if row["app_id"]:
        row["app_id"] = tenant.app
    with pytest.raises(psycopg.errors.CheckViolation) as refused:
        database.execute(
            "INSERT INTO skypanel.config_vars (environment_id, app_id, name, ciphertext, key_id)"
            " VALUES (%s, %s, %s, %s, 'k')",
            *row.values(),
            role="panel",
        )
    assert refused.value.diag.constraint_name == constraint
    if constraint == "config_vars_name_not_reserved":
        assert "the port of the process" in (refused.value.diag.message_hint or "")


@pytest.mark.parametrize("name", ["port", "lower_case", "A", "_", "a" * 255, "SKYPANEL", "PORTS"])
def test_a_name_is_free_in_every_owner_and_once_in_each(database: Database, tenant: Tenant, name: str) -> None:
    owners = {"organization": tenant.organization, "app": tenant.app, "environment": tenant.environment}
    for layer, owner in owners.items():
        put(database, layer, owner, name)
        with pytest.raises(psycopg.errors.UniqueViolation):
            put(database, layer, owner, name)
    database.execute("UPDATE skypanel.config_vars SET deleted_at = now()", role="panel")
    for layer, owner in owners.items():
        put(database, layer, owner, name)


CHANGES: tuple[LiteralString, ...] = (
    "UPDATE skypanel.config_vars SET ciphertext = '\\x02' WHERE id = %s",
    "UPDATE skypanel.config_vars SET as_file = true WHERE id = %s",
    "UPDATE skypanel.config_vars SET deleted_at = now() WHERE id = %s",
    "UPDATE skypanel.config_vars SET deleted_at = NULL WHERE id = %s",
    "DELETE FROM skypanel.config_vars WHERE id = %s",
)


@pytest.mark.parametrize("layer", OWNERS)
def test_a_change_is_of_exactly_the_environments_below(
    database: Database, tenant: Tenant, other: UUID, layer: str
) -> None:
    stranger = make_tenant(database, organization="globex").environment
    second = database.one(
        "INSERT INTO paas_apps (organization_id, name) VALUES (%s, 'Second') RETURNING id",
        tenant.organization,
        role="panel",
    )
    beside = add_environment(database, second, "production")
    below = {
        "organization": {tenant.environment, other, beside},
        "app": {tenant.environment, other},
        "environment": {tenant.environment},
    }[layer]
    owners = {"organization": tenant.organization, "app": tenant.app, "environment": tenant.environment}
    before = generations(database)
    database.execute("DELETE FROM skypanel.change_log", role="controller")
    row = put(database, layer, owners[layer], "A")
    for change in (None, *CHANGES):
        if change is not None:
            database.execute(change, row, role="panel")
        after = generations(database)
        assert {key for key in after if after[key] == before[key] + 1} == below, change
        assert after[stranger] == before[stranger]
        logged = database.execute("DELETE FROM skypanel.change_log RETURNING kind, id", role="controller")
        assert {id_ for _, id_ in logged} == below, "their organization has nothing to do"
        before = after


def test_what_changes_nothing_and_what_was_deleted_already_wakes_nobody(database: Database, tenant: Tenant) -> None:
    fill(database, tenant)
    before = generations(database)
    database.execute("UPDATE skypanel.config_vars SET ciphertext = '\\x01', updated_at = now()", role="panel")
    assert generations(database) == before
    database.execute("UPDATE skypanel.config_vars SET deleted_at = now()", role="panel")
    before = generations(database)
    database.execute("DELETE FROM skypanel.config_vars", role="panel")
    assert generations(database) == before


def test_config_vars_go_with_their_owner_and_come_back_with_it(database: Database, tenant: Tenant) -> None:
    """Nothing is passed on to them: what is deleted runs nothing, and their names are their owner's."""
    fill(database, tenant)
    digest = config(database, tenant.environment)["digest"]
    database.execute("UPDATE paas_organizations SET deleted_at = now()", role="panel")
    assert database.one("SELECT count(*) FROM skypanel.config_vars WHERE deleted_at IS NOT NULL") == 0
    database.execute("UPDATE paas_organizations SET deleted_at = NULL", role="panel")
    assert config(database, tenant.environment)["digest"] == digest
    database.execute(
        "INSERT INTO skypanel.data_keys (organization_id, kek_id, wrapped) VALUES (%s, '0123abcd', 'x')",
        tenant.organization,
        role="panel",
    )
    database.execute("DELETE FROM organizations", role="panel")
    assert database.one("SELECT count(*) FROM skypanel.config_vars") == 0
    assert database.one("SELECT count(*) FROM skypanel.data_keys") == 0


def test_two_layers_changed_at_once_wait_for_each_other_and_do_not_deadlock(
    database: Database, tenant: Tenant, other: UUID
) -> None:
    fill(database, tenant)
    before = generations(database)
    failed: list[psycopg.Error] = []

    def change(layer: LiteralString) -> None:
        try:
            with database.connect("panel") as conn:
                for number in range(25):
                    conn.execute(
                        "UPDATE skypanel.config_vars SET ciphertext = %s WHERE " + layer + "_id IS NOT NULL",
                        [f"{number}".encode()],
                    )
        except psycopg.Error as error:
            failed.append(error)

    writers = [threading.Thread(target=change, args=[layer]) for layer in ("organization", "app", "environment")]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert failed == []
    after = generations(database)
    assert after[tenant.environment] - before[tenant.environment] == 75
    assert after[other] - before[other] == 50


def test_an_environment_that_is_being_added_is_not_passed_over(database: Database, tenant: Tenant) -> None:
    """It waits for the var, or the var for it: one of them sees the other."""
    with database.connect("panel") as conn, conn.transaction():
        conn.execute(
            "INSERT INTO skypanel.config_vars (organization_id, name, ciphertext, key_id) VALUES (%s, 'A', 'x', 'k')",
            [tenant.organization],
        )
        with database.connect("panel") as adding:
            adding.execute("SET lock_timeout = '100ms'")
            insert: LiteralString = (
                "INSERT INTO paas_environments (app_id, name, image_ref) VALUES (%s, 'new', 'web:1')"
            )
            with pytest.raises(psycopg.errors.LockNotAvailable):
                adding.execute(insert, [tenant.app])


def test_what_is_known_of_an_image_counts_for_the_reference_that_was_looked_up(
    database: Database, tenant: Tenant
) -> None:
    def resolved() -> Any:
        return database.one("SELECT doc->'resolved' FROM skypanel.snapshot_environment", role="controller")

    before = generations(database)
    assert resolved() is None
    database.execute("DELETE FROM skypanel.change_log", role="controller")
    database.execute(
        "INSERT INTO paas_image_facts (environment_id, reference, pinned, architecture, entrypoint)"
        " VALUES (%s, 'web:1', %s, 'amd64', '[\"/run\"]')",
        tenant.environment,
        f"web@sha256:{'0' * 64}",
        role="controller",
    )
    document = database.one("SELECT doc FROM skypanel.snapshot_environment", role="controller")
    found = EnvironmentSnapshot.model_validate(document).resolved
    assert found is not None
    assert (found.reference, found.entrypoint, found.healthcheck) == ("web:1", ("/run",), None)
    assert generations(database) == before
    assert database.execute("SELECT * FROM skypanel.change_log", role="controller") == []
    database.execute("UPDATE paas_environments SET image_ref = 'web:2'", role="panel")
    assert resolved() is None


def test_what_is_set_for_one_environment_is_found_by_indexes_alone(database: Database, tenant: Tenant) -> None:
    database.execute(
        "INSERT INTO paas_environments (app_id, name, image_ref) SELECT %s, 'env-' || n, 'web:1'"
        " FROM generate_series(1, 300) AS n",
        tenant.app,
    )
    database.execute(
        "INSERT INTO skypanel.config_vars (environment_id, name, ciphertext, key_id)"
        " SELECT id, 'NAME_' || n, 'x', 'k' FROM paas_environments, generate_series(1, 10) n"
    )
    database.execute(
        "INSERT INTO paas_image_facts (environment_id, reference, pinned, architecture)"
        " SELECT id, 'web:1', 'web:1', 'amd64' FROM paas_environments"
    )
    database.execute("VACUUM ANALYZE")
    for mode in ("force_custom_plan", "force_generic_plan"):
        database.execute(b"SET plan_cache_mode = " + mode.encode())  # type: ignore[arg-type]
        plan = database.execute(
            "EXPLAIN SELECT s.doc FROM unnest(%s::uuid[]) AS k(id)"
            " LEFT JOIN LATERAL (SELECT * FROM skypanel.snapshot_environment v WHERE v.id = k.id OFFSET 0) s ON true",
            [tenant.environment],
        )
        text = "\n".join(line for (line,) in plan)
        assert "Seq Scan on config_vars" not in text, text
        assert "config_vars_name_unique" in text, text  # whether the heap is asked, too, is up to the last VACUUM
        assert "Function Scan on config_now" not in text, "it is not put into the query"
        assert "Seq Scan on paas_image_facts" not in text, text
