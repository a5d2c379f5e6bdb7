"""The connection to PostgreSQL: a pool, and calls that are never cancelled half-way.

psycopg runs on asyncio only. An anyio cancel scope delivers its cancellation again and again, which makes psycopg drop
the connection while the statement goes on and may commit later; so every call is shielded and bounded by an asyncio
time-out and the server's ``statement_timeout`` instead.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import anyio
import orjson
import psycopg
import structlog
from psycopg import errors, sql
from psycopg.types.json import set_json_loads
from psycopg_pool import AsyncConnectionPool

from controller.postgres.connecting import connection_string, session
from controller.postgres.statements import PLAN_FOR_MANY
from reconcilers.outcomes import TransientError

log = structlog.get_logger(__name__)

CALL_SECONDS = 15.0
_SLICE = 1000
_OF_THE_STATEMENT = ("21", "22", "23", "42", "44", "54", "P0")
"""Classes of errors that say something of one statement; all others are the server's state, and pass."""
_OF_THE_CONNECTION = (errors.DuplicatePreparedStatement,)
_KEPT = ("40", "55", "57014")
"""States after which the connection is as good as before."""


class DatabaseUnavailable(TransientError):  # noqa: N818 - reads as what happened
    """No answer from PostgreSQL, or a lost connection: the outcome of a write is not known."""

    def __init__(self, error: BaseException) -> None:
        text = " ".join(str(error).split()) or type(error).__name__
        super().__init__("DatabaseUnavailable", f"PostgreSQL does not answer: {text}")


class Database:
    """A pool of connections in autocommit mode; each call is one statement, which is one transaction.

    Args:
        url: connection string.
        connections: most at once, beside the one of the lease.
    """

    def __init__(self, url: str, *, connections: int) -> None:
        self.conninfo = connection_string(url, "skypanel", writes=True)
        self._session = session(self.conninfo)
        self._pool = self._new_pool("skypanel", connections)
        self._apart = self._new_pool("skypanel-lease", 1)
        self.up = False

    def _new_pool(self, name: str, connections: int) -> AsyncConnectionPool:
        return AsyncConnectionPool(
            self.conninfo,
            min_size=min(2, connections),
            max_size=connections,
            open=False,
            timeout=5.0,
            max_idle=120.0,
            reconnect_timeout=5.0,
            kwargs={"autocommit": True},
            configure=self._configure,
            name=name,
        )

    async def open(self) -> None:
        """Start the pools; they connect, and connect again, by themselves."""
        for pool in (self._apart, self._pool):
            await pool.open(wait=False)

    async def close(self) -> None:
        """Close all connections."""
        with anyio.CancelScope(shield=True):
            for pool in (self._pool, self._apart):
                await pool.close(timeout=5.0)

    async def fetch(
        self,
        query: str | sql.Composed,
        parameters: Mapping[str, Any] | None = None,
        *,
        seconds: float = CALL_SECONDS,
        apart: bool = False,
        many: bool = False,
    ) -> list[tuple[Any, ...]]:
        """Run one statement within ``seconds``; its rows (none for a statement that returns nothing).

        Args:
            query: with named parameters.
            parameters: their values.
            seconds: it is given up after that.
            apart: on a connection that no other call keeps busy: for the lease alone.
            many: it joins any number of rows; planned for these parameters, see ``PLAN_FOR_MANY``.

        Raises:
            DatabaseUnavailable: no connection, or it was lost, or the server cannot do it now (it is read-only, fails
                over, is full or broken); a write may have happened.
            psycopg.Error: the statement itself is wrong, or a constraint refuses it.
        """
        rows: list[tuple[Any, ...]] = []
        with anyio.CancelScope(shield=True):
            try:
                async with asyncio.timeout(seconds):
                    rows = await self._fetch(self._apart if apart else self._pool, query, parameters, many=many)
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
            except (psycopg.Error, TimeoutError, OSError) as error:
                if isinstance(error, psycopg.Error) and _is_of_the_statement(error):
                    raise
                self._was(up=False, why=error)
                raise DatabaseUnavailable(error) from error
        return rows

    async def _fetch(
        self, pool: AsyncConnectionPool, query: str | sql.Composed, parameters: Mapping[str, Any] | None, *, many: bool
    ) -> list[tuple[Any, ...]]:
        async with pool.connection() as connection:
            try:
                if many:
                    async with connection.transaction():
                        await connection.execute(PLAN_FOR_MANY)
                        cursor = await connection.execute(query, parameters, prepare=False)
                else:
                    cursor = await connection.execute(query, parameters)
            except psycopg.Error as error:
                if not _is_of_the_statement(error) and not (error.sqlstate or "").startswith(_KEPT):
                    await connection.close()  # the pool makes a new one, which may find a server that can
                raise
            rows: list[tuple[Any, ...]] = []
            if cursor.description:
                while len(rows) < cursor.rowcount:  # the rows are here; to make Python's of many takes its time
                    if rows:
                        await asyncio.sleep(0)
                    rows += await cursor.fetchmany(_SLICE)
        self._was(up=True)
        return rows

    async def _configure(self, connection: psycopg.AsyncConnection) -> None:
        set_json_loads(orjson.loads, connection)
        connection.prepare_threshold = 0  # each statement is planned once a connection
        await connection.execute(self._session)

    def _was(self, *, up: bool, why: BaseException | None = None) -> None:
        if up != self.up:
            self.up = up
            if up:
                log.info("database.connected")
            else:
                log.warning("database.lost", error=str(why))


def _is_of_the_statement(error: psycopg.Error) -> bool:
    """Whether another server, or the same one later, would say the same."""
    if error.sqlstate is None:  # said by the client itself: the connection is lost, or a value cannot be sent
        return not isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError))
    return error.sqlstate.startswith(_OF_THE_STATEMENT) and not isinstance(error, _OF_THE_CONNECTION)
