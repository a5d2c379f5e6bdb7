"""An event loop with a virtual clock: waiting costs nothing, and the same run takes the same course every time.

When nothing is ready the clock jumps to the next timer. There are no sockets and no threads in here; a loop in which
nothing is ready and no timer is set would wait for ever, and says so instead. Tasks hash by their number, not by their
address, so that sets of them have an order that is the same in every run.
"""

from __future__ import annotations

import asyncio
import heapq
import selectors
from collections.abc import Callable, Coroutine
from contextvars import Context
from itertools import count
from typing import Any, TypeVar, TypeVarTuple, Unpack

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
START = 1_000_000.0
WALL_START = 1_800_000_000.0


BUSY_ROUNDS = 300


class NothingToDoError(BaseException):
    """Everything waits, and nothing can wake it."""


class BusyError(BaseException):
    """Something is always ready, and nothing waits for a time."""


class _Selector(selectors.DefaultSelector):
    """Never looks at a file: it moves the clock."""

    loop: VirtualLoop
    rounds = 0

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise NothingToDoError("every task waits, and no timer is set")
        if timeout > 0:
            self.loop.now += timeout
            self.rounds = 0
            return []
        # Work takes no time here, but turning round and round does: anyio asks a task that is shielded from its
        # cancellation again in each round, until what it waits for has come.
        self.rounds += 1
        if self.rounds > BUSY_ROUNDS:
            self.rounds = 0
            timers = self.loop._scheduled  # type: ignore[attr-defined]
            if not timers:
                raise BusyError("everything is always ready, and no timer is set")
            self.loop.now = max(self.loop.now, timers[0].when())
        return []


class _Timer(asyncio.TimerHandle):
    """One that goes before those of the same time that were set after it, whatever else the loop has to do.

    asyncio's heap gives equal times any order: a second process would change the course of the first.
    """

    number = 0

    def __lt__(self, other: asyncio.TimerHandle) -> bool:
        # Of all that a run does this is done most often; every timer of this loop is one of these.
        if self._when == other._when:  # type: ignore[attr-defined]
            return bool(self.number < other.number)  # type: ignore[attr-defined]
        return bool(self._when < other._when)  # type: ignore[attr-defined]


class VirtualLoop(asyncio.SelectorEventLoop):
    """Time stands still while something is ready."""

    def __init__(self) -> None:
        self.now = START
        self.wall_offset = 0.0
        """What somebody did to the wall clock, in seconds."""
        selector = _Selector()
        selector.loop = self
        super().__init__(selector)
        self._numbers = count(1)
        self.set_task_factory(_numbered)

    def call_at(
        self, when: float, callback: Callable[[Unpack[Ts]], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        timer = _Timer(when, callback, args, self, context)
        timer.number = next(self._numbers)
        heapq.heappush(self._scheduled, timer)  # type: ignore[attr-defined] # as asyncio does, with another handle
        timer._scheduled = True  # type: ignore[attr-defined]
        return timer

    def time(self) -> float:
        return self.now

    def wall(self) -> float:
        """Seconds since the epoch, as this world has them."""
        return WALL_START + (self.now - START) + self.wall_offset


class _Task(asyncio.Task[Any]):
    number = 0

    def __hash__(self) -> int:
        return self.number


def _numbered(loop: asyncio.AbstractEventLoop, coro: Any, **options: Any) -> Any:
    task = _Task(coro, loop=loop, **options)
    task.number = next(loop._numbers)  # type: ignore[attr-defined]
    return task


def run(main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run ``main()`` in a loop of its own, to its end."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main())
