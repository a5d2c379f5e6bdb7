"""Asks the controller to look at one object now, and waits until it has."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

import psycopg

from controller.actions.errors import NotInTimeError
from controller.actions.pause import reconciled
from controller.declared import controls
from controller.postgres.statements import statement

_POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Request:
    """A look that was asked for; ``words`` name the object."""

    key: tuple[str, UUID]
    token: str
    words: str


def ask(conn: psycopg.Connection, word: str, name: str | None) -> Request:
    """Ask for a look at the object of this kind and path.

    Raises:
        ActionError: there is none of this name, or its kind has no reconciler.
    """
    key, words = reconciled(conn, word, name)
    request = Request(key, uuid.uuid4().hex, words)
    controls.ask(conn, key, request.token)
    return request


def how(conn: psycopg.Connection, key: tuple[str, UUID], token: str) -> tuple[bool, str, str]:
    """Whether the controller has looked, or there is nothing to look at any more; reason and message of the object."""
    asked = {"kind": key[0], "id": key[1], "token": token}
    row = conn.execute(statement("declared/controls/handled"), asked).fetchone()
    done, reason, message, finalized = row or (False, "", "", False)
    return bool(done or finalized), reason or "", message or ""


def handled(conn: psycopg.Connection, request: Request, limit: float) -> tuple[str, str]:
    """Reason and message of the object as soon as the controller has looked, within ``limit`` seconds.

    Raises:
        NotInTimeError: it has not.
    """
    return until_handled(lambda: how(conn, request.key, request.token), request.words, limit)


def until_handled(look: Callable[[], tuple[bool, str, str]], words: str, limit: float) -> tuple[str, str]:
    """The same, of what ``look`` says; ``words`` name the object.

    Raises:
        NotInTimeError: it has not.
    """
    deadline = time.monotonic() + limit
    while True:
        done, reason, message = look()
        if done:
            return reason, message
        if time.monotonic() > deadline:
            raise NotInTimeError(
                f"{words}: it was not reconciled within {limit:g} s"
                + (f"; last said: {reason}: {message}" if reason else ""),
                "`skypanel explain` says what it waits for; `skypanel doctor`, whether a controller runs",
            )
        time.sleep(_POLL_SECONDS)
