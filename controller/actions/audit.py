"""The audit: does its chain fit, and its lines for whoever keeps them elsewhere.

A hash is the SHA-256 of ``<previous in hex> <position> <entry>``, where the entry is the text that PostgreSQL gives of
it. It is computed here, and not by a function of the database: who can change entries can change functions. Whoever
does both can make another chain that fits, so a position and its hash, noted elsewhere before, say more than the chain.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import psycopg

from controller.actions.errors import ActionError
from controller.declared import audit
from controller.declared.audit import Sealed
from specs.problems import RefusedError
from specs.units import parse_duration

NOTHING = "0" * 64
_ANCHOR = re.compile(r"(\d{1,18}):([0-9a-f]{64})")
_ENTRY = ', "entry": '
_DAYS = re.compile(r"[0-9]{1,4}d")


class BrokenChain(Exception):  # noqa: N818 - it is broken, not wrong
    """An entry does not fit.

    Args:
        position: of the first that does not.
        message: how.
    """

    def __init__(self, position: int, message: str) -> None:
        super().__init__(message)
        self.position = position


@dataclass(frozen=True, slots=True)
class Anchor:
    """A position and its hash, as they were noted."""

    position: int
    hash: str

    @classmethod
    def of(cls, text: str) -> Anchor:
        """What ``text`` says: ``POSITION:HASH``.

        Raises:
            ActionError: it says something else.
        """
        found = _ANCHOR.fullmatch(text.strip().lower())
        if found is None:
            raise ActionError(
                f"{text!r} is no position with its hash", "write POSITION:HASH, as `skypanel audit verify` prints it"
            )
        return cls(int(found[1]), found[2])

    def __str__(self) -> str:
        return f"{self.position}:{self.hash}"


@dataclass(frozen=True, slots=True)
class Chain:
    """What was found.

    Args:
        first: position of the first entry that is kept; 0 where there is none.
        last: where the chain ends.
        unsealed: entries that have no place in it yet.
        waiting_seconds: age of the oldest of them.
    """

    first: int
    last: Anchor
    unsealed: int = 0
    waiting_seconds: float | None = None


def hash_of(previous: str, position: int, entry: str) -> str:
    """The hash of one entry, in hex."""
    return hashlib.sha256(f"{previous} {position} {entry}".encode()).hexdigest()


def verify(conn: psycopg.Connection, anchor: Anchor | None = None, *, most: int | None = None) -> Chain:
    """Look at all that is kept, as it is at one moment.

    Args:
        conn: of a role of skypanel_reader or skypanel_controller, not in a transaction.
        anchor: what was noted before.
        most: at so many of the last entries only; where they begin is taken as it is.

    Raises:
        BrokenChain: an entry was changed, is missing, or is another one than was noted.
        ActionError: what was noted is older than what is kept.
    """
    with conn.transaction():
        conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        head = audit.head(conn)
        after = 0 if most is None else max(0, head.position - most)
        found = follow(audit.sealed(conn, after), anchor, whole=most is None)
    if found.last != (end := Anchor(head.position, head.hash)):
        raise BrokenChain(found.last.position + 1, f"the chain ends with entry {found.last}, and did with {end}")
    return Chain(found.first, found.last, head.unsealed, head.waiting_seconds)


def follow(entries: Iterable[Sealed], anchor: Anchor | None = None, *, whole: bool = False) -> Chain:
    """Whether each entry fits the one before.

    Args:
        entries: in order.
        anchor: an entry among them.
        whole: the first is number 1, or what went before it is named by a later entry.

    Raises:
        BrokenChain: one does not.
        ActionError: ``anchor`` is before the first.
    """
    first: Sealed | None = None
    last, pruned = Anchor(0, NOTHING), Anchor(0, NOTHING)
    for each in entries:
        if first is None:
            first, last = each, Anchor(each.position - 1, each.previous)
        last = _next(last, each)
        if anchor is not None and anchor.position == each.position and anchor != last:
            raise BrokenChain(
                each.position, f"entry {each.position} has the hash {each.hash}, and was noted with another one"
            )
        if '"did": "pruned"' in each.entry and (what := json.loads(each.entry)).get("did") == "pruned":
            pruned = Anchor(what["pruned"]["through"], what["pruned"]["hash"])
    if whole and first is not None and Anchor(first.position - 1, first.previous) != pruned:
        raise BrokenChain(
            first.position, f"the first entry is {first.position}, and none says that those before it went by their age"
        )
    if anchor is not None:
        _reached(anchor, 0 if first is None else first.position, last)
    return Chain(0 if first is None else first.position, last)


def _next(last: Anchor, entry: Sealed) -> Anchor:
    """``entry``, when it is what comes after ``last``."""
    if entry.position != last.position + 1:
        missing = last.position + 1
        raise BrokenChain(missing, f"entry {missing} is missing: {entry.position} comes after {last.position}")
    if entry.previous != last.hash:
        raise BrokenChain(entry.position, f"entry {entry.position} does not follow the one before it")
    if entry.hash != hash_of(entry.previous, entry.position, entry.entry):
        raise BrokenChain(entry.position, f"entry {entry.position} is not as it was written")
    return Anchor(entry.position, entry.hash)


def _reached(anchor: Anchor, first: int, last: Anchor) -> None:
    """Whether what was noted is among what is kept."""
    if anchor.position > last.position:
        raise BrokenChain(
            last.position + 1, f"the chain ends with entry {last.position}, and {anchor.position} was noted"
        )
    if anchor.position < first:
        raise ActionError(
            f"entry {anchor.position} was noted, and the oldest that is kept is {first}",
            "compare with a later one, or with an export",
        )


def line_of(entry: Sealed) -> str:
    """An entry as a line of JSON; the document is the text that was hashed, up to the closing brace."""
    return (
        f'{{"position": {entry.position}, "previous": "{entry.previous}", "hash": "{entry.hash}"{_ENTRY}{entry.entry}}}'
    )


def read_lines(lines: Iterable[str], source: str) -> Iterator[Sealed]:
    """The entries of an export.

    Raises:
        ActionError: a line is none of ``line_of``.
    """
    for number, line in enumerate(lines, start=1):
        before, _, entry = line.rstrip("\n").partition(_ENTRY)
        try:
            about = json.loads(before + "}")
            found = Sealed(int(about["position"]), str(about["previous"]), str(about["hash"]), entry[:-1])
        except (ValueError, KeyError, TypeError):
            raise ActionError(f"{source}:{number} is no line of `skypanel audit export`") from None
        yield found


def since(text: str) -> datetime | None:
    """A moment: ``2h`` or ``7d`` ago, or ``2026-11-27`` or ``2026-11-27T10:00:00`` (UTC unless it says otherwise).

    Raises:
        ActionError: it is neither.
    """
    if not text:
        return None
    if _DAYS.fullmatch(text):
        return datetime.now(UTC) - timedelta(days=int(text[:-1]))
    try:
        return datetime.now(UTC) - parse_duration(text)
    except RefusedError:
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ActionError(f"--since: {text!r} is no time", "write 2h, 7d, 2026-11-27 or 2026-11-27T10:00:00Z") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
