"""Groups calls that arrive while an earlier group is on its way: no delay when idle, few round trips under load.

The first caller flushes at once. Those who come meanwhile wait, and one of them flushes for all when the first is
done. A flush is shielded: a cancelled caller never leaves the others without an answer, and never cancels a database
call half-way. A group that fails for what one member asked is done again in halves: that member fails alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

import anyio

from reconcilers.outcomes import ReconcileError

T = TypeVar("T")
R = TypeVar("R")


async def halved(flush: Callable[[Sequence[T]], Awaitable[Sequence[R]]], items: Sequence[T]) -> list[R | Exception]:
    """What ``flush`` gives for each of ``items``; the error of those for which it fails also alone.

    An error that was foreseen (the database is away, the lease is lost) is about all of them: nothing is tried again.
    """
    try:
        return list(await flush(items))
    except Exception as error:  # noqa: BLE001 - whose fault it is shows in the halves
        if isinstance(error, ReconcileError) or len(items) == 1:
            return [error] * len(items)
    middle = len(items) // 2
    return [*await halved(flush, items[:middle]), *await halved(flush, items[middle:])]


class _Call(Generic[T, R]):
    __slots__ = ("done", "error", "item", "result", "wake")

    def __init__(self, item: T) -> None:
        self.item = item
        self.wake: asyncio.Event | None = None
        self.done = False
        self.result: R | None = None
        self.error: Exception | None = None

    def tell(self) -> None:
        if self.wake is not None:  # a leader does not wait
            self.wake.set()


class Batcher(Generic[T, R]):
    """Turns ``flush(items) -> results`` (same order, same length) into ``await submit(item) -> result``.

    Args:
        flush: does a group, all of it or nothing; may be called again with a part of one. What it raises goes to
            every caller of the group, or to the one whose fault it is; an exception as a result goes to its caller.
        limit: most items of a group.
    """

    def __init__(self, flush: Callable[[Sequence[T]], Awaitable[Sequence[R | Exception]]], *, limit: int = 200) -> None:
        self._flush = flush
        self._limit = limit
        self._waiting: list[_Call[T, R]] = []
        self._busy = False

    async def submit(self, item: T) -> R:
        """Have ``item`` done with whatever else waits; its result."""
        call: _Call[T, R] = _Call(item)
        self._waiting.append(call)
        if self._busy:
            call.wake = asyncio.Event()
            try:
                with anyio.CancelScope(shield=True):
                    await call.wake.wait()
            except BaseException:
                self._leave(call)
                raise
        if not call.done:  # alone, or woken to lead: its own item is in the group
            self._busy = True
            with anyio.CancelScope(shield=True):
                await self._lead()
        if call.error is not None:
            raise call.error
        return call.result  # type: ignore[return-value] # a call that is done without an error has a result

    async def _lead(self) -> None:
        group, self._waiting = self._waiting[: self._limit], self._waiting[self._limit :]
        try:
            answers = await halved(self._flush, [call.item for call in group])
            for call, answer in zip(group, answers, strict=True):
                if isinstance(answer, Exception):
                    call.error = answer
                else:
                    call.result = answer
        except Exception as error:  # noqa: BLE001 - too few answers: each caller raises it as its own
            for call in group:
                call.error = error
        except BaseException:  # torn down past the shield: a missing answer must not be taken for an answer
            for call in group:
                call.error = RuntimeError("the caller that led this group was torn down; what it asked for may be done")
            raise
        finally:  # nobody of the group waits for ever, and the others get their leader, however this ended
            for call in group:
                call.done = True
                call.tell()
            self._hand_over()

    def _hand_over(self) -> None:
        if self._waiting:
            self._waiting[0].tell()  # the next leader; the flag stays up
        else:
            self._busy = False

    def _leave(self, call: _Call[T, R]) -> None:
        """A cancellation that was under way before the shield gets through it: nobody may count on this caller."""
        if call in self._waiting:
            chosen = call is self._waiting[0] and call.wake is not None and call.wake.is_set()
            self._waiting.remove(call)
            if chosen:
                self._hand_over()
