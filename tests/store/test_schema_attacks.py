"""What the panel's role and the owner of its tables may try: their code runs as they, and holds nothing of ours."""

from __future__ import annotations

from typing import LiteralString

import psycopg
import pytest

from controller.schema import migrate
from tests.store.conftest import Database, Tenant, make_tenant
from tests.store.test_migrations import panel

# Writes down as whom it runs; takes no part in what happens otherwise.
SPY: LiteralString = "INSERT INTO public.spied VALUES (current_user);"
POLICY: tuple[LiteralString, ...] = (
    (
        "CREATE FUNCTION public.spy() RETURNS bool LANGUAGE plpgsql AS $$"
        " BEGIN INSERT INTO public.spied VALUES (current_user); RETURN true; END $$"
    ),
    "ALTER TABLE organizations ENABLE ROW LEVEL SECURITY",
    "CREATE POLICY spying ON organizations USING (public.spy())",
)


@pytest.fixture
def theirs(empty: Database) -> Database:
    """The panel's own database: its role owns tables and trigger function; the migrations ran as another role."""
    with empty.connect("postgres") as conn:
        conn.execute("GRANT CREATE ON SCHEMA public TO panel")
    panel(empty, "then", role="panel")
    with empty.connect("panel") as conn:
        conn.execute("GRANT REFERENCES ON users TO skypanel_owner")
        conn.execute("GRANT REFERENCES, TRIGGER, SELECT ON organizations TO skypanel_owner")
        conn.execute("CREATE TABLE spied (who text)")
        conn.execute("GRANT INSERT ON spied TO PUBLIC")
    with empty.connect() as conn:
        migrate.apply(conn)
    make_tenant(empty)
    return empty


def spied(database: Database) -> set[str]:
    return {who for (who,) in database.execute("SELECT DISTINCT who FROM spied", role="panel")}


def test_a_trigger_function_that_the_panel_replaced_runs_for_its_own_tables_only(theirs: Database) -> None:
    theirs.execute(
        "CREATE OR REPLACE FUNCTION public.update_updated_at_column() RETURNS trigger LANGUAGE plpgsql AS $$"
        f" BEGIN {SPY} NEW.updated_at := now(); RETURN NEW; END $$",
        role="panel",
    )
    theirs.execute(
        "INSERT INTO paas_domains (environment_id, hostname) SELECT id, 'a.example' FROM paas_environments",
        role="panel",
    )
    theirs.execute("UPDATE paas_plans SET memory_mb = 128", role="panel")
    theirs.execute(
        "INSERT INTO skypanel.object_status (kind, id, observed_generation, ready, reason, message, epoch)"
        " VALUES ('environment', gen_random_uuid(), 1, true, 'x', 'y', 1)",
        role="controller",
    )
    theirs.execute("UPDATE skypanel.object_status SET message = 'z'", role="controller")
    assert spied(theirs) == set()
    theirs.execute("UPDATE organizations SET name = 'Acme'", role="panel")
    assert spied(theirs) == {"panel"}


def test_a_policy_on_the_panels_table_is_refused_and_not_run(theirs: Database) -> None:
    for statement in POLICY:
        theirs.execute(statement, role="panel")
    theirs.execute("ALTER TABLE organizations FORCE ROW LEVEL SECURITY", role="panel")
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level security"):
        theirs.execute("UPDATE paas_apps SET slug = 'store'", role="panel")
    assert spied(theirs) == set()


def test_a_view_under_the_name_of_the_panels_table_is_not_read(theirs: Database) -> None:
    for statement in (
        "ALTER TABLE organizations RENAME TO organizations_then",
        POLICY[0],
        "CREATE VIEW organizations AS SELECT * FROM organizations_then WHERE public.spy()",
        "GRANT SELECT ON organizations TO skypanel_owner",
        "UPDATE paas_apps SET slug = 'store'",
    ):
        theirs.execute(statement, role="panel")
    assert spied(theirs) == set()
    assert theirs.execute("SELECT swarm_name FROM paas_environments") == [("acme-store-production",)]


def test_a_column_of_another_type_on_the_panels_table_runs_no_cast(theirs: Database) -> None:
    for statement in (
        "CREATE TYPE public.trap AS (id uuid)",
        (
            "CREATE FUNCTION public.sprung(public.trap) RETURNS uuid LANGUAGE plpgsql AS $$"
            " BEGIN INSERT INTO public.spied VALUES (current_user); RETURN $1.id; END $$"
        ),
        "CREATE CAST (public.trap AS uuid) WITH FUNCTION public.sprung(public.trap) AS IMPLICIT",
        "ALTER TABLE organizations RENAME id TO id_then",
        "ALTER TABLE organizations ADD COLUMN id public.trap",
    ):
        theirs.execute(statement, role="panel")
    with pytest.raises(psycopg.errors.DatatypeMismatch, match="uuid"):
        theirs.execute("UPDATE organizations SET slug = slug || '-2'", role="panel")
    assert spied(theirs) == set()


