"""The database, as actions use it: one autocommit connection in the calling thread."""

from __future__ import annotations

import getpass
import os
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg.types.json import set_json_loads

from controller.actions.errors import ActionError
from controller.postgres.connecting import connection_string, session
from controller.postgres.decoding import shown
from controller.schema.files import newest


@contextmanager
def connected(url: str) -> Iterator[psycopg.Connection]:
    """An autocommit connection as the role of ``url``: the operator's, who sees every organization.

    Raises:
        ActionError: it is empty, or not a connection string.
        psycopg.OperationalError: the server does not answer.
    """
    if not url:
        raise ActionError(
            "DATABASE_URL is not set",
            "export DATABASE_URL=postgresql://user@host/database, or run `skypanel setup` on the controller's machine",
        )
    try:
        conninfo = connection_string(url, "skypanel-cli")
    except ValueError as error:
        raise ActionError(str(error)) from None
    with psycopg.connect(conninfo, autocommit=True) as conn:
        conn.execute(session(conninfo).encode())
        conn.execute(
            "SELECT set_config('skypanel.platform', 'on', false)"
        )  # where the panel's role is held to one tenant
        set_json_loads(shown, conn)
        yield conn


def refuse_newer(conn: psycopg.Connection) -> None:
    """Before anything is declared: a schema that is newer may mean another thing by the same columns.

    Raises:
        ActionError: it has migrations that this version lacks.
    """
    try:
        found = conn.execute(
            "SELECT version, name FROM skypanel.schema_migrations WHERE version > %s ORDER BY version DESC LIMIT 1",
            [newest()],
        ).fetchone()
    except psycopg.errors.UndefinedTable:  # no schema yet, which what follows says better
        return
    if found is not None:
        raise ActionError(
            f"the database has migration {found[0]:04}_{found[1]}, which this version lacks",
            "install the version that applied it, or a newer one",
        )


def say_who(conn: psycopg.Connection, *, why: str = "", commit: str = "") -> None:
    """Have what this session writes known as this person's, why, and from which commit."""
    try:
        by = os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):  # a user id without a name
        by = ""
    said = {"actor": by, "means": "cli", "reason": why, "commit": commit}
    calls = ", ".join(f"set_config('skypanel.{name}', %({name})s, false)" for name in said)
    conn.execute(f"SELECT {calls}".encode(), said)
