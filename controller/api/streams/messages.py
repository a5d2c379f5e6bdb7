"""What those who follow are sent: an object as it stands now, an event, or that an object is gone.

An object is sent as it stands and not as a difference, so to get it twice, or to miss one in between, does no harm.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg

from controller.actions.standing import documents
from controller.api.documents import encode
from controller.declared import happened, reader, stream
from controller.declared.lookups import Leader
from controller.declared.stream import Position, Written
from specs.kinds import KINDS, ancestors

KEEP_ALIVE = b":\n\n"


@dataclass(frozen=True, slots=True)
class Message:
    """One, and who may have it.

    Args:
        organization: whose it is; None: the platform's.
        kind: of the object.
        path: of it; empty: it is gone.
        frame: as it is sent.
    """

    organization: UUID | None
    kind: str
    path: tuple[str, ...]
    frame: bytes


def frame(event: str, document: Any) -> bytes:
    """One message, as it is sent."""
    return b"event: %s\ndata: %s\n\n" % (event.encode(), encode(document))


RESET = frame("reset", {"why": "what was written since then is not known any more: read again what you show"})
"""To whom what he missed cannot be told."""


def position(at: Position) -> bytes:
    """Up to where all has been sent. It stands alone, as the last of what belongs together."""
    return b"id: %s\n\n" % str(at).encode() if at.short else b""


def controller(leader: Leader) -> bytes:
    """Whether anybody vouches for what is said."""
    return frame("controller", {"alive": leader.alive, "reachesEngine": leader.reaches_engine})


def read(conn: psycopg.Connection, written: Iterable[Written]) -> list[Message]:
    """What became of what was written; owners that stand as what they have does come with it."""
    kinds = {cls.word(): kind for kind, cls in KINDS.items()}
    known = [one for one in written if one.kind in kinds]
    wanted: dict[str, dict[UUID, UUID | None]] = {}
    for one in known:
        if one.event is None:
            wanted.setdefault(kinds[one.kind], {})[one.id] = one.organization
    found: list[Message] = []
    for kind in reversed(KINDS):  # owners come after what they have
        if kind in wanted:
            found += _objects(conn, kind, wanted)
    events = {one.event: one for one in known if one.event is not None}
    return found + _events(conn, events, kinds)


def _objects(conn: psycopg.Connection, kind: str, wanted: dict[str, dict[UUID, UUID | None]]) -> list[Message]:
    """Messages of one kind. Owners whose status is that of these are added to what is ``wanted``."""
    ids = wanted[kind]
    objects = reader.objects(conn, kind, everything=True, ids=list(ids), specs=False)
    found = []
    for one, document in zip(objects, documents(conn, objects), strict=True):
        said = {part: document[part] for part in ("kind", "metadata", "status")}
        found.append(Message(ids[one.id], kind, one.path, frame("object", said | {"path": one.name})))
    there = {one.id for one in objects}
    found += [
        Message(organization, kind, (), frame("gone", {"kind": kind, "id": id_}))
        for id_, organization in ids.items()
        if id_ not in there
    ]
    owner = ancestors(kind)[-1] if ancestors(kind) else ""
    if owner and KINDS[owner].facts.status_from == kind:
        of = {"/".join(one.path[:-1]): ids[one.id] for one in objects}
        for id_, path in stream.at_paths(conn, KINDS[owner].word(), list(of)):
            wanted.setdefault(owner, {}).setdefault(id_, of[path])
    return found


def _events(conn: psycopg.Connection, wanted: Mapping[int, Written], kinds: Mapping[str, str]) -> list[Message]:
    if not wanted:
        return []
    return [
        Message(
            wanted[each.id].organization,
            kinds[each.kind],
            tuple(each.path.split("/")) if each.path else (),
            frame("event", each.document() | {"kind": kinds[each.kind]}),
        )
        for each in happened.these(conn, list(wanted))
    ]
