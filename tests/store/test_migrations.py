"""Applying the migrations: on every database there is, twice, at once, and where they must not go."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path
from typing import LiteralString

import psycopg
import pytest

from controller.schema import migrate
from controller.schema.errors import (
    DatabaseTooNewError,
    EditedMigrationError,
    ForeignTablesError,
    MigrationFailedError,
    MissingPrivilegeError,
    PendingMigrationsError,
    ServerTooOldError,
)
from tests.store.conftest import Database

FIXTURES = Path(__file__).parent.parent / "fixtures"
PANELS = {"then": ["panel_2025.sql"], "today": ["panel_2025.sql", "panel_2026.sql"]}
PLAN_TABLES = set(
    """
    paas_stacks paas_buildpacks paas_stack_buildpacks paas_nodes paas_plans paas_apps paas_environments
    paas_deployments paas_containers paas_domains paas_volumes paas_addon_plans paas_addons paas_webhooks
    paas_usage paas_templates paas_releases paas_processes paas_runs caas_image_policies
    caas_registry_credentials caas_volume_snapshots caas_network_policies caas_exec_audit
    """.split()  # noqa: SIM905 - as the plan lists them
)
EVERYTHING_MADE: tuple[LiteralString, ...] = (
    """
    SELECT n.nspname, c.relname, c.relkind::text, c.relacl::text, obj_description(c.oid)
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname IN ('public', 'skypanel') ORDER BY 1, 2
    """,
    """
    SELECT tgrelid::regclass::text, tgname, pg_get_triggerdef(oid)
      FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1, 2
    """,
    """
    SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid)
      FROM pg_constraint WHERE conrelid > 0 ORDER BY 1, 2
    """,
    """
    SELECT oid::regprocedure::text, proacl::text, md5(prosrc)
      FROM pg_proc WHERE pronamespace = 'skypanel'::regnamespace ORDER BY 1
    """,
    """
    SELECT attrelid::regclass::text, attname, attacl::text
      FROM pg_attribute WHERE attacl IS NOT NULL AND attrelid > 16383 ORDER BY 1, 2
    """,
)


def panel(database: Database, age: str, role: str = "skypanel_owner") -> None:
    with database.connect("postgres") as conn:
        if conn.execute("SELECT FROM pg_available_extensions WHERE name = 'uuid-ossp'").fetchone() is not None:
            conn.execute('CREATE EXTENSION "uuid-ossp"')
        else:  # not every build of PostgreSQL has it
            conn.execute("CREATE FUNCTION uuid_generate_v4() RETURNS uuid RETURN gen_random_uuid()")
    with database.connect(role) as conn:
        for name in PANELS[age]:
            conn.execute((FIXTURES / name).read_bytes())


def made(name: str, version: int, sql: str) -> migrate.Migration:
    return migrate.Migration(version, name, sql, hashlib.sha256(sql.encode()).hexdigest())


def columns(database: Database) -> list[tuple[object, ...]]:
    return database.execute(
        "SELECT table_name, column_name, data_type, column_default FROM information_schema.columns"
        " WHERE table_schema = 'public' AND table_name !~ '^(paas|caas)_' ORDER BY 1, ordinal_position"
    )


def schema(database: Database) -> list[list[tuple[object, ...]]]:
    """Everything that the files make, in a form that can be compared."""
    return [database.execute(query) for query in EVERYTHING_MADE]


def test_an_empty_database_gets_every_table_of_the_plan(empty: Database) -> None:
    with empty.connect() as conn:
        assert migrate.apply(conn) == migrate.load()
        migrate.check(conn)
    found = {name for (name,) in empty.execute("SELECT relname FROM pg_class WHERE relkind = 'r'")}
    assert not PLAN_TABLES - found


@pytest.mark.parametrize("age", PANELS)
def test_a_database_of_the_panel_keeps_its_tables_and_rows(empty: Database, age: str) -> None:
    panel(empty, age)
    before = columns(empty)
    with empty.connect() as conn:
        migrate.apply(conn)
        migrate.check(conn)
    assert columns(empty) == before
    assert empty.execute("SELECT slug FROM organizations") == [("Old_Customer",)]
    assert empty.execute("SELECT balance::numeric(10,2)::text FROM wallets") == [("12.34",)]
    added = empty.execute(
        "SELECT tgname FROM pg_trigger WHERE tgrelid = 'organizations'::regclass AND NOT tgisinternal ORDER BY tgname"
    )
    assert added == [("skypanel_slug_changed",), ("update_organizations_updated_at",)]


@pytest.mark.parametrize("age", PANELS)
def test_the_panels_plain_statements_work_on_its_own_database(empty: Database, age: str) -> None:
    panel(empty, age)
    with empty.connect() as conn:
        migrate.apply(conn)
    run = empty.execute
    run("SET app.current_org_id = '00000000-0000-4000-8000-000000000002'", role="panel")
    run(
        "INSERT INTO paas_apps (organization_id, name, created_by) SELECT id, 'Web Shop', owner_id FROM organizations",
        role="panel",
    )
    run(
        "INSERT INTO paas_environments (app_id, name, image_ref) SELECT id, 'production', 'web:1' FROM paas_apps",
        role="panel",
    )
    run("UPDATE paas_environments SET instances = 3, updated_at = NOW()", role="panel")
    assert run("SELECT swarm_name, generation FROM paas_environments") == [
        ("old-customer-web-shop-production", 2),
    ]
    assert run("SELECT doc -> 'organization' ->> 'slug' FROM skypanel.snapshot_environment", role="controller") == [
        ("old-customer",)
    ]


def test_a_second_run_does_nothing(database: Database) -> None:
    with database.connect() as conn:
        assert migrate.apply(conn) == ()


def test_running_every_file_again_by_hand_changes_nothing(database: Database) -> None:
    before = schema(database)
    with database.connect() as conn:
        for migration in migrate.load():
            conn.execute(migration.sql.encode())
        conn.execute(migrate.grants().encode())
        migrate.apply(conn)
    assert schema(database) == before


def test_runs_at_the_same_time_take_turns(empty: Database) -> None:
    applied: list[int] = []
    failures: list[BaseException] = []

    def run() -> None:
        try:
            with empty.connect() as conn:
                applied.extend(migration.version for migration in migrate.apply(conn))
        except BaseException as error:  # noqa: BLE001 - reported below
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert sorted(applied) == [migration.version for migration in migrate.load()]


def test_a_file_that_fails_leaves_nothing_and_the_files_before_it_stay(empty: Database) -> None:
    steps = [
        made("good", 1, "CREATE TABLE public.one (a int)"),
        made("bad", 2, "CREATE TABLE public.two (a int); SELECT nonsense FROM public.one"),
    ]
    with (
        empty.connect() as conn,
        pytest.raises(MigrationFailedError, match=r"apply 0002_bad: column .nonsense."),
    ):
        migrate.apply(conn, steps)
    assert empty.one("SELECT to_regclass('one') IS NOT NULL AND to_regclass('two') IS NULL")
    with empty.connect() as conn:
        assert [str(step) for step in migrate.plan(conn, steps).pending] == ["0002_bad"]


def test_check_names_what_is_not_applied(empty: Database) -> None:
    with empty.connect() as conn, pytest.raises(PendingMigrationsError, match=r"0001_base.*skypanel migrate"):
        migrate.check(conn)


def test_a_file_that_was_edited_after_it_was_applied_is_refused(database: Database) -> None:
    database.execute("UPDATE skypanel.schema_migrations SET checksum = 'other' WHERE version = 3")
    with database.connect() as conn, pytest.raises(EditedMigrationError, match="0003_declared_tables"):
        migrate.apply(conn)


def test_a_database_that_is_newer_than_the_code_is_refused(database: Database) -> None:
    database.execute("INSERT INTO skypanel.schema_migrations (version, name, checksum) VALUES (900, 'later', 'x')")
    with database.connect() as conn, pytest.raises(DatabaseTooNewError, match="0900_later"):
        migrate.apply(conn)


def test_tables_of_another_product_under_our_names_are_refused(empty: Database) -> None:
    empty.execute("CREATE TABLE paas_addons (id int)")
    with empty.connect() as conn, pytest.raises(ForeignTablesError, match="paas_addons"):
        migrate.apply(conn)
    assert empty.one("SELECT to_regnamespace('skypanel') IS NULL")


def test_a_role_that_may_not_is_told_what_to_grant_and_that_is_enough(empty: Database) -> None:
    panel(empty, "today", role="postgres")
    with empty.connect("reader") as conn, pytest.raises(MissingPrivilegeError) as refused:
        migrate.apply(conn)
    statements = [line.strip() for line in str(refused.value).splitlines()[1:]]
    assert f'GRANT CREATE ON DATABASE "{empty.name}" TO "reader";' in statements
    assert 'GRANT REFERENCES, TRIGGER, SELECT ON "public"."organizations" TO "reader";' in statements
    with empty.connect("postgres") as conn:
        for statement in statements:
            conn.execute(statement.encode())
    with empty.connect("reader") as conn:
        migrate.apply(conn)
        migrate.check(conn)


def test_row_level_security_that_would_hide_organizations_is_refused(empty: Database) -> None:
    panel(empty, "today", role="postgres")
    with empty.connect("postgres") as conn:
        conn.execute("ALTER TABLE organizations ENABLE ROW LEVEL SECURITY")
        conn.execute("GRANT ALL ON ALL TABLES IN SCHEMA public TO skypanel_owner")
    with empty.connect() as conn, pytest.raises(MissingPrivilegeError, match="BYPASSRLS"):
        migrate.apply(conn)


def test_check_finds_row_level_security_that_came_later(empty: Database) -> None:
    panel(empty, "today", role="postgres")
    with empty.connect("postgres") as conn:
        conn.execute("GRANT ALL ON ALL TABLES IN SCHEMA public TO skypanel_owner")
    with empty.connect() as owner:
        migrate.apply(owner)
        migrate.check(owner)
        with empty.connect("postgres") as conn:
            conn.execute("ALTER TABLE organizations ENABLE ROW LEVEL SECURITY")
        with pytest.raises(MissingPrivilegeError, match="ALTER ROLE skypanel_owner BYPASSRLS"):
            migrate.check(owner)


def test_a_server_older_than_14_is_refused(empty: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psycopg.ConnectionInfo, "server_version", property(lambda _: 130012))
    with empty.connect() as conn, pytest.raises(ServerTooOldError, match="14 or newer"):
        migrate.plan(conn)


def test_a_connection_in_a_transaction_is_refused(empty: Database) -> None:
    with empty.connect() as conn, conn.transaction(), pytest.raises(ValueError, match="in a transaction"):
        migrate.plan(conn)
