"""Which of the keys that are due goes first.

1. The most urgent: a user's change, then what depends on one, then drift, then the full comparison.
2. Among equally urgent ones organizations take turns (``Shares``): the first change of one stands right behind what is
   worked on, however many another one has queued.
3. One in nine is the key that has been due for longest, whatever its reason, so that a stream of urgent ones cannot
   keep the others waiting for ever: the least urgent get a ninth of the work at worst.

Every step costs O(log n).
"""

from __future__ import annotations

import heapq
from collections import deque
from enum import IntEnum

from controller.loop.fair_queue import Shares
from controller.records import Key

PATIENCE = 8
"""So many keys in a row may pass the one that has been due for longest."""
_TAKEN = -1
"""The order of an entry that was given out: no heap has such a place, so whatever is left of it there is dropped."""


class Priority(IntEnum):
    """Why a key was queued; smaller is more urgent."""

    CHANGE = 0
    DEPENDENCY = 1
    DRIFT = 2
    RESYNC = 3


class Entry:
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


class Turns:
    """The entries that are due.

    A heap cannot move what is inside, so one that becomes more urgent gets a new order and another place, and its old
    place is passed over when it comes up.
    """

    def __init__(self) -> None:
        self._ready: list[tuple[Priority, int, int, Entry]] = []
        # By the time that they became due, whatever became of their priority: no order there is ever invalid.
        self._by_age: deque[Entry] = deque()
        self._shares = [Shares() for _ in Priority]
        self._passed = 0

    def __len__(self) -> int:
        """How many are due."""
        return sum(map(len, self._shares))

    def count(self, priority: Priority) -> int:
        """How many are due for this most urgent reason."""
        return len(self._shares[priority])

    def enter(self, entry: Entry) -> None:
        """It is due; or it was, and ``leave`` and another priority and order came before."""
        if not entry.ready:
            entry.ready = True
            self._by_age.append(entry)
        tag = self._shares[entry.priority].enter(entry.organization)
        heapq.heappush(self._ready, (entry.priority, tag, entry.order, entry))

    def leave(self, entry: Entry) -> None:
        """It takes its turn among the more urgent ones from now on: ``enter`` follows."""
        self._shares[entry.priority].leave()

    def take(self) -> Entry | None:
        """The one that goes first; what is left of moved and taken ones is dropped on the way."""
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
        return entry
