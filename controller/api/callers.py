"""Who asks and what he may do, as this face needs it: ``controller.access`` decides both."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

import anyio
import psycopg
from starlette.datastructures import Headers

from controller.access.sessions import Begun
from controller.settings import Settings


class Caller(Protocol):
    """Somebody who is known."""

    @property
    def actor(self) -> str:
        """What he is called in the audit."""

    @property
    def means(self) -> str:
        """By what he came, such as ``token``."""

    @property
    def organization(self) -> UUID | None:
        """That he acts in."""

    @property
    def organization_slug(self) -> str:
        """What it is called in paths."""

    @property
    def role(self) -> Any:
        """There, or of the platform."""

    @property
    def user_id(self) -> UUID | None:
        """Whose rights are used; None: a machine's own."""

    @property
    def impersonator(self) -> UUID | None:
        """Who acts as that user."""

    @property
    def until(self) -> datetime | None:
        """When what he came with ends, and what he makes with it at the latest; None: it is not bounded."""

    @property
    def session(self) -> str:
        """Id of the session of a browser that he came with; empty: none."""

    @property
    def ends(self) -> datetime | None:
        """When that session ends."""

    @property
    def noted(self) -> bool:
        """That session's use was noted lately."""

    @property
    def platform(self) -> bool:
        """Whether rows of every organization are his to see."""


def _no_sessions(*_: Any) -> Any:
    raise LookupError("there are no sessions here")


@dataclass(frozen=True, slots=True)
class Access:
    """What decides.

    Args:
        authenticate: who sent these headers from this address, to what is of the organization of this slug, by a
            connection that sees nothing yet.
        may: whether he may do this to this object.
        can: what he may do to it.
        within: whether a token of this role, limited to these apps and verbs, may no more than he.
        alike: callers of whom this is equal may do the same.
        tend: what has to go on meanwhile for callers to be known.
        begin: makes a session of who has sent these headers, from this address.
        end: ends the session of these headers.
        end_all: ends all sessions of somebody; says their ids.
        used: notes that the session of these headers is used.
    """

    authenticate: Callable[[psycopg.Connection, Headers, Settings, str, str], Caller]
    may: Callable[[Any, str, str, tuple[str, ...]], bool]
    can: Callable[[Any, str, tuple[str, ...]], tuple[str, ...]]
    within: Callable[[Any, str, Sequence[str], Sequence[str]], bool]
    alike: Callable[[Any], Hashable]
    tend: Callable[[], Awaitable[None]] = anyio.sleep_forever
    begin: Callable[[psycopg.Connection, Headers, Settings, Any, str], Begun] = _no_sessions
    end: Callable[[psycopg.Connection, Headers], None] = _no_sessions
    end_all: Callable[[psycopg.Connection, Any], Sequence[str]] = _no_sessions
    used: Callable[[psycopg.Connection, Headers], None] = _no_sessions
