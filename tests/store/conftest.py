"""Fixtures of the tests on a real PostgreSQL: each test has a database of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, LiteralString
from uuid import UUID

import psycopg
import pytest

from deploy.postgres import Server, ensure

PREFIX = "test_"
_numbers = count(1)


@dataclass(frozen=True, slots=True)
class Database:
    """One database; connections are made once a role and closed with the test."""

    server: Server
    name: str
    _open: dict[str, psycopg.Connection] = field(default_factory=dict)

    def dsn(self, role: str) -> str:
        return self.server.dsn_for(role, self.name)

    def connect(self, role: str = "skypanel_owner") -> psycopg.Connection:
        """A new autocommit connection."""
        return psycopg.connect(self.dsn(role), autocommit=True)

    def session(self, role: str) -> psycopg.Connection:
        """The connection of a role that lasts as long as the test."""
        if role not in self._open:
            self._open[role] = self.connect(role)
        return self._open[role]

    def execute(self, query: LiteralString, *values: object, role: str = "skypanel_owner") -> list[tuple[Any, ...]]:
        """Runs one statement and gives its rows."""
        cursor = self.session(role).execute(query, values or None)
        return cursor.fetchall() if cursor.description else []

    def one(self, query: LiteralString, *values: object, role: str = "skypanel_owner") -> Any:
        """The only value of the only row."""
        ((value,),) = self.execute(query, *values, role=role)
        return value

    def close(self) -> None:
        for conn in self._open.values():
            conn.close()


@dataclass(frozen=True, slots=True)
class Tenant:
    """One of each, as the panel would insert them."""

    user: UUID
    organization: UUID
    plan: UUID
    app: UUID
    environment: UUID


@pytest.fixture(scope="session")
def server() -> Server:
    server = ensure("test", durable=False)
    with server.connect() as conn:
        rows = conn.execute("SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [PREFIX]).fetchall()
    for (name,) in rows:  # left behind by runs that were killed
        if not Path(f"/proc/{name.removeprefix(PREFIX).partition('_')[0]}").exists():
            server.drop_database(name)
    return server


def _name() -> str:
    return f"{PREFIX}{os.getpid()}_{next(_numbers)}"


@pytest.fixture
def database(server: Server) -> Iterator[Database]:
    """A database with all migrations."""
    database = Database(server, _name())
    server.create_database(database.name)
    yield database
    database.close()
    server.drop_database(database.name)


@pytest.fixture(scope="module")
def standing(server: Server) -> Iterator[Database]:
    """A database with one tenant (process, domain) for the tests of a module that change nothing in it."""
    database = Database(server, _name())
    server.create_database(database.name)
    environment = make_tenant(database).environment
    database.execute("INSERT INTO paas_processes (environment_id, type) VALUES (%s, 'web')", environment)
    database.execute("INSERT INTO paas_domains (environment_id, hostname) VALUES (%s, 'a.example')", environment)
    yield database
    database.close()
    server.drop_database(database.name)


@pytest.fixture
def empty(server: Server) -> Iterator[Database]:
    """A database with nothing in it."""
    database = Database(server, _name())
    server.create_empty_database(database.name)
    yield database
    database.close()
    server.drop_database(database.name)


@pytest.fixture
def tenant(database: Database) -> Tenant:
    return make_tenant(database)


def make_tenant(
    database: Database, organization: str = "acme", app: str = "shop", environment: str = "production"
) -> Tenant:
    """Inserts one of each with the panel's role."""

    def insert(query: LiteralString, *values: object) -> UUID:
        value = database.one(query, *values, role="panel")
        assert isinstance(value, UUID)
        return value

    user = insert(
        "INSERT INTO users (email, password_hash, name) VALUES (%s, 'x', 'Ops') RETURNING id",
        f"ops@{organization}.example",
    )
    org = insert(
        "INSERT INTO organizations (name, slug, owner_id) VALUES (%s, %s, %s) RETURNING id",
        organization,
        organization,
        user,
    )
    plan = insert(
        "INSERT INTO paas_plans (name, cpu_limit, memory_mb) VALUES (%s, 0.25, 64) RETURNING id",
        f"nano-{organization}",
    )
    app_id = insert(
        "INSERT INTO paas_apps (organization_id, name, slug, created_by) VALUES (%s, 'Shop', %s, %s) RETURNING id",
        org,
        app,
        user,
    )
    env = insert(
        "INSERT INTO paas_environments (app_id, name, image_ref, plan_id, port)"
        " VALUES (%s, %s, 'web:1', %s, 8080) RETURNING id",
        app_id, environment, plan,
    )  # fmt: skip
    return Tenant(user, org, plan, app_id, env)
