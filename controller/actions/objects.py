"""Declared objects by the names that people give, and as documents for programs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from controller.actions.errors import ActionError
from controller.actions.paths import ALL, depth, form, is_full, kind_of, path_of
from controller.declared.objects import DeclaredObject, Read
from specs.kinds import KINDS, of_tenant

if TYPE_CHECKING:
    import psycopg

Found = Mapping[str, Sequence[DeclaredObject]]


def question(word: str, name: str | None, organizations: Sequence[str], *, everything: bool) -> Callable[[Read], Found]:
    """What asks for the objects that are meant, by kind, owners first.

    Args:
        word: a kind, or all.
        name: a path; what is below it is meant where it has fewer names than the kind.
        organizations: only these, when any is given.
        everything: also those whose deletion is finished.

    Raises:
        ActionError: nothing can be meant by that; then, or when one object is meant that is not there.
    """
    if word.lower() == ALL:
        names = tuple(name.strip("/").split("/")) if name else ()
        kinds = _below(names)
        if not all(names) or not kinds:
            raise ActionError(f"{name!r} is not a path", "write ORGANIZATION, or ORGANIZATION/APP")
    else:
        kind = kind_of(word)
        kinds = {kind: path_of(kind, name)}

    def ask(read: Read) -> Found:
        found = {
            kind: read(kind, path, organizations=organizations, everything=everything) for kind, path in kinds.items()
        }
        kind, path = next(iter(kinds.items()))
        if name and not any(found.values()) and (len(kinds) > 1 or is_full(kind, path)):
            missing = "nothing" if len(kinds) > 1 else f"no {kind.lower()}"
            raise ActionError(f"there is {missing} {name}", f"`skypanel get {word}` lists them")
        return found

    return ask


def _below(names: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """By which path each kind is asked for, to find what is at ``names`` and below."""
    return {kind: names for kind in KINDS if not names or (of_tenant(kind) and depth(kind) >= len(names))}


def reads(conn: psycopg.Connection) -> Read:
    """Objects as this connection sees them."""
    from controller.declared import reader  # noqa: PLC0415 - who reads an API needs no client of the database

    return partial(reader.objects, conn)


def find_one(conn: psycopg.Connection, kind: str, path: tuple[str, ...]) -> DeclaredObject:
    """As ``find_by``, of a database."""
    return find_by(reads(conn), kind, path)


def find_by(read: Read, kind: str, path: tuple[str, ...]) -> DeclaredObject:
    """The object at ``path``: the living one, else the one that is being deleted, else the last that was.

    Raises:
        ActionError: there never was one.
    """
    found = read(kind, path, everything=True)
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
