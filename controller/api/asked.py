"""What a route is given, and what it gives back: plain functions of one to the other, which run in a worker thread."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import psycopg
from pydantic import BaseModel
from starlette.datastructures import Headers

from controller.api.callers import Access, Caller
from controller.api.looks import Looks
from controller.api.problems import ProblemError, not_found
from controller.api.streams.follower import Following
from controller.declared.writer import Written
from controller.settings import Settings


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, by somebody who is known.

    Args:
        conn: in autocommit mode, which sees what the caller may see.
        caller: who asks.
        access: what may be done.
        settings: of the installation.
        of_kinds: settings that kinds have of their own.
        cursor_key: what cursors are signed with.
        looks: at the engine.
        address: of what is asked for, from the root.
        names: in the places of the address.
        query: parameters, each once.
        headers: with names in lower case.
        body: what was sent, read; None: nothing was.
        client: the address that it comes from.
    """

    conn: psycopg.Connection
    caller: Caller
    access: Access
    settings: Settings
    of_kinds: Mapping[str, BaseModel]
    cursor_key: bytes = field(repr=False)
    looks: Looks
    address: str
    names: Mapping[str, str]
    query: Mapping[str, str]
    headers: Headers = field(repr=False)
    body: Any = field(default=None, repr=False)
    client: str = ""

    def refuse_unless(self, verb: str, kind: str, path: Sequence[str]) -> None:
        """Have somebody who may not be told what it is.

        Raises:
            ProblemError: not found, where the caller may not even read it; else forbidden.
        """
        if self.access.may(self.caller, verb, kind, tuple(path)):
            return
        if verb == "read" or not self.access.may(self.caller, "read", kind, tuple(path)):
            raise not_found()
        raise ProblemError("forbidden", f"{verb} is not among what you may do with it")

    def flag(self, name: str) -> bool:
        """Whether a parameter is ``true``."""
        return self.query.get(name) == "true"


@dataclass(frozen=True, slots=True)
class Waiting:
    """What an answer waits for.

    Args:
        keys: kind and id of each.
        seconds: that it takes at most.
        written: what was, and has to be declared still at the end.
    """

    keys: Sequence[tuple[str, UUID]]
    seconds: float
    written: Sequence[Written] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """What comes of it.

    Args:
        body: a document, or bytes that are one already; None: nothing.
        status: of HTTP.
        headers: beside those that every answer has.
        media_type: of the body.
        waiting: what is waited for before it is given.
        kept: what is remembered of it for an ``Idempotency-Key``, where that is not all; None: all is.
        follows: it is a stream of this.
        ends: ids of sessions that are no more.
    """

    body: Any = field(default=None, repr=False)
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    media_type: str = "application/json"
    waiting: Waiting | None = None
    kept: Any = field(default=None, repr=False)
    follows: Following | None = None
    ends: Sequence[str] = ()


Handler = Callable[[Asked], Answer]
