"""The queue of keys: client-go's dirty and processing, urgency, and a fair share for every organization.

A key is queued once, however often it is added; while it is worked on it is only marked, and comes round once more
afterwards; it is never worked on twice at once. Failures come back after an exponential backoff with full jitter;
success, and "look again later", forget them. A key that comes back keeps the reason that it was queued for.

Which of the keys that are due goes first is ``Turns``' to say, and how long one that failed waits is ``Backoff``'s.

Every step costs O(log n). All methods run in the event loop's thread; there is no lock.
"""

from __future__ import annotations

import heapq
import itertools
import math
import random
from collections.abc import Callable
from functools import partial

import anyio

from controller.kit import clock
from controller.loop.backoff import Backoff
from controller.loop.metrics import (
    QUEUE_ADDS,
    QUEUE_DELAYED,
    QUEUE_DEPTH,
    QUEUE_LONGEST,
    QUEUE_RETRIES,
    QUEUE_SECONDS,
    QUEUE_UNFINISHED,
    QUEUE_WORK_SECONDS,
)
from controller.loop.turns import Entry, Priority, Turns
from controller.records import Key

_AGAIN = 1 << 4
"""Among the bits of what a key was queued for, that it came back; the others are one a priority."""
# A key is queued for several reasons at once, and often: they are bits, and their words are looked up, not made.
_WORDS = tuple(
    tuple([p.name.lower() for p in Priority if why & 1 << p] + ["retry"] * bool(why & _AGAIN))
    for why in range(_AGAIN << 1)
)


