"""Every change of what is declared is on record: by whom, which fields, and nothing secret."""

from __future__ import annotations

import json
from typing import Any, LiteralString

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql

from tests.store.conftest import Database, Tenant

Entry = dict[str, Any]
MARK = "planted-8d1f"


def entries(database: Database) -> list[Entry]:
    """What is not read yet; the next call gives what comes after."""
    found = [entry for (entry,) in database.execute("SELECT entry FROM skypanel.audit_unsealed ORDER BY id")]
    database.execute("SELECT skypanel.seal_audit(100000)", role="controller")
    return found


ROWS: dict[str, LiteralString] = {
    "public.paas_buildpacks": "INSERT INTO paas_buildpacks (name, version, source_uri) VALUES ('b', '1', 'https://a.b/c')",
    "public.paas_stacks": "INSERT INTO paas_stacks (name, builder_image, run_image) VALUES ('s', 'b:1', 'r:1')",
    "public.paas_templates": "INSERT INTO paas_templates (name, deploy_mode, image_ref) VALUES ('t', 'image', 'w:1')",
    "public.paas_plans": "INSERT INTO paas_plans (name, cpu_limit, memory_mb) VALUES ('p', 1, 64)",
    "public.paas_organizations": "INSERT INTO paas_organizations (organization_id) VALUES (%(new_organization)s)",
    "public.paas_apps": "INSERT INTO paas_apps (organization_id, name, slug) VALUES (%(organization)s, 'A', 'a')",
    "public.paas_environments": "INSERT INTO paas_environments (app_id, name, image_ref) VALUES (%(app)s, 'e', 'w:1')",
    "public.paas_processes": "INSERT INTO paas_processes (environment_id, type) VALUES (%(environment)s, 'worker')",
    "public.paas_domains": "INSERT INTO paas_domains (environment_id, hostname) VALUES (%(environment)s, 'a.example')",
    "public.caas_registry_credentials": (
        "INSERT INTO caas_registry_credentials (organization_id, registry, username, ciphertext, key_id)"
        " VALUES (%(organization)s, 'r.example', 'u', '\\x706c616e7465642d38643166', 'panel')"
    ),
    "public.paas_runs": "INSERT INTO paas_runs (environment_id, name, command) VALUES (%(environment)s, 'r', '{ls}')",
    "public.paas_sources": (
        "INSERT INTO paas_sources (organization_id, name, repo_url) VALUES (%(organization)s, 'main', 'https://a.b/c')"
    ),
    "public.caas_image_policies": "INSERT INTO caas_image_policies (organization_id) VALUES (%(organization)s)",
    "skypanel.config_vars": (
        "INSERT INTO skypanel.config_vars (environment_id, name, ciphertext, key_id)"
        " VALUES (%(environment)s, 'TOKEN', '\\x706c616e7465642d38643166', 'k1')"
    ),
    "public.caas_network_policies": "INSERT INTO caas_network_policies (organization_id) VALUES (%(organization)s)",
}
CHANGES: dict[str, LiteralString] = {
    "public.paas_buildpacks": "UPDATE paas_buildpacks SET source_uri = 'https://a.b/d' WHERE name = 'b'",
    "public.paas_stacks": "UPDATE paas_stacks SET run_image = 'r:2' WHERE name = 's'",
    "public.paas_templates": "UPDATE paas_templates SET image_ref = 'w:2' WHERE name = 't'",
    "public.paas_plans": "UPDATE paas_plans SET memory_mb = 128 WHERE name = 'p'",
    "public.paas_organizations": (
        "UPDATE paas_organizations SET suspended = true WHERE organization_id = %(new_organization)s"
    ),
    "public.paas_apps": "UPDATE paas_apps SET name = 'B' WHERE slug = 'a'",
    "public.paas_environments": "UPDATE paas_environments SET image_ref = 'w:2' WHERE name = 'e'",
    "public.paas_processes": "UPDATE paas_processes SET instances = 2",
    "public.paas_domains": "UPDATE paas_domains SET process_type = 'api'",
    "public.caas_registry_credentials": "UPDATE caas_registry_credentials SET ciphertext = '\\x01', key_id = 'panel'",
    "public.paas_runs": "UPDATE paas_runs SET stopped = true",
    "public.paas_sources": "UPDATE paas_sources SET branch = 'next'",
    "public.caas_image_policies": "UPDATE caas_image_policies SET require_digest = true",
    "skypanel.config_vars": "UPDATE skypanel.config_vars SET ciphertext = '\\x706c616e7465642d386431663266'",
    "public.caas_network_policies": "UPDATE caas_network_policies SET default_deny = true",
}
FIELDS = {
    "public.paas_buildpacks": {"source_uri": ["https://a.b/c", "https://a.b/d"]},
    "public.paas_stacks": {"run_image": ["r:1", "r:2"]},
    "public.paas_templates": {"image_ref": ["w:1", "w:2"]},
    "public.paas_plans": {"memory_mb": [64, 128]},
    "public.paas_organizations": {"suspended": [False, True]},
    "public.paas_apps": {"name": ["A", "B"]},
    "public.paas_environments": {"image_ref": ["w:1", "w:2"]},
    "public.paas_processes": {"instances": [1, 2]},
    "public.paas_domains": {"process_type": ["web", "api"]},
    "public.caas_registry_credentials": {"ciphertext": ["***", "***"]},
    "public.paas_runs": {"stopped": [False, True]},
    "public.paas_sources": {"branch": ["main", "next"]},
    "public.caas_image_policies": {"require_digest": [False, True]},
    "skypanel.config_vars": {"ciphertext": ["***", "***"]},
    "public.caas_network_policies": {"default_deny": [False, True]},
}
PATHS = {
    "public.paas_plans": "p",
    "public.paas_organizations": "new",
    "public.paas_apps": "acme/a",
    "public.paas_environments": "acme/shop/e",
    "public.paas_processes": "acme/shop/production/worker",
    "public.paas_domains": "acme/shop/production/a.example",
    "public.caas_registry_credentials": "acme/r.example",
    "public.paas_runs": "acme/shop/production/r",
    "public.paas_sources": "acme/main",
    "skypanel.config_vars": "acme/shop/production/TOKEN",
}


