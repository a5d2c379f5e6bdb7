"""What was written of late: which objects and events to read again, and up to where that has been seen.

Up to where is a snapshot of PostgreSQL (``xmin:xmax:in-progress``): it names each transaction whose writes it shows, so
one that began earlier and commits later is not passed over, and nothing has to be kept for whoever follows.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import psycopg

from controller.postgres.statements import statement

CHANNEL = "skypanel_stream"
_FORM = re.compile(r"([0-9]{1,10})\.([0-9]{1,10})\.([0-9]{1,19}):([0-9]{1,19}):((?:[0-9]{1,19},)*[0-9]{1,19})?")
_LONGEST = 1024
KEPT_SECONDS = 3300.0
"""What was written is known for an hour (migration 0074), and clocks differ."""


@dataclass(frozen=True, slots=True)
class Position:
    """Up to where somebody has seen what was written.

    Args:
        database: its number, which another one does not have.
        snapshot: of PostgreSQL.
        at: seconds since 1970, when it was taken.
    """

    database: int
    snapshot: str
    at: float

    @classmethod
    def read(cls, text: str) -> Position | None:
        """From its text; None: it is none, or too old to go on from."""
        form = _FORM.fullmatch(text) if len(text) <= _LONGEST else None
        if form is None:
            return None
        found = cls(int(form[2]), text.split(".", 2)[2], float(form[1]))
        return found if found.known else None

    def __str__(self) -> str:
        return f"{int(self.at)}.{self.database}.{self.snapshot}"

    @property
    def known(self) -> bool:
        """Whether all that was written since is known still."""
        return abs(time.time() - self.at) <= KEPT_SECONDS

    @property
    def short(self) -> bool:
        """Whether it is no longer than what is read again."""
        return len(str(self)) <= _LONGEST

    @property
    def end(self) -> int:
        """The first transaction that nobody had begun then."""
        return int(self.snapshot.split(":")[1])


@dataclass(frozen=True, slots=True)
class Written:
    """One object that was written, or of which something was said.

    Args:
        kind: its word.
        id: of it.
        organization: whose it is; None: the platform's, or not known any more.
        event: that was written; None: the object, or its status.
    """

    kind: str
    id: UUID
    organization: UUID | None
    event: int | None


class TooMuchError(Exception):
    """What was written since cannot be told: it is not known any more, or more than is read at once."""


def now(conn: psycopg.Connection) -> Position:
    """All that has been written until now."""
    at = time.time()
    row = conn.execute(statement("declared/stream/now")).fetchone()
    assert row is not None
    return Position(row[0], row[1], at)


def since(conn: psycopg.Connection, seen: Position, most: int) -> tuple[Position, list[Written]]:
    """What was written after ``seen``, as far as whoever asks may see it, and up to where that is.

    Args:
        conn: the database.
        seen: up to where it is known.
        most: objects and events that are read again at once.

    Raises:
        TooMuchError: there are more, or nobody knows them all: ``seen`` is of another database, is no snapshot, or was
            taken before what is still known, or in a future that a restored database has not had.
    """
    if not seen.known:
        raise TooMuchError
    at = time.time()
    try:
        rows = conn.execute(statement("declared/stream/since"), {"seen": seen.snapshot, "most": most}).fetchall()
    except psycopg.DataError:
        raise TooMuchError from None
    position = Position(rows[0][0], rows[0][1], at)
    if seen.database != position.database or seen.end > position.end or len(rows) > most:
        raise TooMuchError
    return position, [Written(*row[2:]) for row in rows if row[2] is not None]


def at_paths(conn: psycopg.Connection, word: str, paths: Sequence[str]) -> list[tuple[UUID, str]]:
    """Objects of a kind at ``paths``: id and path of each."""
    given = {"kind": word, "paths": list(paths)}
    return [(row[0], row[1]) for row in conn.execute(statement("declared/stream/at_paths"), given)]
