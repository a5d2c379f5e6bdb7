"""Reads what was written, once for all who follow, and hands to each what he may have.

One connection listens; a notification says only that there may be something. What there is, is read a few times a
second at most, so that a thousand writes of a moment are one message an object. While the database is away nothing is
passed over: it goes on from where it was. Where that is too long ago, too much, or cannot be read again and again, all
are told to read again what they show, and it goes on from now.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable
from contextlib import suppress
from typing import Any
from uuid import UUID

import anyio
import anyio.lowlevel
import psycopg
import structlog

from controller.api.callers import Caller
from controller.api.problems import ProblemError
from controller.api.streams import messages
from controller.api.streams.follower import Follower
from controller.api.streams.messages import Message
from controller.declared import lookups, stream
from controller.declared.lookups import Leader
from controller.declared.stream import Position, TooMuchError
from controller.kit.bell import Bell
from controller.postgres.connecting import connected

log = structlog.get_logger(__name__)

TICK_SECONDS = 0.1
"""Between two looks, at least."""
IDLE_SECONDS = 2.0
"""Between two looks, at most: who leads is seen by looking."""
MOST_AT_ONCE = 5000
"""Objects and events that are read again in one look."""
MOST_FAILED = 3
"""Looks in a row that fail at what was written, while the database answers."""
_FIRST_SECONDS = 5.0
TEND_SECONDS = 0.5
_PIECE = 200
"""Followers that are handed something before others have their turn."""

InThread = Callable[[Callable[[psycopg.Connection], Any]], Awaitable[Any]]


class Hub:
    """Of one process.

    Args:
        conninfo: of the database, to listen.
        read: does something with a connection that sees everything, in a worker thread.
        most: followers at once.
        most_each: of one caller.
    """

    def __init__(self, conninfo: str, read: InThread, most: int, most_each: int) -> None:
        self._conninfo = conninfo
        self._read = read
        self._most = most
        self._most_each = most_each
        self._followers: set[Follower] = set()
        self._seen: Position | None = None
        self._leader: Leader | None = None
        self._failed = 0
        """Looks since the last one that read what was written."""
        self._ended = ""
        self._bell = Bell()
        self._begun = anyio.Event()

    async def run(self) -> None:
        """Look and hand out, until it is cancelled."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._tend)
            while True:
                began = time.monotonic()
                try:
                    await self._look()
                except (psycopg.Error, OSError) as error:
                    log.warning("api.stream_interrupted", error=str(error))
                    await anyio.sleep(IDLE_SECONDS)
                await anyio.sleep(max(0.0, began + TICK_SECONDS - time.monotonic()))
                with anyio.move_on_after(IDLE_SECONDS):
                    await self._bell.wait()

    async def listen(self) -> None:
        """Have each notification looked at, until it is cancelled. A lost one costs the time until the next look."""
        while True:
            try:
                async with connected(self._conninfo) as connection:
                    await connection.execute(f"LISTEN {stream.CHANNEL}")
                    self._bell.ring()
                    while True:
                        heard = False
                        async for _ in connection.notifies(timeout=5.0, stop_after=1):
                            heard = True
                            self._bell.ring()
                        if heard:  # so it lives
                            continue
                        async with asyncio.timeout(10):
                            await connection.execute("SELECT 1")
            except (psycopg.Error, OSError, TimeoutError) as error:
                log.warning("api.stream_hints_lost", error=str(error))
                await anyio.sleep(IDLE_SECONDS)

    async def join(self, follower: Follower) -> None:
        """Hand to ``follower`` what is written from now on.

        Raises:
            ProblemError: there are too many, the process ends, or the database does not answer.
        """
        with anyio.move_on_after(_FIRST_SECONDS):
            await self._begun.wait()
        if self._ended or self._seen is None:
            headers = {"Retry-After": "1"}
            raise ProblemError("unavailable", self._ended or "the database does not answer", headers=headers)
        key = _key(follower.caller)
        if len(self._followers) >= self._most:
            raise ProblemError("too-many-requests", f"{self._most} streams are open here", headers={"Retry-After": "5"})
        if sum(_key(each.caller) == key for each in self._followers) >= self._most_each:
            raise ProblemError(
                "too-many-requests", f"{self._most_each} streams of yours are open: close one of them, or share it"
            )
        self._followers.add(follower)

    def leave(self, follower: Follower) -> None:
        """Hand it nothing any more."""
        self._followers.discard(follower)

    def end_session(self, session: str) -> None:
        """End the streams of a session of a browser, which is no more."""
        for each in self._followers:
            if each.caller.session == session:
                each.end("the session has ended")

    def end(self, why: str) -> None:
        """End all streams, and open none."""
        self._ended = why
        for each in self._followers:
            each.end(why)

    @property
    def leader(self) -> bytes:
        """Whether anybody vouches for what is said, as a message."""
        return messages.controller(self._leader) if self._leader is not None else b""

    async def _look(self) -> None:
        self._bell.quiet()
        followed = bool(self._followers)
        seen, found, leader = await self._read(lambda conn: self._read_again(conn, followed=followed))
        if followed or self._seen is None or not self._followers:  # else who joined meanwhile would miss what was read
            self._seen = seen
        self._begun.set()
        if self._leader is None or _vouches(leader) != _vouches(self._leader):
            self._leader = leader
            for each in self._followers:
                each.put(self.leader)
        if found is None:
            self._reset(messages.RESET + messages.position(seen))
        elif found:
            await self._hand_out(found, messages.position(seen))

    def _read_again(self, conn: psycopg.Connection, *, followed: bool) -> tuple[Position, list[Message] | None, Leader]:
        """Up to where it has read, what was written until there, and who leads; None: that cannot be told."""
        leader = lookups.leader(conn)  # the database answers: what fails from here on, fails at what was written
        if self._seen is None or not followed:
            return stream.now(conn), [], leader
        if self._failed < MOST_FAILED:
            self._failed += 1
            with suppress(TooMuchError):
                at, written = stream.since(conn, self._seen, MOST_AT_ONCE)
                found = messages.read(conn, written)
                self._failed = 0
                return at, found, leader
        at = stream.now(conn)
        self._failed = 0
        return at, None, leader

    def _reset(self, frames: bytes) -> None:
        log.warning("api.stream_reset", streams=len(self._followers))
        for each in self._followers:
            each.put(frames)

    async def _hand_out(self, found: list[Message], position: bytes) -> None:
        """To each what he may have. Nothing is kept between two of them: the next look waits for this one's end."""
        by_owner: dict[UUID | None, list[Message]] = {}
        for message in found:
            by_owner.setdefault(message.organization, []).append(message)
        made: dict[Hashable, bytes] = {}
        for number, each in enumerate(list(self._followers)):
            key, organization = each.alike, each.caller.organization
            if key not in made:
                own = found if each.caller.platform else [*by_owner.get(organization, ()), *by_owner.get(None, ())]
                frames = b"".join(message.frame for message in own if each.may_have(message))
                made[key] = frames + position if frames else b""
            if made[key]:
                each.put(made[key])
            if number % _PIECE == _PIECE - 1:
                await anyio.lowlevel.checkpoint()

    async def _tend(self) -> None:
        while True:
            now = time.monotonic()
            for each in list(self._followers):
                each.tend(now)
            await anyio.sleep(TEND_SECONDS)


def _key(caller: Caller) -> tuple[str, str, object]:
    """Who he is: whoever has many sessions is one."""
    return "session" if caller.session else caller.means, caller.actor, caller.organization


def _vouches(leader: Leader) -> tuple[bool, bool]:
    return leader.alive, leader.reaches_engine
