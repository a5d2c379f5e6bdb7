"""The queue of keys, with the semantics of client-go's workqueue: dirty and processing.

A key is queued once, however often it is added; while it is worked on it is only marked, and comes round once more
afterwards; it is never worked on twice at once. Each key waits with the time at which it is due and the most urgent of
the reasons it was added for, so that a user's change does not stand behind a resync. Failures come back after an
exponential backoff with full jitter; success, and "look again later", forget them.

All methods run in the event loop's thread; there is no lock.
"""

from __future__ import annotations

import heapq
import itertools
import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

import anyio

from controller import clock
from controller.metrics import QUEUE_ADDS, QUEUE_DEPTH, QUEUE_RETRIES, QUEUE_SECONDS
from controller.records import Key

BACKOFF_FIRST = 0.05
BACKOFF_CAP = 60.0


class Priority(IntEnum):
    """Why a key was queued; smaller is more urgent."""

    CHANGE = 0
    DEPENDENCY = 1
    DRIFT = 2
    RETRY = 3
    RESYNC = 4


@dataclass(slots=True)
class _Entry:
    due: float
    priority: Priority
    order: int
    added: float


class Queue:
    """Keys of one kind.

    Args:
        kind: for metrics.
        clock: monotonic seconds.
        jitter: a number in [0, 1).
    """

    def __init__(
        self,
        kind: str,
        *,
        clock: Callable[[], float] = clock.monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._adds = {p: QUEUE_ADDS.labels(kind=kind, reason=p.name.lower()) for p in Priority}
        self._depth = QUEUE_DEPTH.labels(kind=kind)
        self._seconds = QUEUE_SECONDS.labels(kind=kind)
        self._retries = QUEUE_RETRIES.labels(kind=kind)
        self._clock = clock
        self._jitter = jitter
        self._waiting: dict[Key, _Entry] = {}
        self._heap: list[tuple[float, int, int, Key]] = []
        self._ready: list[tuple[int, int, Key]] = []
        self._processing: set[Key] = set()
        self._again: dict[Key, tuple[float, Priority]] = {}
        self._failures: dict[Key, int] = {}
        self._order = itertools.count()
        self._sleepers: list[anyio.Event] = []
        self._alarm = math.inf
        """When the sleeper that minds the time will wake."""
        self._closed = False

    def __len__(self) -> int:
        """Keys that wait."""
        return len(self._waiting)

    @property
    def processing(self) -> int:
        """Keys that are worked on."""
        return len(self._processing)

    def add(self, key: Key, priority: Priority, *, delay: float = 0.0) -> None:
        """Queue ``key``; the earlier due time and the more urgent priority win over what waits already."""
        if self._closed:
            return
        self._adds[priority].inc()
        due = self._clock() + delay
        if key in self._processing:
            known = self._again.get(key)
            if known is not None:
                due, priority = min(due, known[0]), min(priority, known[1])
            self._again[key] = (due, priority)
            return
        self._put(key, due, priority)

    def retry(self, key: Key) -> float:
        """Queue after a failure; the delay in seconds."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        longest = min(BACKOFF_CAP, BACKOFF_FIRST * 2.0 ** min(failures, 30))
        delay = longest / 2 + self._jitter() * longest / 2
        self._retries.inc()
        self.add(key, Priority.RETRY, delay=delay)
        return delay

    def forget(self, key: Key) -> None:
        """The key succeeded: its next failure is its first."""
        self._failures.pop(key, None)

    async def get(self) -> Key | None:
        """The most urgent key that is due, when there is one; None when the queue was closed. Call ``done`` after."""
        while not self._closed:
            self._promote()
            key = self._pop_ready()
            if key is not None:
                self._processing.add(key)
                self._wake_one()  # to take what else is due, or to mind the time of what is not
                return key
            await self._sleep()
        return None

    def done(self, key: Key) -> None:
        """Work on ``key`` ended; it comes again if it was added meanwhile."""
        self._processing.discard(key)
        again = self._again.pop(key, None)
        if again is not None and not self._closed:
            self._put(key, *again)

    def close(self) -> None:
        """No key is given out any more; those that are worked on go to their end."""
        self._closed = True
        while self._sleepers:
            self._sleepers.pop().set()

    def _put(self, key: Key, due: float, priority: Priority) -> None:
        entry = self._waiting.get(key)
        now = self._clock()
        if entry is not None:
            if due >= entry.due and priority >= entry.priority:
                return
            entry = _Entry(min(due, entry.due), min(priority, entry.priority), next(self._order), entry.added)
        else:
            entry = _Entry(due, priority, next(self._order), max(now, due))
        self._waiting[key] = entry
        heapq.heappush(self._heap, (entry.due, entry.priority, entry.order, key))
        self._depth.set(len(self._waiting))
        self._wake_one()

    def _wake_one(self) -> None:
        """Wake one worker if there is work for it, not all of them: most would find nothing."""
        if self._sleepers and (self._ready or (self._heap and self._heap[0][0] < self._alarm)):
            self._sleepers.pop().set()

    async def _sleep(self) -> None:
        """Until woken, or until the next key is due; one sleeper minds the time for all."""
        wake = anyio.Event()
        self._sleepers.append(wake)
        due = self._heap[0][0] if self._heap else math.inf
        try:
            if due >= self._alarm:
                await wake.wait()
                return
            self._alarm = due
            try:
                with anyio.move_on_after(max(0.0, due - self._clock())):
                    await wake.wait()
            finally:
                if self._alarm == due:
                    self._alarm = math.inf
        finally:
            if not wake.is_set():
                self._sleepers.remove(wake)

    def _promote(self) -> None:
        now = self._clock()
        while self._heap and self._heap[0][0] <= now:
            _, priority, order, key = heapq.heappop(self._heap)
            entry = self._waiting.get(key)
            if entry is not None and entry.order == order:
                heapq.heappush(self._ready, (priority, order, key))

    def _pop_ready(self) -> Key | None:
        while self._ready:
            _, order, key = heapq.heappop(self._ready)
            entry = self._waiting.get(key)
            if entry is None or entry.order != order:
                continue
            del self._waiting[key]
            self._depth.set(len(self._waiting))
            self._seconds.observe(max(0.0, self._clock() - entry.added))
            return key
        return None
