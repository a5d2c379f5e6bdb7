"""Whose rows a connection sees: each of its transactions begins with the settings that policies and the audit ask for.

Use-cases open transactions of their own, and send single statements between them, each of which is a transaction. So it
is the connection that says it, in each, for that transaction alone: nothing is left behind for whoever gets the
connection next, of a pool here or of a pooler before the server. Who says nothing sees nothing (migration 0071).

    pool = ConnectionPool(conninfo, connection_class=TenantConnection, kwargs={"autocommit": True})
    with pool.connection() as conn, acting(conn, Tenancy(organization, actor="ada", means="token")):
        ...
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.pq import TransactionStatus
from psycopg.rows import Row


@dataclass(frozen=True, slots=True)
class Tenancy:
    """For whom a request is, and by whom.

    Args:
        organization: whose rows are seen and written; None: nobody's.
        platform: all rows are, as whoever runs the platform sees them.
        actor: who asks, as the audit shall have him.
        means: by what he does: ``token``, ``jwt`` ...
        address: from where.
        request: the id of the request.
        reason: why, in his words.
        commit: of a source, which declares it.
    """

    organization: UUID | None
    platform: bool = False
    actor: str = ""
    means: str = ""
    address: str = ""
    request: str = ""
    reason: str = ""
    commit: str = ""

    def statement(self) -> sql.Composed:
        """What a transaction begins with. No query, so its isolation can still be chosen after it."""
        said = {each.name: getattr(self, each.name) for each in fields(self)}
        said["platform"] = "on" if self.platform else ""
        calls = [
            sql.SQL("SET LOCAL {} = {}").format(sql.Identifier("skypanel", name), sql.Literal(str(value or "")))
            for name, value in said.items()
        ]
        return sql.SQL("; ").join(calls)


class TenantCursor(psycopg.Cursor[Row]):
    """A cursor whose statements are in a transaction of its connection's tenancy."""

    def execute(self, *given: Any, **how: Any) -> TenantCursor[Row]:
        """As of any cursor; outside a transaction it is one of its own."""
        if _begins_one(self.connection):
            with self.connection.transaction():
                return super().execute(*given, **how)
        return super().execute(*given, **how)


class TenantConnection(psycopg.Connection[Row]):
    """An autocommit connection that acts for somebody; for nobody, outside ``acting``."""

    tenancy: Tenancy | None = None

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.cursor_factory = TenantCursor

    @contextmanager
    def transaction(
        self, savepoint_name: str | None = None, force_rollback: bool = False
    ) -> Iterator[psycopg.Transaction]:
        """As of any connection; the outermost one begins with the settings."""
        begins = _begins_one(self)
        with super().transaction(savepoint_name, force_rollback) as transaction:
            if begins and self.tenancy is not None:
                self.execute(self.tenancy.statement(), prepare=False)
            yield transaction


@contextmanager
def acting(conn: TenantConnection[Any], tenancy: Tenancy) -> Iterator[None]:
    """Have every transaction of ``conn`` within be of ``tenancy``.

    Args:
        conn: in autocommit mode, between two transactions, and acting for nobody.
        tenancy: for whom.

    Raises:
        ValueError: it is not so.
    """
    if not conn.autocommit or conn.tenancy is not None or conn.info.transaction_status != TransactionStatus.IDLE:
        raise ValueError("the connection is in a transaction, acts for somebody, or begins transactions by itself")
    conn.tenancy = tenancy
    try:
        yield
    finally:
        conn.tenancy = None


def _begins_one(conn: psycopg.Connection[Any]) -> bool:
    """Whether what is sent next begins a transaction of somebody's."""
    of_somebody = isinstance(conn, TenantConnection) and conn.tenancy is not None
    return of_somebody and conn.info.transaction_status == TransactionStatus.IDLE
