"""The database, as actions use it: one autocommit connection in the calling thread."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg.types.json import set_json_loads

from controller.actions.errors import ActionError
from controller.postgres.connecting import connection_string, session
from controller.postgres.decoding import shown


@contextmanager
def connected(url: str) -> Iterator[psycopg.Connection]:
    """An autocommit connection as the role of ``url``.

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
        set_json_loads(shown, conn)
        yield conn