def test_an_operator_of_the_writers_own_does_not_decide_what_a_constraint_allows(database: Database) -> None:
    tenant = make_tenant(database)
    with database.connect("postgres") as conn:  # PostgreSQL 14 lets everybody do this
        conn.execute("GRANT CREATE ON SCHEMA public TO panel")
    with database.connect("panel") as conn:
        conn.execute("CREATE FUNCTION public.yes(text, text) RETURNS bool LANGUAGE sql IMMUTABLE RETURN true")
        conn.execute("CREATE OPERATOR public.~ (LEFTARG = text, RIGHTARG = text, FUNCTION = public.yes)")
        conn.execute("SET search_path = public, pg_catalog")
        with pytest.raises(psycopg.errors.CheckViolation, match="paas_domains_hostname_form"):
            conn.execute(
                "INSERT INTO paas_domains (environment_id, hostname) VALUES (%s, %s)",
                [tenant.environment, "x`) || PathPrefix(`/"],
            )


def test_an_operator_in_public_is_not_bound_by_a_migration(empty: Database) -> None:
    with empty.connect("postgres") as conn:
        conn.execute("CREATE FUNCTION public.yes(varchar, text) RETURNS bool LANGUAGE sql IMMUTABLE RETURN true")
        conn.execute("CREATE OPERATOR public.~ (LEFTARG = varchar, RIGHTARG = text, FUNCTION = public.yes)")
    with empty.connect() as conn:
        migrate.apply(conn)
    make_tenant(empty)
    with pytest.raises(psycopg.errors.CheckViolation, match="paas_apps_name_not_empty"):
        empty.execute("INSERT INTO paas_apps (organization_id, name) SELECT id, ' ' FROM organizations")


@pytest.mark.parametrize("role", ["panel", "reader"])
def test_nobody_can_hold_the_address_plan(database: Database, role: str) -> None:
    with database.connect(role) as holding, holding.transaction():
        holding.execute("SELECT pg_advisory_xact_lock(hashtextextended('skypanel.subnets', 0))")
        with pytest.raises(psycopg.errors.InsufficientPrivilege), holding.transaction():
            holding.execute("LOCK TABLE skypanel.subnets IN SHARE MODE")
        database.execute("SET lock_timeout = '5s'", role="controller")
        query = "SELECT skypanel.allocate_subnet(gen_random_uuid(), '10.64.0.0/12', 24, '{}', '1 hour')::text"
        assert database.one(query, role="controller") == "10.64.0.0/24"


@pytest.mark.parametrize("role", ["panel", "reader"])
def test_nobody_can_hold_up_a_migration(database: Database, role: str) -> None:
    with database.connect(role) as holding, holding.transaction():
        holding.execute("SELECT pg_advisory_xact_lock(hashtextextended('skypanel.migrate', 0))")
        holding.execute("SELECT FROM skypanel.schema_migrations")
        with database.connect() as conn:
            conn.execute("SET lock_timeout = '5s'")
            assert migrate.apply(conn) == ()


@pytest.mark.parametrize("table", ["paas_environments", "paas_organizations"])
def test_the_panel_cannot_write_the_version_of_the_inputs(database: Database, tenant: Tenant, table: str) -> None:
    for write in ("UPDATE {} SET inputs_version = 9223372036854775807", "INSERT INTO {} (inputs_version) VALUES (1)"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            database.session("panel").execute(write.format(table).encode())


@pytest.mark.parametrize(
    "change",
    [
        "INSERT INTO paas_processes (environment_id, type) SELECT id, 'worker' FROM paas_environments",
        "UPDATE paas_plans SET memory_mb = 128",
        "UPDATE paas_apps SET suspended = true",
        "UPDATE paas_organizations SET suspended = true",
        "UPDATE organizations SET slug = 'acme-inc'",
    ],
)
def test_a_version_of_the_inputs_at_its_end_stops_no_change(
    database: Database, tenant: Tenant, change: LiteralString
) -> None:
    database.execute("UPDATE paas_environments SET inputs_version = 9223372036854775807")
    database.execute("UPDATE paas_organizations SET inputs_version = 9223372036854775807")
    before = database.one("SELECT generation FROM paas_environments")
    database.execute(change, role="panel")
    assert database.one("SELECT generation FROM paas_environments") > before


def test_the_key_of_a_row_cannot_be_changed(database: Database, tenant: Tenant) -> None:
    for query in (
        "UPDATE paas_environments SET id = gen_random_uuid()",
        "UPDATE paas_organizations SET organization_id = gen_random_uuid()",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            database.execute(query, role="panel")


@pytest.mark.parametrize("role", ["panel", "reader"])
@pytest.mark.parametrize(
    "query",
    [
        "SELECT ciphertext FROM skypanel.config_vars",
        "SELECT secret FROM paas_webhooks",
        "SELECT secret_ref FROM caas_registry_credentials",
        "SELECT ciphertext FROM paas_sources",
        "SELECT identities FROM paas_sources",
    ],
)
def test_only_the_controller_reads_a_secret(standing: Database, role: str, query: LiteralString) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        standing.execute(query, role=role)
    standing.execute(query, role="controller")


def test_the_panel_can_replace_a_secret_that_it_cannot_read(database: Database, tenant: Tenant) -> None:
    for secret in ("one", "two"):
        database.execute(
            "INSERT INTO paas_webhooks (app_id, provider, repo, branch, secret, secret_key_id)"
            " VALUES (%s, 'github', 'acme/shop', 'main', %s, 'k1') ON CONFLICT (app_id, provider, repo, branch)"
            " DO UPDATE SET secret = %s", # not excluded.secret: that would be reading it
            tenant.app, secret.encode(), secret.encode(), role="panel",
        )  # fmt: skip
    assert database.execute("SELECT secret FROM paas_webhooks", role="controller") == [(b"two",)]