class Queue:
    """Keys of one kind, for one caller of ``get``.

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
        self._added_again = QUEUE_ADDS.labels(kind=kind, reason="retry")
        for p in Priority:
            QUEUE_DEPTH.labels(kind=kind, priority=p.name.lower()).set_function(partial(self._depth, p))
        QUEUE_DELAYED.labels(kind=kind).set_function(self._delayed)
        QUEUE_UNFINISHED.labels(kind=kind).set_function(lambda: math.fsum(self._ages()))
        QUEUE_LONGEST.labels(kind=kind).set_function(lambda: max(self._ages(), default=0.0))
        self._seconds = QUEUE_SECONDS.labels(kind=kind)
        self._work_seconds = QUEUE_WORK_SECONDS.labels(kind=kind)
        self._retries = QUEUE_RETRIES.labels(kind=kind)
        self._clock = clock
        # A waiting entry counts in one of the two, what is due or what is later, by its order: one that becomes more
        # urgent gets a new order and another place, and its old place is passed over when it comes up.
        self._waiting: dict[Key, Entry] = {}
        self._later: list[tuple[float, int, Entry]] = []
        self._turns = Turns()
        self._processing: dict[Key, Entry] = {}
        # Added while they are worked on: given out twice at once, two reconciles would write to one object.
        self._again: dict[Key, tuple[float, Priority, str, int]] = {}
        self._backoff = Backoff(jitter)
        self._order = itertools.count()
        self._wake: anyio.Event | None = None
        self._idle: anyio.Event | None = None
        self._closed = False

    def __len__(self) -> int:
        """Keys that wait."""
        return len(self._waiting)

    @property
    def processing(self) -> int:
        """Keys that are worked on."""
        return len(self._processing)

    def add(self, key: Key, priority: Priority, *, delay: float = 0.0, organization: str = "") -> None:
        """Queue ``key``; the earlier due time and the more urgent priority win over what waits already.

        Args:
            key: what to look at.
            priority: why.
            delay: seconds until it is due.
            organization: whose share it counts against; keys of nobody share one.
        """
        if not self._closed:
            self._adds[priority].inc()
            self._add(key, self._clock() + delay, priority, organization, 1 << priority)

    def again(self, key: Key, delay: float) -> None:
        """Queue a key that is worked on for another look after ``delay`` seconds, for the reason it was queued for."""
        entry = self._processing[key]
        if not self._closed:
            self._added_again.inc()
            self._add(key, self._clock() + delay, entry.priority, entry.organization, _AGAIN)

    def retry(self, key: Key) -> float:
        """Queue a key that is worked on after a failure; the delay in seconds."""
        delay = self._backoff.after_failure(key)
        self._retries.inc()
        self.again(key, delay)
        return delay

    def wait(self, key: Key, first: float) -> float:
        """Queue a key that is worked on and that something else will wake, in case it does not; the delay in seconds.

        The first delay is about ``first``, each further one twice as long; nobody hurries.
        """
        delay = self._backoff.while_waiting(key, first)
        self.later(key, delay)
        return delay

    def later(self, key: Key, delay: float) -> None:
        """Queue a key that is worked on for another look after ``delay`` seconds, for which nobody hurries."""
        entry = self._processing[key]
        if not self._closed:
            self._added_again.inc()
            self._add(key, self._clock() + delay, Priority.RESYNC, entry.organization, _AGAIN)

    def forget(self, key: Key) -> None:
        """The key succeeded: its next failure is its first."""
        self._backoff.forget(key)

    async def get(self) -> Key | None:
        """The key that goes first, when one is due; None when the queue was closed. Call ``done`` after."""
        while not self._closed:
            self._look_at_the_clock()
            entry = self._take()
            if entry is not None:
                self._processing[entry.key] = entry
                return entry.key
            await self._sleep()
        return None

    def woken(self, key: Key) -> tuple[tuple[str, ...], float]:
        """Words of what a key that is worked on was queued for, and the seconds that it waited when it was due."""
        entry = self._processing[key]
        return _WORDS[entry.why], entry.waited

    def done(self, key: Key) -> None:
        """Work on ``key`` ended; it comes again if it was added meanwhile."""
        self._work_seconds.observe(self._clock() - self._processing.pop(key).started)
        again = self._again.pop(key, None)
        if again is not None and not self._closed:
            self._add(key, *again)
        if not self._processing and self._idle is not None:
            self._idle.set()

    def close(self) -> None:
        """No key is given out any more; those that are worked on go to their end."""
        self._closed = True
        if self._wake is not None:
            self._wake.set()

    async def join(self) -> None:
        """Until no key is worked on; of use after ``close``."""
        while self._processing:
            self._idle = anyio.Event()
            await self._idle.wait()

    # -- inside --------------------------------------------------------------------------------------------------

    def _add(self, key: Key, due: float, priority: Priority, organization: str, why: int) -> None:
        working = self._processing.get(key)
        if working is not None:
            known = self._again.get(key)
            if known is not None:
                due, priority, why = min(due, known[0]), min(priority, known[1]), why | known[3]
            self._again[key] = (due, priority, organization or working.organization, why)
            return
        now = self._clock()
        entry = self._waiting.get(key)
        if entry is None:
            entry = Entry(key, organization, due=due, priority=priority, added=max(now, due), why=why)
            self._waiting[key] = entry
        else:
            entry.why |= why
            # A later or less urgent reason changes nothing: whoever added first is owed the earlier look.
            if due >= entry.due and priority >= entry.priority:
                return
            if entry.ready:
                self._turns.leave(entry)
            entry.due, entry.priority = min(due, entry.due), min(priority, entry.priority)
            entry.added = min(entry.added, max(now, due))
        entry.order = next(self._order)
        if entry.ready or entry.due <= now:
            self._turns.enter(entry)
            first = True
        else:
            heapq.heappush(self._later, (entry.due, entry.order, entry))
            first = self._later[0][2] is entry
        if first and self._wake is not None:
            self._wake.set()

    def _look_at_the_clock(self) -> None:
        now = self._clock()
        while self._later and self._later[0][0] <= now:
            _, order, entry = heapq.heappop(self._later)
            if entry.order == order:
                self._turns.enter(entry)

    def _take(self) -> Entry | None:
        """The key that goes first, out of those that wait."""
        entry = self._turns.take()
        if entry is None:
            return None
        del self._waiting[entry.key]
        entry.started = self._clock()
        entry.waited = max(0.0, entry.started - entry.added)
        self._seconds.observe(entry.waited)
        return entry

    def _depth(self, priority: Priority) -> int:
        """For the metric, when it is asked for; what is closed gives nothing out and has no backlog."""
        if self._closed:
            return 0
        self._look_at_the_clock()
        return self._turns.count(priority)

    def _delayed(self) -> int:
        return 0 if self._closed else len(self._waiting) - len(self._turns)

    def _ages(self) -> list[float]:
        now = self._clock()
        return [now - entry.started for entry in self._processing.values()]

    async def _sleep(self) -> None:
        """Until something is added that goes first, or the next key is due."""
        self._wake = anyio.Event()  # before the clock is read: what is added from here on wakes
        due = self._later[0][0] if self._later else math.inf
        try:
            with anyio.move_on_after(max(0.0, due - self._clock())):
                await self._wake.wait()
        finally:
            self._wake = None
