"""Declared objects by the names that people give, and as documents for programs."""

from __future__ import annotations

from typing import Any

import psycopg

from controller.actions.errors import ActionError
from controller.actions.paths import form
from controller.declared import reader
from controller.declared.reader import DeclaredObject


def find_one(conn: psycopg.Connection, kind: str, path: tuple[str, ...]) -> DeclaredObject:
    """The object at ``path``: the living one, else the one that is being deleted, else the last that was.

    Raises:
        ActionError: there never was one.
    """
    found = reader.objects(conn, kind, path, everything=True)
    if not found:
        raise ActionError(
            f"there is no {kind.lower()} {'/'.join(path)}",
            f"write {form(kind)}; `skypanel get {kind.lower()}` lists them",
        )
    return max(found, key=lambda o: (o.deleted_at is None, o.status.finalized_at is None, o.created_at))


def status_document(found: DeclaredObject) -> dict[str, Any]:
    """Spec and status, for programs."""
    document, status = found.document(), found.status
    document["metadata"] |= {
        "id": found.id,
        "generation": found.generation,
        "createdAt": found.created_at,
        "deletedAt": found.deleted_at,
    }
    document["status"] = {
        "ready": status.ready,
        "reason": status.reason,
        "message": status.message,
        "stalled": status.stalled,
        "observedGeneration": status.observed_generation,
        "conditions": status.conditions,
        "details": status.details,
        "finalizedAt": status.finalized_at,
        "updatedAt": status.updated_at,
        "asOf": status.as_of,
    }
    return document
