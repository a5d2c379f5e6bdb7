"""Connections of the API: a pool of a few, each lent to one request, which sees what its caller may see."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from psycopg.types.json import set_json_loads
from psycopg_pool import ConnectionPool

from controller.kit.expected import ExpectedError
from controller.postgres.connecting import connection_string, session
from controller.postgres.decoding import shown
from controller.postgres.tenancy import TenantConnection

_WAIT_SECONDS = 5.0


class Connections:
    """A pool.

    Args:
        url: connection string of the role that the API works as.
        most: at once.

    Raises:
        ExpectedError: it is empty, or no connection string.
    """

    def __init__(self, url: str, most: int) -> None:
        if not url:
            raise ExpectedError(
                "SKYPANEL_API_DATABASE_URL is not set: export it with a login that has skypanel_api, such as "
                "postgresql://api@host/database"
            )
        try:
            conninfo = connection_string(url, "skypanel-api", writes=True)
        except ValueError:
            raise ExpectedError(
                "SKYPANEL_API_DATABASE_URL is not a connection string: write postgresql://user:password@host/database"
            ) from None
        self.conninfo = conninfo
        self._session = session(conninfo)
        self._pool: ConnectionPool[TenantConnection[Any]] = ConnectionPool(
            conninfo,
            connection_class=TenantConnection,
            min_size=1,
            max_size=most,
            open=False,
            timeout=_WAIT_SECONDS,
            max_idle=120.0,
            reconnect_timeout=5.0,
            kwargs={"autocommit": True},
            configure=self._configure,
            name="skypanel-api",
        )

    def open(self) -> None:
        """Start to connect."""
        self._pool.open(wait=False)

    def close(self) -> None:
        """Close all connections."""
        self._pool.close(timeout=5.0)

    @contextmanager
    def lent(self) -> Iterator[TenantConnection[Any]]:
        """One of them, of which nothing is left of who had it before."""
        with self._pool.connection() as conn:
            yield conn

    def _configure(self, conn: TenantConnection[Any]) -> None:
        set_json_loads(shown, conn)
        conn.execute(self._session.encode())