@pytest.fixture
def ids(database: Database, tenant: Tenant) -> dict[str, object]:
    new = database.one(
        "INSERT INTO organizations (name, slug, owner_id) VALUES ('New', 'new', %s) RETURNING id", tenant.user
    )
    entries(database)
    return {
        "organization": tenant.organization,
        "new_organization": new,
        "app": tenant.app,
        "environment": tenant.environment,
    }


def do(database: Database, role: str, query: LiteralString, ids: dict[str, object]) -> None:
    database.session(role).execute(query, ids)


def test_whatever_is_made_changed_or_deleted_has_one_entry_with_its_fields(
    database: Database, ids: dict[str, object]
) -> None:
    for role in ("panel", "interface", "skypanel_owner"):
        for table in ROWS:
            one_entry_each(database, ids, table, role)


def one_entry_each(database: Database, ids: dict[str, object], table: str, role: str) -> None:
    bare = sql.Identifier(*table.split("."))
    do(database, role, ROWS[table], ids)
    (made,) = entries(database)
    assert (made["did"], made["table"], made["session_user"], made["actor"]) == ("created", table, role, role)
    assert made.get("path") == PATHS.get(table, made.get("path"))
    assert all(old is None and new is not None for old, new in made["changes"].values())
    do(database, role, CHANGES[table], ids)
    (changed,) = entries(database)
    assert (changed["did"], changed["id"], changed["changes"]) == ("changed", made["id"], FIELDS[table])
    key = database.one("SELECT key FROM skypanel.declared_tables WHERE name = %s", table)
    by_key = sql.SQL("DELETE FROM {} WHERE {} = %s").format(bare, sql.Identifier(key))
    database.session(role).execute(by_key, [made["id"]])
    (gone,) = entries(database)
    assert (gone["did"], gone["id"], gone.get("path")) == ("deleted", made["id"], made.get("path"))
    assert gone.get("organization") == made.get("organization")
    assert all(new is None for _, new in gone["changes"].values())
    assert MARK not in json.dumps([made, changed, gone])
    assert MARK.encode().hex() not in json.dumps([made, changed, gone])


