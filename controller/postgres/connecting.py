"""How connections to PostgreSQL are made: what the URL does not say itself, and what each session is set to.

The settings are made by a statement after connecting, not by the start-up parameter ``options``, which poolers refuse.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

_CONNECT_SECONDS = 10.0
_KEEPALIVE = {
    "connect_timeout": "5",
    "keepalives": "1",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "20000",
}
_SETTINGS = {
    # All statements look keys up: planning one anew takes longer than doing it, and compiling it longer.
    "plan_cache_mode": "force_generic_plan",
    "jit": "off",
    "statement_timeout": "12s",
    "lock_timeout": "10s",
    "idle_in_transaction_session_timeout": "15s",
}


def connection_string(url: str, application: str, *, writes: bool = False) -> str:
    """``url`` with keep-alives and time-outs, for those that it does not set itself.

    Args:
        url: as DATABASE_URL has it.
        application: what the server lists it as.
        writes: of several hosts, or behind one name, only a server that can be written to will do.

    Raises:
        ValueError: it is not a connection string; the message does not repeat it, as it may hold a password.
    """
    try:
        given = conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        raise ValueError(
            "DATABASE_URL is not a connection string: write postgresql://user:password@host:5432/database"
        ) from None
    defaults: dict[str, Any] = {**_KEEPALIVE, "application_name": application}
    if writes:
        defaults["target_session_attrs"] = "read-write"
    return make_conninfo("", **{**defaults, **{k: v for k, v in given.items() if v is not None}})


def session(conninfo: str) -> str:
    """The statement that sets a new session up, but for what ``conninfo`` sets by ``options``."""
    given = str(conninfo_to_dict(conninfo).get("options") or "")
    wanted = {name: value for name, value in _SETTINGS.items() if name not in given}
    calls = [f"set_config('{name}', '{value}', false)" for name, value in wanted.items()]
    return f"SELECT {', '.join(calls)}"


@asynccontextmanager
async def connected(conninfo: str) -> AsyncIterator[psycopg.AsyncConnection]:
    """A connection of its own, in autocommit mode, closed at the end whatever ends it.

    psycopg's own block rolls back before it closes: a cancellation meanwhile leaves the connection open.

    Raises:
        psycopg.Error, OSError, TimeoutError: no answer, for ten seconds at most.
    """
    async with asyncio.timeout(_CONNECT_SECONDS):
        connection = await psycopg.AsyncConnection.connect(conninfo, autocommit=True)
    try:
        yield connection
    finally:
        await connection.close()
