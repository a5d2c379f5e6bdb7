"""What the database has of an object, its owners and its parts, as far as the role may read it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import UUID

import psycopg
from psycopg import errors
from pydantic import ValidationError

from controller.actions.objects import find_one
from controller.declared import lookups, reader
from controller.declared.lookups import Event, Leader
from controller.declared.reader import DeclaredObject
from controller.records import Pause
from reconcilers.registry import registered
from specs.kinds import KINDS, TENANT, ancestors, children
from specs.problems import InvalidSpec

_EVENTS = 5
T = TypeVar("T")


@dataclass(slots=True)
class Gathered:
    """What is known.

    Args:
        object: what is asked about.
        of: what is reconciled: itself, or the owner that it is a part of.
        owners: of the object, the outermost first.
        parts: right below what is reconciled.
        leader: who keeps it.
        pause: what holds it.
        events: of what is reconciled, the newest first.
        snapshot: what the document is; None where it cannot be read.
        invalid: why the document is none that could run; empty when it could.
        unseen: what could not be read, and why.
    """

    object: DeclaredObject
    of: DeclaredObject
    owners: Sequence[DeclaredObject]
    parts: Sequence[DeclaredObject]
    leader: Leader
    pause: Pause | None
    events: Sequence[Event]
    snapshot: Any = None
    invalid: str = ""
    unseen: list[str] = field(default_factory=list)

    @property
    def tenant(self) -> str:
        """Id of the one that it belongs to; empty: to none."""
        return next((str(o.id) for o in (*self.owners, self.object) if o.kind == TENANT), "")


def gather(conn: psycopg.Connection, kind: str, path: tuple[str, ...]) -> Gathered:
    """All of it, for the object at ``path``.

    Raises:
        ActionError: there never was one.
    """
    found = find_one(conn, kind, path)
    owners = [find_one(conn, owner, found.path[:depth]) for depth, owner in enumerate(ancestors(kind), 1)]
    of = owners[-1] if KINDS[kind].facts.part else found
    word = of.kind.lower()
    made = Gathered(
        object=found,
        of=of,
        owners=owners,
        parts=[part for each in children(of.kind) for part in reader.objects(conn, each, of.path)],
        leader=lookups.leader(conn),
        pause=None,
        events=lookups.events(conn, word, of.id, _EVENTS),
    )
    tenant = UUID(made.tenant) if made.tenant else None
    made.pause = _if_allowed(conn, made, "pauses", lambda: lookups.pause(conn, word, of.id, tenant))
    if word in registered() and of.deleted_at is None:
        documents = _if_allowed(conn, made, "its document", lambda: lookups.documents(conn, word, [of.id])) or []
        for document in documents:
            _read(made, word, document.doc)
    return made


def _read(made: Gathered, word: str, document: Any) -> None:
    """As the controller reads it; what only its settings forbid, it says itself."""
    try:
        made.snapshot = registered()[word].snapshot.model_validate(document)
    except ValidationError as error:
        made.invalid = str(InvalidSpec.of(error))
    except InvalidSpec as error:
        made.invalid = str(error)


def _if_allowed(conn: psycopg.Connection, made: Gathered, what: str, read: Callable[[], T]) -> T | None:
    """What ``read`` gives; None, and ``what`` named as unseen, where the role may not."""
    try:
        with conn.transaction():
            return read()
    except errors.InsufficientPrivilege as error:
        made.unseen.append(f"{what}: {error.diag.message_primary}")
        return None
    except errors.UndefinedTable as error:  # a view that this version has and the database lacks
        made.unseen.append(f"{what}: {error.diag.message_primary} (run `skypanel migrate`)")
        return None