def test_every_table_that_people_write_is_audited(database: Database) -> None:
    unseen = database.execute(
        """
        SELECT c.oid::regclass::text FROM pg_class c
         WHERE c.relkind = 'r' AND (c.relnamespace = 'skypanel'::regnamespace OR c.relname ~ '^(paas|caas)_')
           AND (has_any_column_privilege('skypanel_panel', c.oid, 'INSERT')
                OR has_any_column_privilege('skypanel_panel', c.oid, 'UPDATE')
                OR has_table_privilege('skypanel_panel', c.oid, 'DELETE'))
           AND (SELECT count(*) FROM pg_trigger t JOIN pg_proc f ON f.oid = t.tgfoid
                 WHERE t.tgrelid = c.oid AND f.proname = 'audit_change') <> 2
        """
    )
    assert unseen == []
    kinds = {name for (name,) in database.execute("SELECT table_name FROM skypanel.kinds")}
    assert kinds <= ROWS.keys(), "a new kind has a line in the tests above"


def test_secret_columns_are_the_secret_ones_of_the_table(database: Database) -> None:
    rows = database.execute(
        """
        SELECT d.name, d.secret FROM skypanel.declared_tables d
         WHERE (SELECT count(*) FROM pg_trigger t JOIN pg_proc f ON f.oid = t.tgfoid
                 WHERE t.tgrelid = d.name::regclass AND f.proname = 'audit_change'
                   AND pg_get_triggerdef(t.oid) LIKE '%' || quote_literal(d.secret::text) || ')') <> 2
        """
    )
    assert rows == []


def test_a_change_that_is_rolled_back_leaves_none(database: Database, ids: dict[str, object]) -> None:
    panel = database.session("panel")
    with panel.transaction(force_rollback=True):
        panel.execute("UPDATE paas_environments SET image_ref = 'w:9'")
    with pytest.raises(psycopg.errors.CheckViolation):
        panel.execute("UPDATE paas_environments SET instances = -1")
    assert entries(database) == []


def test_status_observed_columns_and_what_is_passed_on_leave_none(
    database: Database, tenant: Tenant, ids: dict[str, object]
) -> None:
    do(database, "panel", ROWS["public.paas_domains"], ids)
    assert [entry["kind"] for entry in entries(database)] == ["domain"], "its environment was touched by it"
    database.execute("UPDATE paas_domains SET tls_status = 'issued'", role="controller")
    database.execute("UPDATE paas_environments SET image_ref = image_ref, updated_at = now()", role="panel")
    database.execute(
        "INSERT INTO skypanel.object_status (kind, id, observed_generation, ready, reason, message, epoch)"
        " VALUES ('environment', %s, 1, true, 'Converged', '.', 1)",
        tenant.environment,
        role="controller",
    )
    assert entries(database) == []
    database.execute("UPDATE paas_plans SET memory_mb = 99", role="panel")
    assert [entry["kind"] for entry in entries(database)] == ["plan"], "its environments were touched by it"


def test_what_goes_with_its_owner_has_entries_with_their_paths(database: Database, ids: dict[str, object]) -> None:
    database.execute("UPDATE paas_apps SET deleted_at = now()", role="panel")
    assert [(e["kind"], e["path"], list(e["changes"])) for e in entries(database)] == [
        ("app", "acme/shop", ["deleted_at"]),
        ("environment", "acme/shop/production", ["deleted_at"]),
    ]
    database.execute("DELETE FROM organizations", role="panel")
    gone = {(e["kind"], e["did"], e["path"]) for e in entries(database)}
    assert gone == {
        ("organization", "deleted", "acme"),
        ("app", "deleted", "acme/shop"),
        ("environment", "deleted", "acme/shop/production"),
    }


def test_the_name_of_an_organization_is_in_the_panels_table(database: Database, ids: dict[str, object]) -> None:
    database.execute("UPDATE organizations SET slug = 'umbrella' WHERE slug = 'acme'", role="panel")
    (entry,) = entries(database)
    assert (entry["kind"], entry["changes"]) == ("organization", {"slug": ["acme", "umbrella"]})


