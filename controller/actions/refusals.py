"""What was tried and refused is on record too.

What the database refuses is undone with its transaction, entry and all: whoever was refused says it in another one.
So a use-case runs within ``recorded``, whichever interface asks for it. Where it cannot be written, because the
connection is lost or the role may not, the refusal itself is what counts: it goes on as it was.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psycopg
from psycopg.pq import TransactionStatus

from controller.actions.errors import ActionError, NotInTimeError
from controller.declared import audit
from controller.declared.constraint_messages import SpecRefused
from controller.kit.redaction import redact

_MOST = 20
"""So many objects of one attempt; a file may have thousands."""


@contextmanager
def recorded(conn: psycopg.Connection, tried: str) -> Iterator[None]:
    """Have what is refused within on record.

    Args:
        conn: what is tried with; between two transactions when it is refused.
        tried: what it is called, such as ``apply``.
    """
    try:
        yield
    except NotInTimeError:
        raise  # it was not refused
    except SpecRefused as refused:
        said = [(*_named(each.resource), each.message) for each in refused.refusals]
        _record(conn, tried, said[:_MOST])
        raise
    except ActionError as error:
        _record(conn, tried, [("", "", str(error))])
        raise
    except psycopg.Error as error:
        if error.sqlstate is not None and not isinstance(error, psycopg.OperationalError):
            _record(conn, tried, [("", "", error.diag.message_primary or "")])
        raise


def _named(resource: str) -> tuple[str, str]:
    """Kind and path of ``Kind path``."""
    kind, _, path = resource.partition(" ")
    return kind.lower(), path


def _record(conn: psycopg.Connection, tried: str, said: list[tuple[str, str, str]]) -> None:
    if conn.closed or conn.info.transaction_status != TransactionStatus.IDLE:
        return
    with suppress(psycopg.Error), conn.transaction():
        for kind, path, message in said:
            audit.refuse(conn, tried, kind, path, redact(message))
