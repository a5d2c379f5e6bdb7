"""Takes a deletion back, as long as the row is kept."""

from __future__ import annotations

import psycopg

from controller.actions.errors import ActionError
from controller.actions.paths import one
from controller.declared import reader, writer
from controller.declared.writer import Target, Written


def restore(conn: psycopg.Connection, word: str, name: str | None) -> Written:
    """Restore the object of this kind and path that was deleted last, with what was deleted together with it.

    Raises:
        ActionError: it is not deleted, or no such row is kept.
        SpecRefused: its owner is deleted, or its name is in use again; nothing was changed.
    """
    kind, path = one(word, name)
    shown = f"{kind.lower()} {'/'.join(path)}"
    found = reader.objects(conn, kind, path, everything=True)
    if any(o.deleted_at is None for o in found):
        raise ActionError(f"{shown} is not deleted")
    gone = [(o.deleted_at, o) for o in found if o.deleted_at is not None]
    if not gone:
        raise ActionError(
            f"no deleted {shown} is kept",
            "rows are kept for SKYPANEL_RETENTION_DAYS after their removal; apply its file instead",
        )
    last = max(gone, key=lambda pair: pair[0])[1]
    return writer.restore(conn, Target(kind, last.path), last.id)
