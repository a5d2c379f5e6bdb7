"""Each role can do what it needs, and no more."""

from __future__ import annotations

from pathlib import Path
from typing import LiteralString

import psycopg
import pytest

from tests.store.conftest import Database, Tenant

INSERT_VAR: LiteralString = (
    "INSERT INTO skypanel.config_vars (environment_id, name, ciphertext, key_id)"
    " SELECT id, 'TOKEN', '\\x0102', 'k1' FROM paas_environments"
)


@pytest.mark.parametrize(
    ("role", "query"),
    [
        ("panel", "UPDATE paas_domains SET tls_status = 'issued'"),
        ("panel", "UPDATE paas_environments SET swarm_name = 'x'"),
        ("panel", "UPDATE paas_environments SET generation = 1"),
        ("panel", "UPDATE skypanel.object_status SET ready = true"),
        ("panel", "DELETE FROM skypanel.change_log"),
        ("panel", "SELECT * FROM skypanel.inventory"),
        ("panel", "UPDATE paas_releases SET is_primary = true"),
        ("panel", "INSERT INTO caas_exec_audit DEFAULT VALUES"),
        ("panel", "SELECT ciphertext FROM skypanel.config_vars"),
        ("panel", "UPDATE skypanel.config_vars SET version = 7"),
        ("panel", "DELETE FROM skypanel.data_keys"),
        ("panel", "UPDATE skypanel.data_keys SET organization_id = gen_random_uuid()"),
        ("panel", "UPDATE paas_image_facts SET pinned = 'evil:1'"),
        ("panel", "SELECT password_hash FROM users"),
        ("panel", "CREATE TABLE skypanel.mine (a int)"),
        ("panel", "SELECT skypanel.allocate_subnet(gen_random_uuid(), '10.0.0.0/8', 24, '{}', '1 hour')"),
        ("controller", "UPDATE paas_environments SET image_ref = 'evil:1'"),
        ("controller", "UPDATE paas_domains SET hostname = 'evil.example'"),
        ("controller", "DELETE FROM paas_environments"),
        ("controller", "INSERT INTO paas_plans (name, cpu_limit, memory_mb) VALUES ('free', 9, 999)"),
        ("controller", "UPDATE organizations SET name = 'x'"),
        ("controller", "SELECT email FROM users"),
        ("controller", "UPDATE skypanel.config_vars SET ciphertext = '\\x00'"),
        ("controller", "UPDATE skypanel.data_keys SET wrapped = '\\x00'"),
        ("controller", "UPDATE paas_releases SET image_ref = 'evil:1'"),
        ("controller", "DELETE FROM caas_exec_audit"),
        ("controller", "UPDATE skypanel.schema_migrations SET checksum = ''"),
        ("reader", "SELECT ciphertext FROM skypanel.config_vars"),
        ("reader", "SELECT * FROM skypanel.config_vars"),
        ("reader", "SELECT wrapped FROM skypanel.data_keys"),
        ("reader", "SELECT password_hash FROM users"),
        ("reader", "SELECT reset_token FROM users"),
        ("reader", "SELECT secret FROM paas_webhooks"),
        ("reader", "SELECT secret_ref FROM caas_registry_credentials"),
        ("reader", "SELECT ciphertext FROM paas_sources"),
        ("panel", "SELECT identities FROM paas_sources"),
        ("reader", "UPDATE paas_apps SET suspended = true"),
        ("reader", "DELETE FROM skypanel.events"),
    ],
)
def test_a_role_may_not(standing: Database, role: str, query: LiteralString) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        standing.execute(query, role=role)


def test_the_panel_writes_config_vars_that_only_the_controller_can_read(database: Database, tenant: Tenant) -> None:
    database.execute(INSERT_VAR, role="panel")
    database.execute(
        INSERT_VAR + " ON CONFLICT (environment_id, name) WHERE deleted_at IS NULL"
        " DO UPDATE SET ciphertext = '\\x03', key_id = 'k2'",
        role="panel",
    )
    assert database.execute("SELECT name, version FROM skypanel.config_vars", role="reader") == [("TOKEN", 2)]
    assert database.execute("SELECT ciphertext, key_id FROM skypanel.config_vars", role="controller") == [
        (b"\x03", "k2")
    ]


