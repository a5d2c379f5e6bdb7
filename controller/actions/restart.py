"""Restarts: another token in the spec, and with it other tasks, by the ordinary rollout."""

from __future__ import annotations

from datetime import UTC, datetime

import psycopg
from psycopg import sql

from controller.actions.errors import ActionError
from controller.actions.releases import KIND
from controller.declared import lookups
from controller.declared.outlast import outlasting
from controller.declared.reader import DeclaredObject
from specs.kinds import KINDS
from specs.problems import quote

COLUMN = "restart_token"
PART = next(kind for kind, cls in KINDS.items() if cls.binding.parent == KIND and COLUMN in cls.binding.columns)
"""The kind whose tasks can be restarted alone."""


@outlasting
def restart(conn: psycopg.Connection, owner: DeclaredObject, process: str | None) -> str:
    """Have all tasks of ``owner`` replaced, or those of one process; the token.

    Args:
        conn: the database.
        owner: what has releases.
        process: the one to restart; None: all.

    Raises:
        ActionError: it is deleted or suspended, or has no such process.
    """
    if owner.deleted_at is not None:
        raise ActionError(f"{owner.name} is deleted", f"`skypanel restore {owner.kind.lower()} {owner.name}`")
    if _is_suspended(conn, owner):
        raise ActionError(f"{owner.name} is suspended: no task runs", "what is resumed starts anew")
    token = datetime.now(UTC).isoformat(timespec="microseconds")
    if process is None:
        _set(conn, KIND, owner, token)
    elif not _set(conn, PART, owner, token, process):
        hint = (
            "restart all of it, without the name of a process" if process == "web" else "see `skypanel get processes`"
        )
        raise ActionError(f"{owner.name} declares no process {quote(process)}", hint)
    return token


def _set(conn: psycopg.Connection, kind: str, owner: DeclaredObject, token: str, name: str | None = None) -> bool:
    binding = KINDS[kind].binding
    column = "id" if name is None else binding.parent_column or ""
    query = sql.SQL(
        "UPDATE {} SET {} = %(token)s"
        " WHERE {} = %(owner)s AND deleted_at IS NULL AND (%(name)s::text IS NULL OR {} = %(name)s)"
    ).format(sql.Identifier("public", binding.table), *map(sql.Identifier, (COLUMN, column, binding.key_column)))
    return conn.execute(query, {"token": token, "owner": owner.id, "name": name}).rowcount > 0


def _is_suspended(conn: psycopg.Connection, owner: DeclaredObject) -> bool:
    """By itself, or by what it belongs to."""
    try:
        with conn.transaction():
            found = lookups.documents(conn, KINDS[KIND].word(), [owner.id])
    except psycopg.errors.InsufficientPrivilege:
        return bool(owner.spec.get("suspended"))
    return any(document.doc.get("suspended") for document in found if document.doc)
