"""Sessions of browsers: random cookies, of which the database has the SHA-256, made of a token and never more than it.

A session keeps what it was made of: the hash of an API token, the id of a user of the panel (and of the administrator
who acts as him), or the claims of an issued token. That is looked up with each request, as the token itself would be.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import psycopg

from controller.access import token_text
from controller.access.caller import Caller
from controller.access.requests import About, Question
from controller.postgres.statements import statement

IDLE_HOURS, LONGEST_DAYS, MOST = 12, 7, 10
"""A session that nobody uses for so many hours ends, and each after so many days; one person has so many at most."""
_BYTES = 32
_FORM = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True)
class Begun:
    """A new session.

    Args:
        id: of it, which is no secret.
        cookie: what the browser keeps; it stands nowhere else.
        until: when it ends at the latest.
    """

    id: str
    cookie: str = field(repr=False)
    until: datetime


def is_one(text: str) -> bool:
    """Whether it has the form."""
    return _FORM.fullmatch(text) is not None


def hash_of(cookie: str) -> bytes:
    """What the database knows it by: 32 bytes."""
    return hashlib.sha256(b"session " + cookie.encode("ascii")).digest()


def begin(conn: psycopg.Connection, made_of: Question, caller: Caller, until: datetime | None, address: str) -> Begun:
    """Make one for ``caller``.

    Args:
        conn: of a role of skypanel_api.
        made_of: what was asked about who calls, by his token.
        caller: who he is.
        until: when his token ends; None: it has no end that is known.
        address: where he is.
    """
    session_id, cookie = token_text.new_id(), secrets.token_urlsafe(_BYTES)
    said: dict[str, Any] = dict.fromkeys(("user", "admin", "issuer", "claims"))
    said |= {name: value for name, value in made_of.parameters.items() if name in said}
    row = conn.execute(
        _of("begin"),
        {
            **said,
            "id": session_id,
            "hash": hash_of(cookie),
            "whose": caller.whose,
            "token": made_of.parameters["hash"] if made_of.about is About.TOKEN else None,
            "actor": caller.actor,
            "until": until,
            "address": address,
        },
    ).fetchone()
    assert row is not None
    return Begun(session_id, cookie, row[0])


def end(conn: psycopg.Connection, cookie: str, why: str) -> bool:
    """End one; whether there was one."""
    row = conn.execute(_of("end"), {"hash": hash_of(cookie), "why": why}).fetchone()
    return bool(row and row[0])


def end_all(conn: psycopg.Connection, caller: Caller) -> Sequence[str]:
    """End all of who calls; their ids."""
    row = conn.execute(_of("end_all"), {"whose": caller.whose}).fetchone()
    return list(row[0]) if row else []


def used(conn: psycopg.Connection, cookie: str) -> None:
    """Note that one was used."""
    conn.execute(_of("used"), {"hash": hash_of(cookie)})


def _of(name: str) -> bytes:
    return statement(f"access/sessions/{name}").encode()
