"""How an object stands, in two axes: does something serve, and has what was asked for arrived; the same in every face.

A red mark is for an outage alone: what serves while something newer failed needs somebody, and is not down.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from uuid import UUID

from controller.actions.objects import status_document
from controller.declared.objects import DeclaredObject
from reconcilers.conditions import PAUSED
from reconcilers.reasons import plain, reason_of
from specs.kinds import KINDS, SERVING

if TYPE_CHECKING:
    import psycopg


class Tone(StrEnum):
    """Of an object, in a word."""

    READY = "ready"
    ON_ITS_WAY = "on its way"
    NEEDS_YOU = "needs you"
    DOWN = "down"
    PAUSED = "paused"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Standing:
    """Of one object.

    Args:
        serves: whether something of it answers or runs; None: nobody can say, or nothing of it ever does.
        as_asked: whether it is as declared; None: nobody can say.
        tone: of both; None where nothing is said of such objects.
        cause: what its reason means; empty when nothing is in the way.
        mend: what to do about it.
    """

    serves: bool | None
    as_asked: bool | None
    tone: Tone | None
    cause: str = ""
    mend: str = ""


def standing(found: DeclaredObject) -> Standing:
    """How ``found`` stands."""
    status, word = found.status, KINDS[found.kind].word()
    if status.ready is None:
        return Standing(None, None, None)
    if status.reason == PAUSED:
        return Standing(_serves(found), None, Tone.PAUSED, *_meaning(PAUSED, word))
    if status.unknown:
        return Standing(None, None, Tone.UNKNOWN, *_meaning(status.reason, word))
    if status.ready:
        return Standing(_serves(found), True, Tone.READY)
    serves = _serves(found)
    known = reason_of(status.reason, word)
    waits = known.goes_on if known is not None else not status.stalled
    stuck = Tone.DOWN if serves is False and found.deleted_at is None else Tone.NEEDS_YOU
    tone = Tone.ON_ITS_WAY if waits and not status.stalled else stuck
    return Standing(serves, False, tone, *_meaning(status.reason, word))


def _serves(found: DeclaredObject) -> bool | None:
    if KINDS[found.kind].word() not in SERVING:
        return True if found.status.ready and not found.status.unknown and KINDS[found.kind].facts.part else None
    details = found.status.details
    services: Mapping[str, Any] = details.get("services") or {}
    return bool(details.get("running")) or any(service.get("running") for service in services.values())


@lru_cache(maxsize=1024)
def _meaning(reason: str, word: str) -> tuple[str, str]:
    known = reason_of(reason, word)
    return ("", "") if known is None else (plain(known.cause), plain(known.mend))


def documents(conn: psycopg.Connection, found: Sequence[DeclaredObject]) -> list[dict[str, Any]]:
    """Spec and status of each, with how it stands, for programs."""
    from controller.declared import lookups  # noqa: PLC0415 - who asks for a standing alone asks no database

    released = [o.id for o in found if KINDS[o.kind].facts.released]
    serving = lookups.deployed(conn, released) if released else {}
    return [_document(o, serving) for o in found]


def _document(found: DeclaredObject, serving: Mapping[UUID, int]) -> dict[str, Any]:
    document, at = status_document(found), standing(found)
    document["status"] |= {
        "serves": at.serves,
        "asAsked": at.as_asked,
        "tone": at.tone,
        "cause": at.cause or None,
        "mend": at.mend or None,
    }
    if KINDS[found.kind].facts.released:
        wanted = found.status.details.get("release")
        document["status"]["release"] = {
            "wanted": wanted,
            "serving": (wanted if at.as_asked else serving.get(found.id)) if at.serves else None,
        }
    return document