def test_pauses_keys_and_confirmed_removals_are_changes_too(
    database: Database, tenant: Tenant, ids: dict[str, object]
) -> None:
    database.execute(
        "INSERT INTO skypanel.reconcile_controls (scope, kind, id, paused, paused_reason)"
        " VALUES ('object', 'environment', %s, true, 'a leak')",
        tenant.environment,
        role="panel",
    )
    database.execute(
        "INSERT INTO skypanel.data_keys (organization_id, kek_id, wrapped) VALUES (%s, '0123abcd', %s)",
        tenant.organization,
        MARK.encode(),
        role="panel",
    )
    database.execute(
        "INSERT INTO skypanel.fuse_losses (owner_kind, owner_id, why, objects, processes, hosts)"
        " VALUES ('environment', %s, 'deleted', 1, 1, 0)",
        tenant.environment,
        role="controller",
    )
    database.execute("UPDATE skypanel.fuse_losses SET objects = 2", role="controller")
    database.execute("UPDATE skypanel.fuse_losses SET confirmed_at = now(), confirmed_by = 'ada'", role="controller")
    paused, key, confirmed = entries(database)
    assert (paused["path"], paused["changes"]["paused_reason"]) == ("acme/shop/production", [None, "a leak"])
    assert (key["kind"], key["changes"]["wrapped"]) == ("data_keys", [None, "***"])
    assert (confirmed["path"], confirmed["changes"]["confirmed_by"]) == ("acme/shop/production", [None, "ada"])


def test_whom_a_role_says_that_it_acts_for_stands_beside_it_and_only_an_interface_is_believed(
    database: Database, ids: dict[str, object]
) -> None:
    believes = {"panel": False, "interface": True, "skypanel_owner": False}
    for role, believed in believes.items():
        session = database.session(role)
        with session.transaction():
            for name, said in (("actor", "ada"), ("means", "jwt"), ("address", "192.0.2.7"), ("request", "r-1")):
                session.execute("SELECT set_config('skypanel.' || %s, %s, true)", [name, said])
            session.execute("UPDATE paas_environments SET instances = instances + 1")
        (entry,) = entries(database)
        assert entry["said"] == {"actor": "ada", "means": "jwt", "address": "192.0.2.7", "request": "r-1"}
        assert entry["session_user"] == role
        assert entry["actor"] == ("ada" if believed else role)
        assert entry["means"] == ("jwt" if believed else "sql")
        assert entry.get("address") == ("192.0.2.7" if believed else None)
    owner = database.session("skypanel_owner")
    with owner.transaction():
        owner.execute("SET LOCAL ROLE skypanel_owner")
        owner.execute("UPDATE paas_environments SET instances = 1")
    assert entries(database)[0]["session_user"] == "skypanel_owner"


URLS = [
    "https://user:{}@git.example/x.git",
    "https://{}@git.example/x.git",
    "https://git.example/x?token={}",
    "postgresql://app:{}@db.example/app",
    "--password={}",
    "API_KEY={}",
]


def test_addresses_and_words_with_passwords_are_blanked_wherever_they_stand(
    database: Database, ids: dict[str, object]
) -> None:
    for number, url in enumerate(URLS):
        nothing_is_told(database, url.format(MARK), number)


