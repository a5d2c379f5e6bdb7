"""How far reconciled objects are: what ``--wait`` looks at, and which objects a written row concerns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from controller.postgres.statements import statement
from specs.kinds import KINDS

_MADE_ONCE = frozenset(cls.word() for cls in KINDS.values() if cls.facts.once)
"""What is made once is as it was, whatever is changed above it."""

if TYPE_CHECKING:
    import psycopg


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one reconciled object is; ``kind`` and ``id`` as in its status.

    ``ready`` is vouched for by a controller that is alive and reaches the engine. ``nobody`` says since when none is
    alive; it is empty while one is.
    """

    kind: str
    id: UUID
    path: str
    generation: int | None
    deleted: bool
    observed_generation: int
    ready: bool
    reason: str
    message: str
    stalled: bool
    finalized: bool
    details: Mapping[str, Any]
    nobody: str = ""

    def document(self) -> dict[str, Any]:
        """For programs."""
        return {
            "kind": self.kind,
            "id": self.id,
            "path": self.path,
            "generation": self.generation,
            "deleted": self.deleted,
            "observedGeneration": self.observed_generation,
            "ready": self.ready,
            "reason": self.reason,
            "message": self.message,
            "stalled": self.stalled,
            "finalized": self.finalized,
            "details": self.details,
            "nobody": self.nobody,
        }

    @property
    def gone(self) -> bool:
        """Nothing of it is left, as far as anybody knows."""
        return self.generation is None or (self.deleted and self.finalized)

    @property
    def current(self) -> bool:
        """Whether the status speaks of what is wanted now."""
        return self.generation is not None and self.observed_generation >= self.generation

    @property
    def converged(self) -> bool:
        """Ready in this generation; for what is to be deleted, gone."""
        return self.gone if self.deleted or self.generation is None else self.current and self.ready


def affected(
    conn: psycopg.Connection, written: Iterable[tuple[str, UUID, bool]], *, deleted: bool = False
) -> list[tuple[str, UUID]]:
    """Reconciled objects that written rows concern.

    Args:
        conn: a connection.
        written: kind as in the status tables, id, and whether it was changed (else only itself is meant).
        deleted: also those that are being deleted with their owner.
    """
    kinds, ids, changed = map(list, zip(*written, strict=True)) if (written := list(written)) else ([], [], [])
    rows = conn.execute(
        statement("declared/readiness/affected"), {"kinds": kinds, "ids": ids, "changed": changed, "deleted": deleted}
    )
    own = set(zip(kinds, ids, strict=True))
    return [each for each in map(tuple, rows) if deleted or each in own or each[0] not in _MADE_ONCE]


def progress(conn: psycopg.Connection, keys: Sequence[tuple[str, UUID]]) -> list[Progress]:
    """How far each of ``keys`` (kind, id) is; organizations first, by path."""
    rows = conn.execute(
        statement("declared/readiness/progress"), {"kinds": [k for k, _ in keys], "ids": [i for _, i in keys]}
    )
    return [
        Progress(
            kind=kind,
            id=object_id,
            path=path or str(object_id),
            generation=generation,
            deleted=bool(deleted),
            observed_generation=observed or 0,
            ready=ready == "True",
            reason=reason or "",
            message=message or "",
            stalled=stalled,
            finalized=finalized,
            details=details or {},
            nobody="" if alive else _nobody(age),
        )
        for kind, object_id, path, generation, deleted, observed, ready, reason, message, stalled, finalized, details,
            alive, age in rows
    ]  # fmt: skip


def _nobody(age: timedelta | None) -> str:
    if age is None:
        return "no controller has ever been alive"
    return f"no controller has been alive for {age.total_seconds():.0f} s"
