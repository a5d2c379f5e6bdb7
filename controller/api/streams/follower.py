"""One who follows: what he wants, what he may have, and what waits to be sent to him, which is bounded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import anyio

from controller.api.callers import Access, Caller
from controller.api.streams.messages import Message

MOST_WAITING = 262_144
"""Bytes that may wait for one reader. They are the same bytes for all of an organization."""


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
        self._access = access
        self._waiting: list[bytes] = []
        self._bytes = 0
        self._rang = anyio.Event()

    def may_have(self, message: Message) -> bool:
        """Whether he asked for it and may read it. What is gone is told to who may read all of his organization."""
        kinds, path, caller = self.wants.kinds, self.wants.path, self.caller
        if not caller.platform and message.organization not in (None, caller.organization):
            return False
        if kinds and message.kind not in kinds:
            return False
        if message.path:
            return message.path[: len(path)] == path and self._access.may(caller, "read", message.kind, message.path)
        if message.organization is None and not caller.platform:
            return False
        own = () if caller.platform else (caller.organization_slug,)
        return self._access.may(caller, "read", message.kind, own)

    def put(self, frames: Sequence[bytes]) -> None:
        """Send ``frames``; who has not read what waits already is dropped."""
        if self.why:
            return
        self._waiting += frames
        self._bytes += sum(map(len, frames))
        if self._bytes > MOST_WAITING:
            self.end(f"more than {MOST_WAITING} bytes waited for you: read faster, or follow less")
        self._rang.set()

    def end(self, why: str) -> None:
        """Say no more than ``why``."""
        if not self.why:
            self.why = why
            self._waiting, self._bytes = [], 0
            self._rang.set()

    async def take(self, seconds: float) -> bytes:
        """What waits, as soon as something does; empty: nothing within so many seconds, or it has ended."""
        with anyio.move_on_after(seconds):
            await self._rang.wait()
        self._rang = anyio.Event()
        if self.why:
            self._rang.set()
        found, self._waiting, self._bytes = b"".join(self._waiting), [], 0
        return found
