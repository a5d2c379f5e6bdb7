"""Makes what an installation needs on a PostgreSQL server: roles, a database, its schema. A superuser lets it.

Every step looks first and makes only what is not there, so it can be run again after a crash, and for an upgrade. A
password is made here, goes to the server as a SCRAM verifier only, and is given back to be written into a file.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from psycopg import sql

from controller.schema import migrate, privileges
from controller.schema.errors import MissingPrivilegeError

OWNER = "skypanel_owner"


@dataclass(frozen=True, slots=True)
class Login:
    """A role that somebody logs in as, and the groups whose rights it has."""

    name: str
    groups: tuple[str, ...]


def controller_of(database: str) -> Login:
    """The login of the controller. Roles belong to the whole server: each database has logins of its own."""
    return Login(f"{database}_controller_login", ("skypanel_controller",))


def people_of(database: str) -> Login:
    """The login of the command line and of a panel."""
    return Login(f"{database}_panel_login", ("skypanel_panel", "skypanel_reader"))


def api_of(database: str) -> Login:
    """The login of the HTTP API, which is no group's but that of tenants."""
    return Login(f"{database}_api_login", ("skypanel_api",))


@dataclass(slots=True)
class Steps:
    """What is made, as it is made.

    Args:
        say: told each step, in the past tense.
        dry: nothing is made.
    """

    say: Callable[[str], None]
    dry: bool = False

    def run(self, conn: psycopg.Connection, statement: sql.Composed, said: str) -> None:
        """One statement, and what it did."""
        if not self.dry:
            conn.execute(statement)
        self.say(f"would have {said}" if self.dry else said)


def server(admin: psycopg.Connection, database: str, steps: Steps) -> None:
    """The groups, the owner of the schema, and the database.

    Args:
        admin: an autocommit connection of a superuser, to any database.
        database: its name.
        steps: told what is made.

    Raises:
        MissingPrivilegeError: that is no superuser.
    """
    if not _one(admin, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user"):
        raise MissingPrivilegeError(
            f"setup needs a superuser of PostgreSQL, and {admin.info.user} is none: name one with --admin,"
            " or run the statements of docs/reference/schema.md, Roles"
        )
    for group in privileges.GROUPS:
        _role(admin, group, sql.SQL("NOLOGIN"), steps)
    _role(admin, OWNER, sql.SQL("NOLOGIN"), steps)
    if not _one(admin, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = %s)", database):
        made = sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(database), sql.Identifier(OWNER))
        steps.run(admin, made, f"made database {database}")


def schema(admin: psycopg.Connection, steps: Steps) -> None:
    """The schema of this version, owned by ``OWNER``, with the rights that it needs on a panel's tables.

    Args:
        admin: an autocommit connection of a superuser, to the database.
        steps: told what is made.
    """
    if steps.dry and not _one(admin, "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = %s)", OWNER):
        steps.say("would have applied the migrations")
        return
    with _acting_as_owner(admin):
        lacking = privileges.missing(admin)
    for statement in lacking:
        steps.run(admin, sql.SQL("{}").format(sql.SQL(statement)), statement)
    with _acting_as_owner(admin):
        pending = migrate.plan(admin).pending
        done = pending if steps.dry else migrate.apply(admin)
    if done:
        steps.say(f"{'would have ' if steps.dry else ''}applied {len(done)} migrations")


def login(admin: psycopg.Connection, wanted: Login, steps: Steps) -> str:
    """Make or mend a login, with a new password, which is given back; empty on a dry run.

    Args:
        admin: an autocommit connection of a superuser.
        wanted: which one.
        steps: told what is made.
    """
    password = "" if steps.dry else secrets.token_urlsafe(24)
    verifier = "" if steps.dry else _verifier(admin, password, wanted.name)
    _role(admin, wanted.name, sql.SQL("LOGIN"), steps)
    with admin.transaction():
        for group in wanted.groups:
            if steps.dry or not _one(admin, "SELECT pg_has_role(%s, %s, 'MEMBER')", wanted.name, group):
                granted = sql.SQL("GRANT {} TO {}").format(sql.Identifier(group), sql.Identifier(wanted.name))
                steps.run(admin, granted, f"granted {group} to {wanted.name}")
        alter = sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(wanted.name), verifier)
        steps.run(admin, alter, f"gave {wanted.name} a new password")
    return password


def _role(admin: psycopg.Connection, name: str, kind: sql.SQL, steps: Steps) -> None:
    if not _one(admin, "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = %s)", name):
        steps.run(admin, sql.SQL("CREATE ROLE {} {}").format(sql.Identifier(name), kind), f"made role {name}")


def _verifier(admin: psycopg.Connection, password: str, name: str) -> str:
    """The password as the server keeps it: so it stands in no log of the server."""
    return admin.pgconn.encrypt_password(password.encode(), name.encode(), b"scram-sha-256").decode()


@contextmanager
def _acting_as_owner(admin: psycopg.Connection) -> Iterator[None]:
    admin.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(OWNER)))
    try:
        yield
    finally:
        admin.execute("RESET ROLE")


def _one(conn: psycopg.Connection, query: str, *values: object) -> object:
    row = conn.execute(query.encode(), values or None).fetchone()
    return None if row is None else row[0]
