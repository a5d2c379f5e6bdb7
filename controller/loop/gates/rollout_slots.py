"""A limit on rollouts in flight: starting the tasks of thousands of objects at once would bury nodes and registries.

A reconcile that is about to start or restart tasks takes a slot for its object first. The slot is given back when the
object's rollout is over: complete, stalled, rolled back, past its progress deadline, paused, or the object is gone.
Who finds no slot waits in line and is woken, in fair shares among organizations, the moment one is free; it holds the
slot from then on, so nobody can take its turn.

Guarantees: an object that is found in the middle of a rollout (this process has just begun to lead) counts, also beyond
the limit. A slot whose object fails again and again, or is never looked at again, is free after a while all the same.

Assumption: kinds whose tasks others wait for (the networks' pins) do not take part; see ``Reconciler.limited``.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable

from controller.kit import clock
from controller.loop.fair_queue import Shares
from controller.loop.metrics import ROLLOUTS, ROLLOUTS_WAITING
from controller.records import Key
from reconcilers.outcomes import NotReadyError

_ASK_AGAIN_SECONDS = 30.0


class RolloutQueuedError(NotReadyError):
    """As many rollouts are under way as may be."""

    def __init__(self, in_flight: int) -> None:
        super().__init__(
            "RolloutQueued",
            f"waits for its turn: {in_flight} rollouts are in progress, and SKYPANEL_MAX_ROLLOUTS allows no more. "
            "It continues by itself",
            retry_after=_ASK_AGAIN_SECONDS,
        )


class RolloutSlots:
    """The slots, and who waits for one.

    Args:
        limit: rollouts at once; 0: any number.
        longest: seconds after which a slot is free, whatever became of its object.
        on_turn: called with a key that has got the slot that it waited for.
    """

    def __init__(self, limit: int, *, longest: float, on_turn: Callable[[Key], None]) -> None:
        self._limit = limit
        self._longest = longest
        self._on_turn = on_turn
        self._in_flight: dict[Key, float] = {}
        """Since when, the oldest first."""
        self._waiting: dict[Key, int] = {}
        """The order in which they came."""
        self._line: list[tuple[int, int, Key]] = []
        self._shares = Shares()
        self._order = itertools.count()

    def close(self) -> None:
        """Another process leads, or none: nothing is under way here."""
        ROLLOUTS.set(0)
        ROLLOUTS_WAITING.set(0)

    @property
    def in_flight(self) -> int:
        """RolloutSlots under way."""
        return len(self._in_flight)

    @property
    def waiting(self) -> int:
        """Objects in line."""
        return len(self._waiting)

    def take(self, key: Key, organization: str) -> bool:
        """Take a slot for ``key``, or get into line; True when it may start tasks."""
        self._expire()
        free = not self._limit or (len(self._in_flight) < self._limit and not self._waiting)
        if free or key in self._in_flight:
            self._start(key)
            return True
        if key not in self._waiting:
            self._waiting[key] = order = next(self._order)
            heapq.heappush(self._line, (self._shares.enter(organization), order, key))
            ROLLOUTS_WAITING.set(len(self._waiting))
        return False

    def settle(self, key: Key, *, moving: bool) -> None:
        """A look at the object ended; ``moving``: a rollout of it is under way."""
        if self._waiting.pop(key, None) is not None:
            self._shares.leave()
            ROLLOUTS_WAITING.set(len(self._waiting))
        if moving:
            self._start(key)
        elif self._in_flight.pop(key, None) is not None:
            self._next()

    def _start(self, key: Key) -> None:
        self._in_flight.pop(key, None)
        self._in_flight[key] = clock.monotonic()
        ROLLOUTS.set(len(self._in_flight))

    def _next(self) -> None:
        """Give free slots to those in line."""
        while self._waiting and len(self._in_flight) < self._limit:
            tag, order, key = heapq.heappop(self._line)
            if self._waiting.get(key) != order:
                continue  # it has left the line
            del self._waiting[key]
            self._shares.served(tag)
            self._shares.leave()
            self._start(key)
            self._on_turn(key)
        if not self._waiting:
            self._line.clear()
        ROLLOUTS.set(len(self._in_flight))
        ROLLOUTS_WAITING.set(len(self._waiting))

    def _expire(self) -> None:
        """Free slots whose objects nobody has said anything of for too long."""
        oldest = clock.monotonic() - self._longest
        late = list(itertools.takewhile(lambda key: self._in_flight[key] < oldest, self._in_flight))
        for key in late:
            del self._in_flight[key]
        if late:
            self._next()
