"""Events of many objects, for those who follow them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from controller.postgres.statements import statement

if TYPE_CHECKING:
    import psycopg


@dataclass(frozen=True, slots=True)
class Happened:
    """One event; ``kind`` as in statuses, ``path`` empty where the object is gone."""

    id: int
    kind: str
    object: UUID
    path: str
    type: str
    reason: str
    message: str
    count: int
    first_at: datetime
    last_at: datetime

    def document(self) -> dict[str, Any]:
        """For programs."""
        return {
            "id": self.id,
            "kind": self.kind,
            "object": self.object,
            "path": self.path,
            "type": self.type,
            "reason": self.reason,
            "message": self.message,
            "count": self.count,
            "firstAt": self.first_at,
            "lastAt": self.last_at,
        }


def listed(
    conn: psycopg.Connection,
    *,
    tenant: UUID | None,
    kind: str | None,
    path: str | None,
    before: int | None,
    most: int,
) -> list[Happened]:
    """The newest first.

    Args:
        conn: the database.
        tenant: only of this one; None: of all that can be seen.
        kind: only of this word.
        path: only of the object there, and of what is below it.
        before: only those with a lower number.
        most: so many.
    """
    given = {"tenant": tenant, "kind": kind, "path": path, "before": before, "most": most}
    return [Happened(*row) for row in conn.execute(statement("declared/happened/listed"), given)]


def these(conn: psycopg.Connection, ids: Sequence[int]) -> list[Happened]:
    """Events by their numbers, in that order."""
    return [Happened(*row) for row in conn.execute(statement("declared/happened/these"), {"ids": list(ids)})]
