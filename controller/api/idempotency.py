"""``Idempotency-Key``: a write that is sent again is answered as the first time, and is not done again.

The claim is a row of its own, made before the work; the answer is put into it when it is known. A process that dies
between the two leaves a claim without an answer: after some minutes the same request may take it over, and does what is
left of the work, as every write says what shall be and not what is to be done.

A body may hold what nobody reads again, so it is known by a digest under a key that is not in the database: whoever
reads the row can try no guess at it.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import Any

import orjson
import psycopg
from psycopg.types.json import Jsonb

from controller.api.asked import Answer
from controller.api.callers import Caller
from controller.api.documents import encode
from controller.api.problems import ProblemError
from controller.postgres.statements import statement


@dataclass(frozen=True, slots=True)
class Claim:
    """On a key: ``id`` tells it from those of others."""

    id: bytes
    caller: Caller
    request: bytes

    @classmethod
    def of(cls, secret: bytes, caller: Caller, key: str, *sent: Any) -> Claim:
        """Of ``caller`` on ``key``, for what was ``sent``; ``secret`` is what every replica has in common."""
        owner = orjson.dumps([str(caller.organization), caller.actor, caller.means, key])  # means: which of his tokens
        return cls(hashlib.sha256(owner).digest(), caller, hmac.digest(secret + key.encode(), encode(sent), "sha256"))


def claim(conn: psycopg.Connection, wanted: Claim) -> Answer | None:
    """Take a key; the answer that was given before, if one was.

    Raises:
        ProblemError: somebody works on it, or it was used for another request.
    """
    given = {"id": wanted.id, "tenant": wanted.caller.organization, "request": wanted.request}
    if conn.execute(statement("api/idempotency/claim"), given).fetchone():
        return None
    row = conn.execute(statement("api/idempotency/answer"), given).fetchone()
    if row is None:
        raise ProblemError("in-progress", "a request with this key has just ended", headers={"Retry-After": "1"})
    request, status, headers, body = row
    if bytes(request) != wanted.request:
        raise ProblemError("key-reused", "another request was sent with this Idempotency-Key")
    if status is None:
        raise ProblemError("in-progress", "a request with this key is being worked on", headers={"Retry-After": "2"})
    return Answer(bytes(body), status, {**headers, "Idempotency-Replayed": "true"})


def keep(conn: psycopg.Connection, claimed: Claim, answer: Answer, body: bytes) -> None:
    """Remember what was answered."""
    given = {"id": claimed.id, "status": answer.status, "headers": Jsonb(dict(answer.headers)), "body": body}
    conn.execute(statement("api/idempotency/keep"), given)


def prune(conn: psycopg.Connection) -> None:
    """Forget keys that are a day old; for a connection that sees those of everybody."""
    conn.execute(statement("api/idempotency/prune"))


def release(conn: psycopg.Connection, claimed: Claim) -> None:
    """Give the key back: nothing was done under it."""
    conn.execute(statement("api/idempotency/release"), {"id": claimed.id})
