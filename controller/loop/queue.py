"""The queue of keys: client-go's dirty and processing, urgency, and a fair share for every organization.

A key is queued once, however often it is added; while it is worked on it is only marked, and comes round once more
afterwards; it is never worked on twice at once. Failures come back after an exponential backoff with full jitter;
success, and "look again later", forget them. A key that comes back keeps the reason that it was queued for.

Which of the keys that are due goes first:

1. The most urgent: a user's change, then what depends on one, then drift, then the full comparison.
2. Among equally urgent ones organizations take turns (``shares``): the first change of one stands right behind what is
   worked on, however many another one has queued.
3. One in nine is the key that has been due for longest, whatever its reason, so that a stream of urgent ones cannot
   keep the others waiting for ever: the least urgent get a ninth of the work at worst.

Every step costs O(log n). All methods run in the event loop's thread; there is no lock.
"""

from __future__ import annotations

import heapq
import itertools
import math
import random
from collections import deque
from collections.abc import Callable
from enum import IntEnum
from functools import partial

import anyio

from controller.kit import clock
from controller.loop.fair_queue import Shares
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
from controller.records import Key

BACKOFF_FIRST = 0.05
BACKOFF_CAP = 60.0
WAIT_CAP = 300.0
"""Longest pause of a key that something else will wake."""
PATIENCE = 8
"""So many keys in a row may pass the one that has been due for longest."""

_TAKEN = -1
"""The order of an entry that was given out: no heap has such a place, so whatever is left of it there is dropped."""
_AGAIN = 1 << 4
"""Among the bits of what a key was queued for, that it came back; the others are one a priority."""


class Priority(IntEnum):
    """Why a key was queued; smaller is more urgent."""

    CHANGE = 0
    DEPENDENCY = 1
    DRIFT = 2
    RESYNC = 3


# A key is queued for several reasons at once, and often: they are bits, and their words are looked up, not made.
_WORDS = tuple(
    tuple([p.name.lower() for p in Priority if why & 1 << p] + ["retry"] * bool(why & _AGAIN))
    for why in range(_AGAIN << 1)
)


class _Entry:
    """One key that waits or is worked on; ``order`` tells its valid place in a heap from those it has left."""

    __slots__ = ("added", "due", "key", "order", "organization", "priority", "ready", "started", "waited", "why")

    def __init__(self, key: Key, organization: str, *, due: float, priority: Priority, added: float, why: int) -> None:
        self.key = key
        self.organization = organization
        self.due = due
        self.priority = priority
        self.added = added
        self.why = why
        self.started = self.waited = 0.0
        self.order = 0
        self.ready = False


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
        self._jitter = jitter
        # A waiting entry counts in one of the two heaps, by its order: a heap cannot move what is inside, so one that
        # becomes more urgent gets a new order and another place, and its old place is passed over when it comes up.
        self._waiting: dict[Key, _Entry] = {}
        self._later: list[tuple[float, int, _Entry]] = []
        self._ready: list[tuple[Priority, int, int, _Entry]] = []
        # By the time that they became due, whatever became of their priority: no order there is ever invalid.
        self._by_age: deque[_Entry] = deque()
        self._shares = [Shares() for _ in Priority]
        self._passed = 0
        self._processing: dict[Key, _Entry] = {}
        # Added while they are worked on: given out twice at once, two reconciles would write to one object.
        self._again: dict[Key, tuple[float, Priority, str, int]] = {}
        self._failures: dict[Key, int] = {}
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
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        # Full jitter: what failed together, as the engine was away, must not come back together.
        delay = self._jitter() * min(BACKOFF_CAP, BACKOFF_FIRST * 2.0 ** min(failures, 30))
        self._retries.inc()
        self.again(key, delay)
        return delay

    def wait(self, key: Key, first: float) -> float:
        """Queue a key that is worked on and that something else will wake, in case it does not; the delay in seconds.

        The first delay is about ``first``, each further one twice as long; nobody hurries.
        """
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        delay = (0.5 + self._jitter() / 2) * min(WAIT_CAP, first * 2.0 ** min(failures, 30))
        entry = self._processing[key]
        if not self._closed:
            self._added_again.inc()
            self._add(key, self._clock() + delay, Priority.RESYNC, entry.organization, _AGAIN)
        return delay

    def forget(self, key: Key) -> None:
        """The key succeeded: its next failure is its first."""
        self._failures.pop(key, None)

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
            entry = _Entry(key, organization, due=due, priority=priority, added=max(now, due), why=why)
            self._waiting[key] = entry
        else:
            entry.why |= why
            # A later or less urgent reason changes nothing: whoever added first is owed the earlier look.
            if due >= entry.due and priority >= entry.priority:
                return
            if entry.ready:  # it takes its turn among the more urgent ones from now on
                self._shares[entry.priority].leave()
            entry.due, entry.priority = min(due, entry.due), min(priority, entry.priority)
            entry.added = min(entry.added, max(now, due))
        entry.order = next(self._order)
        if entry.ready or entry.due <= now:
            self._make_ready(entry)
            first = True
        else:
            heapq.heappush(self._later, (entry.due, entry.order, entry))
            first = self._later[0][2] is entry
        if first and self._wake is not None:
            self._wake.set()

    def _make_ready(self, entry: _Entry) -> None:
        if not entry.ready:
            entry.ready = True
            self._by_age.append(entry)
        tag = self._shares[entry.priority].enter(entry.organization)
        heapq.heappush(self._ready, (entry.priority, tag, entry.order, entry))

    def _look_at_the_clock(self) -> None:
        now = self._clock()
        while self._later and self._later[0][0] <= now:
            _, order, entry = heapq.heappop(self._later)
            if entry.order == order:
                self._make_ready(entry)

    def _take(self) -> _Entry | None:
        """The key that goes first; what is left of moved and taken keys is dropped on the way."""
        while self._ready and self._ready[0][3].order != self._ready[0][2]:
            heapq.heappop(self._ready)
        while self._by_age and self._by_age[0].order == _TAKEN:
            self._by_age.popleft()
        if not self._ready:
            return None
        _, tag, _, entry = self._ready[0]
        oldest = self._by_age[0]
        # Without this the least urgent would wait for ever behind a stream of changes.
        self._passed = 0 if entry is oldest else self._passed + 1
        if self._passed > PATIENCE:
            self._passed, entry = 0, oldest  # out of turn: it costs its organization no share
        else:
            self._shares[entry.priority].served(tag)
        self._shares[entry.priority].leave()
        entry.order = _TAKEN
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
        return len(self._shares[priority])

    def _delayed(self) -> int:
        return 0 if self._closed else len(self._waiting) - sum(map(len, self._shares))

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
