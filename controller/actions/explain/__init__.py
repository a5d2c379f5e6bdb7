"""Why an object is not as declared, or why it changed: the one cause and its mend, and the chain that it is a link of.

Nothing is asked of the controller: it is said as well when there is none, and when the engine cannot be asked; what
could not be seen is named then.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import psycopg

from controller.actions.explain.changes import last_changes
from controller.actions.explain.engine import seen
from controller.actions.explain.gathered import Gathered, gather
from controller.actions.explain.result import Explanation
from controller.actions.explain.upkeep import upkeep
from controller.actions.paths import looked_after, one
from controller.declared import reader
from controller.declared.reader import DeclaredObject, ObjectStatus
from controller.settings import Settings
from reconcilers import labels
from reconcilers.chain import Known, Link, Relative, Said, Seen, State, in_order, of_reason
from reconcilers.registry import registered
from specs.kinds import KINDS

__all__ = ["Explanation", "explain"]


def explain(conn: psycopg.Connection, settings: Settings, word: str, name: str | None) -> Explanation:
    """Why the object of this kind and path is not ready, and what changed it last.

    Args:
        conn: a connection of a role that may read; what it may not is left out, and named.
        settings: say where the engine is, and the edge's API.
        word: its kind, as people write it.
        name: its path.

    Raises:
        ActionError: there never was one.
    """
    kind, path = one(word, name)
    return _explain(conn, settings, gather(conn, kind, path))


def _explain(conn: psycopg.Connection, settings: Settings, found: Gathered) -> Explanation:
    sight: Seen | None = None
    unseen = list(found.unseen)
    made = registered().get(found.of.kind.lower())
    if made is not None and found.object.status.finalized_at is None:
        owner = labels.owner_key(found.of.kind.lower(), str(found.of.id))
        sight, hidden = seen(settings, owner, found.tenant, found.object.path[-1])
        unseen += hidden
    known = _known(found, sight)
    links = list(upkeep(found, known))
    is_kept = not any(link.state.is_fault for link in links)
    if found.object.deleted_at is None:
        links += _of_children(conn, settings, found) if made is None else [link(known) for link in made.links]
    if not any(link.state.is_fault for link in links):
        links += _otherwise(found.object)
    if made is not None or not is_kept:  # of children, none follows from another
        links = in_order(links)
    return Explanation(found.object, links, last_changes(conn, found), unseen).without_passwords()


def _known(found: Gathered, sight: Seen | None) -> Known:
    return Known(
        kind=found.object.kind.lower(),
        name=found.object.name,
        said=said(found.object.status),
        of=found.of.kind.lower(),
        spec=found.of.spec,
        details=found.of.details,
        snapshot=found.snapshot,
        owners=[_relative(owner) for owner in found.owners],
        parts=[_relative(part) for part in found.parts],
        seen=sight,
    )


def _relative(found: DeclaredObject) -> Relative:
    return Relative(KINDS[found.kind].word(), found.name, said(found.status), found.spec)


def said(status: ObjectStatus) -> Said:
    """A status, as links read it."""
    return Said(None if status.unknown else status.ready, status.reason, status.message)


def _of_children(conn: psycopg.Connection, settings: Settings, found: Gathered) -> Iterator[Link]:
    """Of what is as its children are: a link each; the first that is not ready in the words of its own cause."""
    child = KINDS[found.object.kind].facts.status_from
    explained: Explanation | None = None
    for each in [] if child is None else reader.objects(conn, child, found.object.path):
        name = f"{KINDS[each.kind].word()} {each.path[-1]}"
        if each.status.ready and not each.status.unknown:
            yield Link(name, State.OK, each.status.message, proven=True)
            continue
        if explained is not None:
            yield of_reason(name, _relative(each))
            continue
        explained = _explain(conn, settings, gather(conn, each.kind, each.path))
        cause = explained.cause or Link(name, State.BROKEN, each.status.message, each.status.reason)
        yield replace(cause, name=name, evidence=f"{cause.name}: {cause.evidence}")


def _otherwise(found: DeclaredObject) -> Sequence[Link]:
    """A status that is not ready by what no link knows of: in its own words."""
    status = found.status
    if status.ready is not False or found.status.finalized_at is not None:
        return []
    state = State.BROKEN if status.stalled else State.WAITS
    mend = "The message says what to do" if status.stalled else f"It is tried again by itself; {_ask(found.kind)}"
    return [Link("state", state, status.message, f"{status.reason}: {status.message}", mend)]


def _ask(kind: str) -> str:
    return f"`skypanel trace {KINDS[looked_after(kind)].word()} PATH` shows the last attempts"
