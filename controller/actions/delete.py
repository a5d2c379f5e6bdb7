"""Asks for the removal of what was declared, with everything below it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from controller.actions.errors import ActionError
from controller.actions.paths import one
from controller.declared.objects import DeclaredObject, Read
from controller.declared.written import Target, Written
from specs.kinds import KINDS, ancestors

if TYPE_CHECKING:
    import psycopg


def delete(conn: psycopg.Connection, targets: Sequence[Target]) -> list[Written]:
    """Mark ``targets`` and what is below them as deleted, in one transaction; what became of each.

    Raises:
        SpecRefused: one is still used; nothing was written.
    """
    from controller.declared import writer  # noqa: PLC0415 - who reads targets alone writes nothing

    return writer.delete(conn, targets)


def target_of(read: Read, word: str, name: str | None) -> Target:
    """The object of this kind and path that is not deleted.

    Raises:
        ActionError: there is none.
    """
    kind, path = one(word, name)
    found = [o for o in read(kind, path) if o.deleted_at is None]
    if not found:
        raise ActionError(f"there is no {kind.lower()} {'/'.join(path)}", f"`skypanel get {kind.lower()}` lists them")
    return Target(kind, found[0].path)


def below(read: Read, target: Target) -> list[DeclaredObject]:
    """What goes with ``target``."""
    kinds = [kind for kind in KINDS if target.kind in ancestors(kind)]
    found = [o for kind in kinds for o in read(kind, target.path)]
    return [o for o in found if o.deleted_at is None]
