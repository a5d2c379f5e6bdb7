"""A dump restored where the groups do not exist, and migrating without the right to make roles."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from controller.schema import migrate
from controller.schema.errors import MissingPrivilegeError
from deploy.postgres import Server
from deploy.postgres.binaries import find_bindir
from deploy.postgres.server import DATABASE, OWNER, named
from tests.store.conftest import Database, Tenant
from tests.store.test_schema_walk import RIGHTS, rights


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Another server, with the owner's role and an empty database, and no group of ours."""
    with tempfile.TemporaryDirectory(prefix="skypanel-") as lab:
        Path(lab).chmod(0o711)
        monkeypatch.setenv("SKYPANEL_LAB", lab)
        server = named("restored", durable=False)
        server.cluster.folder.mkdir(mode=0o755)
        server.cluster.initialise()
        server.start()
        with server.connect() as conn:
            conn.execute("CREATE ROLE skypanel_owner LOGIN")
        server.create_empty_database(DATABASE)
        yield server
        server.destroy()


def test_a_dump_restored_without_the_groups_gets_every_right_again(
    database: Database, tenant: Tenant, bare: Server, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    dump = tmp_path / "dump"
    tool = find_bindir()
    subprocess.run(
        [tool / "pg_dump", "-Fc", "-f", dump, "-d", database.dsn("postgres")],
        check=True,
        capture_output=True,
    )
    restored = subprocess.run(
        [tool / "pg_restore", "-d", bare.dsn_for("postgres"), dump], check=False, capture_output=True, text=True
    )
    complaints = [line for line in restored.stderr.splitlines() if "error:" in line]
    assert complaints
    assert all("does not exist" in line and "role" in line for line in complaints)

    copy = Database(bare, DATABASE)
    request.addfinalizer(copy.close)
    assert copy.execute("SELECT id FROM paas_environments") == [(tenant.environment,)]
    with copy.connect() as owner:
        with pytest.raises(MissingPrivilegeError, match="run `skypanel migrate`"):
            migrate.check(owner)
        with pytest.raises(MissingPrivilegeError, match="CREATE ROLE") as refused:
            migrate.apply(owner)
        statements = [line.strip() for line in str(refused.value).splitlines()[1:]]
        with copy.connect("postgres") as superuser:
            for statement in statements:
                superuser.execute(statement.encode())
        assert migrate.apply(owner) == ()
        migrate.check(owner)
    assert rights(copy) == RIGHTS.read_text(encoding="utf-8").splitlines()


def test_rights_that_were_taken_are_given_again_and_others_are_taken(database: Database) -> None:
    listed = rights(database)
    with database.connect("postgres") as conn:
        conn.execute("REVOKE ALL ON ALL TABLES IN SCHEMA public, skypanel FROM skypanel_controller, skypanel_panel")
        conn.execute("GRANT SELECT ON skypanel.config_vars, paas_webhooks TO skypanel_panel, PUBLIC")
    assert rights(database) != listed
    with database.connect() as conn:
        assert migrate.apply(conn) == ()
    assert rights(database) == listed


@pytest.fixture
def migrator(server: Server, empty: Database) -> Iterator[str]:
    """A role that may make no roles, and owns the database."""
    name = f"{empty.name}_owner"
    with server.connect() as conn:
        conn.execute(f"CREATE ROLE {name} LOGIN NOCREATEROLE".encode())
        conn.execute(f"ALTER DATABASE {empty.name} OWNER TO {name}".encode())
    yield name
    with empty.connect("postgres") as conn:
        conn.execute(f"DROP OWNED BY {name} CASCADE".encode())
        conn.execute(f"ALTER DATABASE {empty.name} OWNER TO {OWNER}".encode())
        conn.execute(f"DROP ROLE {name}".encode())


def test_a_role_that_may_make_no_roles_migrates_when_the_groups_are_there(empty: Database, migrator: str) -> None:
    with psycopg.connect(empty.dsn(migrator), autocommit=True) as conn:
        first, rest = migrate.load()[:1], migrate.load()[1:]
        assert migrate.apply(conn, first) == first
        assert migrate.apply(conn) == rest
        migrate.check(conn)