def nothing_is_told(database: Database, secret: str, number: int) -> None:
    panel = database.session("panel")
    panel.execute("UPDATE paas_apps SET repo_url = %s", [secret])
    panel.execute("UPDATE paas_environments SET cmd = %s", [["run", secret]])
    panel.execute("UPDATE paas_plans SET description = %s", [secret])
    panel.execute(
        "INSERT INTO paas_templates (name, deploy_mode, image_ref, default_env) VALUES ('t' || %s, 'image', 'w:1', %s)",
        [number, json.dumps({"DB_PASSWORD": MARK, "URL": secret})],
    )
    with panel.transaction():
        panel.execute("SELECT set_config('skypanel.reason', %s, true)", [secret])
        panel.execute("UPDATE paas_environments SET instances = instances + 1")
        panel.execute("SELECT skypanel.record_refusal('apply', 'app', 'acme/shop', %s)", [secret])
    found = entries(database)
    assert len(found) == 6
    assert MARK not in json.dumps(found)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.recursive(
        st.one_of(st.text(), st.text().map(lambda t: f"https://u:{t}@h/?{t} password={t}"), st.none(), st.integers()),
        lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(), inner, max_size=3)),
        max_leaves=6,
    ).filter(lambda value: "\\u0000" not in json.dumps(value))
)
def test_no_value_is_so_odd_that_its_row_could_not_be_written(standing: Database, value: object) -> None:
    try:
        text = json.dumps(value, ensure_ascii=False)
        text.encode()
    except UnicodeEncodeError:
        return  # no text of a database
    shown, like = standing.execute(
        "SELECT skypanel.audited_value(j), jsonb_typeof(j) FROM (SELECT %s::jsonb AS j) v", text
    )[0]
    assert shown != "***", "it was blanked, and no document any more"
    assert like == {dict: "object", list: "array", str: "string", int: "number", type(None): "null"}[type(shown)]


def test_a_long_value_is_told_by_its_length(database: Database, ids: dict[str, object]) -> None:
    database.execute("UPDATE paas_environments SET cmd = ARRAY[repeat('x', 5000)]", role="panel")
    (entry,) = entries(database)
    old, new = entry["changes"]["cmd"]
    assert old is None
    assert new.keys() == {"length", "sha256"}


ROLES = ("panel", "controller", "reader", "scanner", "interface", "skypanel_owner")


def test_nobody_changes_the_audit_or_takes_from_it(database: Database, ids: dict[str, object]) -> None:
    database.execute("UPDATE paas_environments SET instances = 2", role="panel")
    for role in ROLES:
        for table in ("audit_log", "audit_unsealed", "audit_head"):
            if (role, table) != ("skypanel_owner", "audit_head"):  # he could as well take the triggers away
                nothing_can_be_changed(database, table, role)


def nothing_can_be_changed(database: Database, table: str, role: str) -> None:
    name = sql.Identifier("skypanel", table)
    column = sql.Identifier("position" if table != "audit_unsealed" else "entry")
    for query in ("UPDATE {} SET {} = {}", "DELETE FROM {} WHERE {} = {}", "TRUNCATE {}"):
        parts = [name, column, column][: query.count("{}")]
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            database.session(role).execute(sql.SQL(query).format(*parts))
    if role != "skypanel_owner":
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            database.session(role).execute(sql.SQL("INSERT INTO {} DEFAULT VALUES").format(name))


@pytest.mark.parametrize("role", ["panel", "reader", "scanner", "interface"])
@pytest.mark.parametrize("call", ["seal_audit(1)", "prune_audit(0, 1)", "audit_author()", "audited_value('1')"])
def test_only_the_controller_seals_and_prunes(standing: Database, role: str, call: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        standing.session(role).execute(f"SELECT skypanel.{call}".encode())


def test_who_writes_does_not_wait_for_who_seals_nor_the_other_way_round(
    database: Database, tenant: Tenant, ids: dict[str, object]
) -> None:
    """A chain needs an order, and nobody's commit waits for it."""
    with (
        database.connect("panel") as slow,
        database.connect("panel") as quick,
        database.connect("controller") as leader,
    ):
        for conn in (quick, leader):
            conn.execute("SET lock_timeout = '2s'")
        with slow.transaction():
            slow.execute("UPDATE paas_apps SET name = 'Late'")
            with leader.transaction():
                quick.execute("UPDATE paas_plans SET memory_mb = 65")
                assert leader.execute("SELECT skypanel.seal_audit(10)").fetchone() == (1,)
                quick.execute("UPDATE paas_plans SET memory_mb = 66")
            assert leader.execute("SELECT skypanel.seal_audit(10)").fetchone() == (1,)
        assert leader.execute("SELECT skypanel.seal_audit(10)").fetchone() == (1,), "it was written first"
    positions = database.execute("SELECT position, kind FROM skypanel.audit WHERE position IS NOT NULL ORDER BY 1")
    assert [kind for _, kind in positions[-3:]] == ["plan", "plan", "app"]
    assert [position for position, _ in positions] == list(range(1, len(positions) + 1))
