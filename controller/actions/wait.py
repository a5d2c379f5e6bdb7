"""Waits until declared objects are as declared."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from controller.actions.errors import NotInTimeError
from controller.actions.objects import reads
from controller.declared import readiness
from controller.declared.objects import Read
from controller.declared.readiness import Progress
from controller.declared.written import Written
from reconcilers.conditions import FUSE_TRIPPED, PAUSED

if TYPE_CHECKING:
    import psycopg

POLL_SECONDS = 0.15
_NAMED = 2
_PLURALS = {"is": "are", "was": "were"}

Show = Callable[[Sequence[Progress]], None]


def wait(conn: psycopg.Connection, keys: Sequence[tuple[str, UUID]], timeout: float, show: Show) -> None:
    """As ``until_settled``, of what a database says of these.

    Args:
        conn: a connection that is not in a transaction.
        keys: kind and id of each.
        timeout: seconds.
        show: is given how far they are, at each look.
    """
    if keys:
        until_settled(lambda: readiness.progress(conn, keys), timeout, show)


def until_settled(
    look: Callable[[], Sequence[Progress]], timeout: float, show: Show, *, pause: float = POLL_SECONDS
) -> None:
    """Return when every object is ready in its generation, or gone when its deletion was asked for.

    One that is stalled, paused or held back is not waited for.

    Args:
        look: how far they are.
        timeout: seconds.
        show: is given that, at each look.
        pause: seconds between two looks.

    Raises:
        NotInTimeError: one will not come further by itself, or the time is over; says which and why.
    """
    started = time.monotonic()
    while True:
        found = look()
        show(found)
        if is_settled(found) or time.monotonic() - started > timeout:
            if why := why_not(found, timeout):
                raise NotInTimeError(why)
            return
        time.sleep(pause)


def wait_written(
    conn: psycopg.Connection, written: Sequence[Written], timeout: float, show: Show, *, deleted: bool = False
) -> None:
    """The same of all that was ``written``, which has to be declared still: others may have changed it since.

    Args:
        conn: as ``wait`` has it.
        written: what was.
        timeout: as well.
        show: as well.
        deleted: it was deleted, with what is below it.

    Raises:
        NotInTimeError: as ``wait``; or it is ready, and not what was written.
    """
    from controller.actions.apply import concerned  # noqa: PLC0415 - who asks an API needs no client of the database

    wait(conn, concerned(conn, written, deleted=deleted), timeout, show)
    refuse_lost(reads(conn), written)


def refuse_lost(read: Read, written: Sequence[Written]) -> None:
    """Have what is ready be what was written.

    Raises:
        NotInTimeError: it is not.
    """
    if said := "\n".join(_lost(read, written)):
        raise NotInTimeError(said)


def lost(conn: psycopg.Connection, written: Sequence[Written]) -> Iterator[str]:
    """What others have changed or deleted of it since, a sentence an object."""
    return _lost(reads(conn), written)


def _lost(read: Read, written: Sequence[Written]) -> Iterator[str]:
    for each in written:
        entry = each.target.entry
        if not each.id or not each.changes or entry is None:
            continue
        present = [found for found in read(each.target.kind, each.target.path) if found.id == each.id]
        now = next((found for found in present if found.deleted_at is None), None)
        if now is None:
            yield f"{each.target} was deleted or renamed by somebody else meanwhile"
            continue
        wanted, said = entry.resource.document()["spec"], now.document()["spec"]
        fields = dict.fromkeys(change.field.partition(".")[0] for change in each.changes)
        if gone := [name for name in fields if wanted.get(name) != said.get(name)]:
            yield f"{each.target} is ready, but {', '.join(gone)} was changed by somebody else meanwhile"


def is_settled(found: Sequence[Progress]) -> bool:
    """Whether each is as it shall be, or will not come further by itself."""
    return all(p.converged or is_stuck(p) for p in found)


def is_stuck(found: Progress) -> bool:
    """Whether it will not come further by itself."""
    return found.current and (found.stalled or found.reason in (PAUSED, FUSE_TRIPPED)) and not found.converged


def why_not(found: Sequence[Progress], timeout: float) -> str:
    """What was not so within ``timeout`` seconds, and why, a sentence a line; empty when all was."""
    said: dict[str, list[str]] = {}
    for p in sorted((p for p in found if not p.converged), key=is_stuck, reverse=True):
        said.setdefault(_reason_stuck(p) if is_stuck(p) else _reason_late(p, timeout), []).append(f"{p.kind} {p.path}")
    return "\n".join(_sentence(names, reason) for reason, names in said.items())


def _sentence(names: Sequence[str], reason: str) -> str:
    """The first of many, how many more, and what is so of all of them."""
    if len(names) == 1:
        return f"{names[0]} {reason}"
    verb, _, rest = reason.partition(" ")
    more = len(names) - _NAMED
    last = f"{more} more" if more > 0 else names[-1]
    return f"{', '.join(names[: _NAMED if more > 0 else -1])} and {last} {_PLURALS[verb]} {rest}"


def _reason_stuck(found: Progress) -> str:
    if found.reason == PAUSED:
        return f"is paused: {found.message}"
    if found.reason == FUSE_TRIPPED:
        return f"is held back: {found.message}"
    return f"is stalled: {found.reason}: {found.message}"


def _reason_late(found: Progress, timeout: float) -> str:
    wanted = "gone" if found.deleted else "ready"
    if found.nobody:
        return (
            f"is not known to be {wanted} after {timeout:g} s: {found.nobody} (start one with `skypanel up`, or see "
            "`skypanel doctor`)"
        )
    if not found.current:
        return (
            f"was not looked at by a controller in generation {found.generation} within {timeout:g} s (start one with "
            "`skypanel up`, or see `skypanel doctor`)"
        )
    return f"is not {wanted} after {timeout:g} s: {found.reason}: {found.message}"
