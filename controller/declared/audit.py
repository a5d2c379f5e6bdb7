"""The audit as rows: what was changed, by whom; the chain of its entries; and what was refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg

from controller.postgres.statements import statement
from specs.kinds import TENANT_WORD

_PIECE = 1000


@dataclass(frozen=True, slots=True)
class Sealed:
    """One entry of the chain.

    Args:
        position: counts up from 1, without a gap.
        previous: hash of the entry before, in hex; of the first: zeros.
        hash: of ``previous``, ``position`` and ``entry``, in hex.
        entry: a document of JSON, as it was hashed.
    """

    position: int
    previous: str
    hash: str
    entry: str


@dataclass(frozen=True, slots=True)
class Head:
    """Where the chain ends.

    Args:
        position: of its last entry; 0: it has none.
        hash: of that entry, in hex.
        unsealed: entries that have no place in it yet.
        waiting_seconds: age of the oldest of them; None where there is none.
    """

    position: int
    hash: str
    unsealed: int
    waiting_seconds: float | None


@dataclass(frozen=True, slots=True)
class Which:
    """Which entries are meant; what is empty leaves none out.

    Args:
        organization: its name, or its slug at that time.
        kind: as the entries have it.
        path: of an object, or of what it is below.
        actor: who acted, as entries have him: the role, or whom a session said that it acts for.
        since: not before.
        most: so many, the newest.
    """

    organization: str = ""
    kind: str = ""
    path: str = ""
    actor: str = ""
    since: datetime | None = None
    most: int = 100


def listed(conn: psycopg.Connection, which: Which) -> list[Mapping[str, Any]]:
    """Entries, the newest first, each with its ``position``; None where it is not sealed yet."""
    since = None if which.since is None else which.since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    rows = conn.execute(
        statement("declared/audit/listed").encode(),
        {
            "tenant": which.organization,
            "kind": which.kind,
            "path": which.path,
            "actor": which.actor,
            "since": since,
            "most": which.most,
            "tenants": TENANT_WORD,
        },
    )
    return [{"position": position, **entry} for position, entry in rows]


def sealed(conn: psycopg.Connection, after: int = 0) -> Iterator[Sealed]:
    """The chain after a position, in pieces."""
    while True:
        rows = conn.execute(statement("declared/audit/sealed").encode(), {"after": after, "most": _PIECE}).fetchall()
        for row in rows:
            yield Sealed(*row)
        if len(rows) < _PIECE:
            return
        after = rows[-1][0]


def head(conn: psycopg.Connection) -> Head:
    """Where the chain ends, and what is not in it yet."""
    row = conn.execute(statement("declared/audit/head")).fetchone()
    assert row is not None
    return Head(*row)


def refuse(conn: psycopg.Connection, tried: str, kind: str, path: str, message: str) -> None:
    """Have it on record that something was tried and refused, in a transaction of its own.

    Args:
        conn: not in a transaction: what was refused was undone with its own.
        tried: what was to be done, such as ``apply``.
        kind: as entries have it; may be empty.
        path: of the object; may be empty.
        message: why it was refused.
    """
    given = {"tried": tried, "kind": kind, "path": path, "message": message}
    conn.execute(statement("declared/audit/refuse").encode(), given)
