"""What an operator says to the controller about objects: pause, go on, look now. Written by commands and the panel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import psycopg

from controller.declared.outlast import outlasting
from controller.postgres.statements import statement


@dataclass(frozen=True, slots=True)
class Paused:
    """A pause as it is in the database; ``kind`` and ``id`` of an installation say nothing."""

    scope: str
    kind: str
    id: UUID
    reason: str | None
    by: str
    at: datetime


@outlasting
def pause(conn: psycopg.Connection, scope: str, key: Sequence[object] | None, reason: str = "") -> None:
    """Stop the work.

    Args:
        conn: a connection of a role that may write specs.
        scope: ``object``, ``organization`` or ``installation``.
        key: kind (as in the status tables) and id; None for the installation.
        reason: for people.

    Raises:
        psycopg.errors.ForeignKeyViolation: it is nothing that has a reconciler.
    """
    conn.execute(statement("declared/controls/pause"), {**_place(scope, key), "reason": reason or None})


@outlasting
def resume(conn: psycopg.Connection, scope: str, key: Sequence[object] | None) -> bool:
    """Let the work go on; whether it was stopped by this very pause."""
    return conn.execute(statement("declared/controls/resume"), _place(scope, key)).fetchone() is not None


@outlasting
def ask(conn: psycopg.Connection, key: Sequence[object], token: str) -> None:
    """Ask for a look at one object now; ``token`` is any text that was not used for it before."""
    conn.execute(statement("declared/controls/ask"), {"kind": key[0], "id": key[1], "token": token})


def pauses(conn: psycopg.Connection) -> list[Paused]:
    """All that there are, the widest first."""
    return [Paused(*row) for row in conn.execute(statement("declared/controls/pauses"))]


def names(conn: psycopg.Connection) -> dict[UUID, str]:
    """Paths of what is paused, as far as whoever asks sees them."""
    return dict(conn.execute(statement("declared/controls/names")))


def _place(scope: str, key: Sequence[object] | None) -> dict[str, object]:
    kind, object_id = key or (None, None)
    return {"scope": scope, "kind": kind, "id": object_id}