def test_the_reader_reads_every_column_that_is_not_secret(database: Database, tenant: Tenant) -> None:
    unreadable = database.execute(
        """
        SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
         WHERE c.relnamespace IN ('public'::regnamespace, 'skypanel'::regnamespace)
           AND c.relkind IN ('r', 'v') AND c.relname <> 'users'
           AND NOT has_column_privilege('reader', c.oid, a.attnum, 'SELECT')
         ORDER BY 1, 2
        """
    )
    assert unreadable == [
        ("api_idempotency", "body"),
        ("api_idempotency", "headers"),
        ("api_idempotency", "id"),
        ("api_idempotency", "request"),
        ("api_sessions", "claims"),
        ("api_sessions", "hash"),
        ("api_sessions", "token_hash"),
        ("api_tokens", "hash"),
        ("api_tokens", "previous_hash"),
        ("caas_registry_credentials", "ciphertext"),
        ("caas_registry_credentials", "secret_ref"),
        ("config_history", "ciphertext"),
        ("config_vars", "ciphertext"),
        ("data_keys", "wrapped"),
        ("memberships", "membership"),
        ("memberships", "organization_id"),
        ("memberships", "user_id"),
        ("owners", "id"),
        ("owners", "owner_id"),
        ("owners", "slug"),
        ("paas_sources", "ciphertext"),
        ("paas_sources", "identities"),
        ("paas_webhooks", "secret"),
        ("people", "id"),
        ("people", "person"),
        ("source_forges", "ciphertext"),
        ("source_hooks", "ciphertext"),
    ]
    assert database.execute("SELECT email FROM users", role="reader") == [("ops@acme.example",)]


def test_the_controller_writes_its_own_state(database: Database, tenant: Tenant) -> None:
    run = database.execute
    run(
        "INSERT INTO skypanel.lease (name, holder, epoch, expires_at) VALUES ('leader', 'a', 1, now())",
        role="controller",
    )
    run("SELECT 1 FROM skypanel.lease FOR KEY SHARE", role="controller")
    run(
        "INSERT INTO skypanel.inventory (object_type, name, owner_kind, owner_id, state, epoch)"
        " VALUES ('service', 'x', 'environment', %s, 'applying', 1)",
        tenant.environment,
        role="controller",
    )
    run(
        "INSERT INTO skypanel.object_status (kind, id, observed_generation, ready, reason, message, epoch)"
        " VALUES ('environment', %s, 1, true, 'Converged', 'All replicas run.', 1)",
        tenant.environment,
        role="controller",
    )
    run(
        "INSERT INTO skypanel.events (kind, object_id, type, reason, message)"
        " VALUES ('environment', %s, 'Normal', 'Created', 'Made service x.')",
        tenant.environment,
        role="controller",
    )
    run("INSERT INTO skypanel.fuse DEFAULT VALUES", role="controller")
    run("LISTEN skypanel_changes", role="controller")
    assert run("SELECT reason FROM skypanel.object_status", role="panel") == [("Converged",)]
    assert run("SELECT reason FROM skypanel.events", role="panel") == [("Created",)]


def test_functions_with_the_owners_rights_have_a_fixed_search_path(database: Database) -> None:
    loose = database.execute(
        "SELECT proname FROM pg_proc WHERE pronamespace = 'skypanel'::regnamespace AND prosecdef"
        " AND (proconfig IS NULL OR NOT 'search_path=pg_catalog, pg_temp' = ANY (proconfig)"
        "      OR has_function_privilege('public', oid, 'EXECUTE'))"
    )
    assert loose == []


def test_tables_and_status_columns_are_explained_and_foreign_keys_indexed(database: Database) -> None:
    bare = database.execute(
        "SELECT oid::regclass::text FROM pg_class"
        " WHERE relkind IN ('r', 'v') AND obj_description(oid) IS NULL"
        " AND (relnamespace = 'skypanel'::regnamespace OR relname ~ '^(paas|caas)_' )"
    )
    assert bare == []
    unsaid = database.execute(
        "SELECT attrelid::regclass::text, attname FROM pg_attribute"
        " WHERE has_column_privilege('skypanel_controller', attrelid, attnum, 'UPDATE')"
        " AND attrelid::regclass::text ~ '^(paas|caas)_' AND attnum > 0"
        " AND NOT coalesce(obj_description(attrelid), '') LIKE 'status:%%'"
        " AND NOT coalesce(col_description(attrelid, attnum), '') LIKE 'status%%'"
    )
    assert unsaid == []
    slow = database.execute(
        "SELECT conrelid::regclass::text, conname FROM pg_constraint c WHERE contype = 'f'"
        " AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.conrelid AND i.indkey[0] = c.conkey[1])"
    )
    assert slow == []


def test_the_reference_lists_every_table(database: Database) -> None:
    reference = (Path(__file__).parent.parent.parent / "docs/reference/schema.md").read_text()
    tables = database.execute(
        "SELECT relname FROM pg_class WHERE relkind IN ('r', 'v')"
        " AND (relnamespace = 'skypanel'::regnamespace OR relname ~ '^(paas|caas)_')"
    )
    assert [name for (name,) in tables if f"`{name}`" not in reference and f".{name}`" not in reference] == []
