"""What writes is done once more where the database ended it in favour of somebody else's transaction.

PostgreSQL ends one of those that wait for each other (a deadlock), or that cannot be put in an order (a serialization
failure): nothing of that one was written, and after the other one it can be.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

import psycopg
from psycopg import errors
from psycopg.pq import TransactionStatus

P = ParamSpec("P")
T = TypeVar("T")
ATTEMPTS = 3
BEATEN = (errors.DeadlockDetected, errors.SerializationFailure)


def outlasting(
    write: Callable[Concatenate[psycopg.Connection, P], T],
) -> Callable[Concatenate[psycopg.Connection, P], T]:
    """``write``, which is all or nothing or goes on where it was; within a transaction of the caller's, that is his."""

    @wraps(write)
    def again(conn: psycopg.Connection, /, *args: P.args, **kwargs: P.kwargs) -> T:
        left = ATTEMPTS if conn.info.transaction_status == TransactionStatus.IDLE else 1
        while True:
            left -= 1
            try:
                return write(conn, *args, **kwargs)
            except BEATEN:
                if not left:
                    raise

    return again
