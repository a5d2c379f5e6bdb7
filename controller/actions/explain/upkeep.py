"""Links of every kind, before its own: somebody keeps it, nothing holds it, there is a row that can be read. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from controller.actions.explain.gathered import Gathered
from controller.declared.reader import DeclaredObject
from controller.loop.gates.operator_pause import message
from controller.records import Key
from reconcilers.chain import Known, Link, State
from reconcilers.reasons import plain, reason_of
from specs.kinds import KINDS


def upkeep(found: Gathered, known: Known) -> Iterator[Link]:
    """The links; none but the row's of what nobody keeps, and of what is gone."""
    if KINDS[found.object.kind].facts.has_status and found.object.status.finalized_at is None:
        yield controller(found, known)
        yield hold(found, known)
    yield row(found, known)


def controller(found: Gathered, known: Known) -> Link:
    """One leads, and reaches the engine."""
    leader = found.leader
    if not leader.alive:
        since = f"since {_at(leader.renewed_at)}; {leader.holder} was the last" if leader.renewed_at else "ever"
        return _broken("controller", "ControllerAway", f"no controller has been alive {since}")
    if not leader.reaches_engine:
        return _broken("controller", "EngineAway", f"{leader.holder} has not reached the engine since "
                       f"{_at(leader.engine_seen_at)}")  # fmt: skip
    return known.judge("controller", f"{leader.holder} leads, and renewed its lease at {_at(leader.renewed_at)}")


def hold(found: Gathered, known: Known) -> Link:
    """Nobody has stopped the work on it, and no gate holds it."""
    if found.pause is None:
        return known.judge("hold", "not paused, and nothing of it waits for a confirmation")
    of = found.of
    kind = KINDS[of.kind].word()
    names = {KINDS[owner.kind].word(): {_key(owner): owner.path[-1]} for owner in found.owners}
    said = message(Key(kind, str(of.id)), found.pause, {**names, _key(of): of.path[-1]})
    link = _broken("hold", "Paused", said)
    by, resume = found.pause.by or "somebody", said.rpartition("`skypanel resume")[2]
    why = f" ({found.pause.reason})" if found.pause.reason else ""
    return Link(link.name, link.state, said, f"{by} paused it{why}.", f"`skypanel resume{resume}")


def row(found: Gathered, known: Known) -> Link:
    """It is declared, not deleted, seen, and can be read."""
    asked = found.object
    gone = next((o for o in (*found.owners, asked) if o.deleted_at is not None), None)
    if gone is not None:
        return _deleted(found, known)
    if found.invalid and known.said.reason != "InvalidSpec":
        return _broken("row", "InvalidSpec", found.invalid)
    return known.judge("row", f"generation {asked.generation}, made at {_at(asked.created_at)}")


def _deleted(found: Gathered, known: Known) -> Link:
    first = next(o for o in (*found.owners, found.object) if o.deleted_at is not None)
    what = f"{KINDS[first.kind].word()} {first.name}"
    said = f"{what} was deleted at {_at(first.deleted_at)}"
    if found.object.status.finalized_at is not None or known.said.reason == "Deleted":
        mend = f"`skypanel restore {what}` brings it back, as long as its row is kept"
        return Link("row", State.BROKEN, said, f"It was deleted: {said}, and nothing of it is left.", mend)
    link = known.judge("row", said)
    if link.state.is_fault:
        return Link("row", link.state, f"{said}; {link.evidence}", link.cause, link.mend)
    return Link("row", State.WAITS, said, f"Its deletion was asked for: {said}.", "Continues by itself")


def _broken(name: str, reason: str, evidence: str) -> Link:
    """As the status of an object would say it that is looked at."""
    known = reason_of(reason, "")
    assert known is not None
    return Link(name, State.BROKEN, evidence, plain(known.cause), plain(known.mend))


def _key(found: DeclaredObject) -> str:
    return KINDS[found.kind].binding.key_column


def _at(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S %Z}" if moment else "no time"
