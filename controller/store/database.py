"""The connection to PostgreSQL: a pool, statements from named files, and calls that are never cancelled half-way.

psycopg runs on asyncio only. An anyio cancel scope delivers its cancellation again and again, which makes psycopg drop
the connection while the statement goes on and may commit later; so every call is shielded and bounded by an asyncio
time-out and the server's ``statement_timeout`` instead.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import anyio
import orjson
import psycopg
import structlog
from psycopg import errors, sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.types.json import set_json_loads
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from reconcilers.outcomes import TransientError

log = structlog.get_logger(__name__)

CALL_SECONDS = 15.0
_SLICE = 1000
# All statements look keys up: planning one anew for its parameters takes longer than doing it, and compiling it longer.
_PLANS = "-c plan_cache_mode=force_generic_plan -c jit=off"
_OPTIONS = f"{_PLANS} -c statement_timeout=12000 -c lock_timeout=10000 -c idle_in_transaction_session_timeout=15000"
_KEEPALIVE = {
    "connect_timeout": "5",
    "keepalives": "1",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "20000",
}


class DatabaseUnavailable(TransientError):  # noqa: N818 - reads as what happened
    """No answer from PostgreSQL, or a lost connection: the outcome of a write is not known."""

    def __init__(self, error: BaseException) -> None:
        text = " ".join(str(error).split()) or type(error).__name__
        super().__init__("DatabaseUnavailable", f"PostgreSQL does not answer: {text}")


@cache
def statement(name: str) -> str:
    """The text of ``sql/<name>.sql``, without its comments and its indentation.

    psycopg keeps the places of the parameters of texts up to 4,096 characters, and looks for them anew in longer ones.
    """
    text = files("controller.store").joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")
    lines = (line.strip() for line in text.splitlines())
    return "\n".join(line for line in lines if not line.startswith("--")) + "\n"


@cache
def fenced(name: str) -> str:
    """``statement`` behind the check of the lease; needs the parameters of the lease."""
    return statement("leader") + statement(name)


def connection_string(url: str, application: str) -> str:
    """``url`` with keep-alives and time-outs, for those that it does not set itself.

    Raises:
        ValueError: it is not a connection string; the message does not repeat it, as it may hold a password.
    """
    try:
        given = conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        raise ValueError(
            "DATABASE_URL is not a connection string: write postgresql://user:password@host:5432/database"
        ) from None
    defaults: dict[str, Any] = {**_KEEPALIVE, "application_name": application, "options": _OPTIONS}
    return make_conninfo("", **{**defaults, **{k: v for k, v in given.items() if v is not None}})


class Database:
    """A pool of connections in autocommit mode; each call is one statement, which is one transaction.

    Args:
        url: connection string.
        connections: most at once.
    """

    def __init__(self, url: str, *, connections: int) -> None:
        self.conninfo = connection_string(url, "skypanel")
        self._pool = AsyncConnectionPool(
            self.conninfo,
            min_size=2,
            max_size=connections,
            open=False,
            timeout=5.0,
            max_idle=120.0,
            reconnect_timeout=5.0,
            kwargs={"autocommit": True},
            configure=_configure,
            name="skypanel",
        )
        self.up = False

    async def open(self) -> None:
        """Start the pool; it connects, and connects again, by itself."""
        await self._pool.open(wait=False)

    async def close(self) -> None:
        """Close all connections."""
        with anyio.CancelScope(shield=True):
            await self._pool.close(timeout=5.0)

    async def fetch(
        self,
        query: str | sql.Composed,
        parameters: Mapping[str, Any] | None = None,
        *,
        seconds: float = CALL_SECONDS,
    ) -> list[tuple[Any, ...]]:
        """Run one statement within ``seconds``; its rows (none for a statement that returns nothing).

        Raises:
            DatabaseUnavailable: no connection, or it was lost; a write may have happened.
            psycopg.Error: the statement itself is wrong, or a constraint refuses it.
        """
        rows: list[tuple[Any, ...]] = []
        with anyio.CancelScope(shield=True):
            try:
                async with asyncio.timeout(seconds):
                    rows = await self._fetch(query, parameters)
            except (
                psycopg.OperationalError,
                psycopg.InterfaceError,
                PoolTimeout,
                TimeoutError,
                OSError,
            ) as error:
                self._was(up=False, why=error)
                raise DatabaseUnavailable(error) from error
            except (
                errors.UndefinedTable,
                errors.UndefinedFunction,
                errors.UndefinedColumn,
                errors.InvalidSchemaName,
            ) as error:
                raise TransientError(
                    "SchemaOutdated",
                    f"the database's schema is not the one of this version ({error.diag.message_primary}): "
                    "run `skypanel migrate`",
                ) from error
            except errors.InsufficientPrivilege as error:
                raise TransientError(
                    "PrivilegeMissing",
                    f"the role of DATABASE_URL may not do this ({error.diag.message_primary}): "
                    "grant it skypanel_controller",
                ) from error
        return rows

    async def _fetch(self, query: str | sql.Composed, parameters: Mapping[str, Any] | None) -> list[tuple[Any, ...]]:
        async with self._pool.connection() as connection:
            cursor = await connection.execute(query, parameters)
            rows: list[tuple[Any, ...]] = []
            if cursor.description:
                while len(rows) < cursor.rowcount:  # the rows are here; to make Python's of many takes its time
                    if rows:
                        await asyncio.sleep(0)
                    rows += await cursor.fetchmany(_SLICE)
        self._was(up=True)
        return rows

    def _was(self, *, up: bool, why: BaseException | None = None) -> None:
        if up != self.up:
            self.up = up
            if up:
                log.info("database.connected")
            else:
                log.warning("database.lost", error=str(why))


async def _configure(connection: psycopg.AsyncConnection) -> None:
    set_json_loads(orjson.loads, connection)
    connection.prepare_threshold = 0  # each statement is planned once a connection
