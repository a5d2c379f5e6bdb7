"""One who follows: what he wants, what he may have, and what waits to be sent to him, which is bounded."""

from __future__ import annotations

import random
import time
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import anyio

from controller.api.callers import Access, Caller
from controller.api.streams.messages import KEEP_ALIVE, Message
from specs.kinds import KINDS, ancestors

MOST_WAITING = 262_144
"""Bytes that may wait for one reader. They are the same bytes for all of an organization."""
ALIVE_SECONDS = 15.0
AGAIN_SECONDS = 60.0
"""After which who reads is looked up again, at the latest: a token that is revoked reads no longer. Those who came in
one moment, as after a restart, are not looked up in one."""
SEND_SECONDS = 20.0
"""A reader that takes nothing for so long is gone."""


@dataclass(frozen=True, slots=True)
class Following:
    """What somebody wants to follow.

    Args:
        kinds: only these; empty: all.
        path: only what is there, and below it; empty: all.
        seconds: then it ends; 0: never.
    """

    kinds: frozenset[str] = frozenset()
    path: tuple[str, ...] = ()
    seconds: float = 0.0


class Follower:
    """One reader of a stream. All of it is used in the event loop.

    Args:
        caller: who reads.
        access: what he may have.
        wants: what he asked for.
    """

    def __init__(self, caller: Caller, access: Access, wants: Following) -> None:
        self.caller = caller
        self.wants = wants
        self.why = ""
        """Why it ends; empty: it goes on."""
        self.ends = time.monotonic() + wants.seconds if wants.seconds else float("inf")
        self.known_until = _again(caller)
        """When who reads is looked up again."""
        self.scope = anyio.CancelScope()
        """Of all that is done for it."""
        self._access = access
        self._waiting: list[bytes] = []
        self._bytes = 0
        self._rang = anyio.Event()
        self._since = time.monotonic()
        """When something was sent, or began to be."""
        self._sends = False

    def looked_up(self, caller: Caller) -> None:
        """Who reads was looked up once more."""
        self.caller = caller
        self.known_until = _again(caller)

    @property
    def alike(self) -> Hashable:
        """Followers of whom this is equal may have the same."""
        return self.wants, self._access.alike(self.caller)

    def may_have(self, message: Message) -> bool:
        """Whether he asked for it and may read it. What is gone is told to who may read all of his organization."""
        kinds, path, caller = self.wants.kinds, self.wants.path, self.caller
        if not caller.platform and message.organization not in (None, caller.organization):
            return False
        if kinds and message.kind not in kinds:
            return False
        if KINDS[message.kind].facts.offered and not caller.platform:
            return False  # a message does not say whether it is offered: lists do
        if message.path:
            return message.path[: len(path)] == path and self._access.may(caller, "read", message.kind, message.path)
        if message.organization is None and not caller.platform:
            return False
        # Whose it was below the organization is not known any more: who is limited to some of it hears nothing.
        own = () if caller.platform else (caller.organization_slug, *("?" for _ in ancestors(message.kind)))
        return self._access.may(caller, "read", message.kind, own)

    def put(self, frames: bytes) -> None:
        """Send ``frames``; who has not read what waits already is dropped."""
        if self.why:
            return
        self._waiting.append(frames)
        self._bytes += len(frames)
        if self._bytes > MOST_WAITING:
            self.end(f"more than {MOST_WAITING} bytes waited for you: read faster, or follow less")
        self._rang.set()

    def end(self, why: str) -> None:
        """Say no more than ``why``."""
        if not self.why:
            self.why = why
            self._waiting, self._bytes = [], 0
            self._rang.set()

    def tend(self, now: float) -> None:
        """What time alone brings: its end, a sign of life, another look at who reads. Who takes nothing is gone."""
        if self._sends:
            if now - self._since > SEND_SECONDS:
                self.scope.cancel()
        elif now >= self.ends:
            self.end("the time that was asked for is over")
        elif now >= self.known_until:
            self._rang.set()
        elif now - self._since > ALIVE_SECONDS:
            self.put(KEEP_ALIVE)

    async def take(self) -> bytes:
        """What waits, as soon as something does, or something else is to be done."""
        await self._rang.wait()
        self._rang = anyio.Event()
        found, self._waiting, self._bytes = b"".join(self._waiting), [], 0
        return found

    @contextmanager
    def sending(self) -> Iterator[None]:
        """Something is sent within."""
        self._since, self._sends = time.monotonic(), True
        yield
        self._since, self._sends = time.monotonic(), False


def _again(caller: Caller) -> float:
    """When he is looked up again: his session may end before."""
    seconds = AGAIN_SECONDS * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, and is no secret
    if caller.ends is not None:
        seconds = min(seconds, max(0.1, (caller.ends - datetime.now(UTC)).total_seconds() + 0.1))
    return time.monotonic() + seconds
