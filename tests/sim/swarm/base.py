"""What every part of the simulated cluster stands on: refusals, ids, and an agenda in the time of the event loop.

Nothing here is random and nothing reads a clock of its own: the event loop says what time it is.
"""

from __future__ import annotations

import asyncio
import heapq
import time
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b

from controller.kit import clock

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_LAG_SECONDS = 30.0


class Refusal(Exception):  # noqa: N818 - the engine refuses
    """The engine answers with an error: HTTP status and the engine's words."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def invalid(text: str) -> Refusal:
    """What a manager says of a document that is wrong."""
    return Refusal(400, f"rpc error: code = InvalidArgument desc = {text}")


def object_id(kind: str, number: int) -> str:
    """25 lower-case base-36 characters, spread like the engine's, so that the order of ids tells nothing."""
    value = int.from_bytes(blake2b(f"{kind}{number}".encode(), digest_size=16).digest(), "big")
    digits = []
    for _ in range(25):
        value, digit = divmod(value, 36)
        digits.append(_DIGITS[digit])
    return "".join(digits)


def container_id(number: int) -> str:
    """64 hexadecimal characters."""
    return blake2b(f"container{number}".encode(), digest_size=32).hexdigest()


@dataclass(slots=True)
class Entry:
    """Something that will happen; ``action`` is None when it will not any more."""

    when: float
    action: Callable[[], None] | None
    quiet: bool

    def cancel(self) -> None:
        """It does not happen."""
        self.action = None


class Agenda:
    """What will happen in the cluster, by time.

    It is caught up with whenever somebody asks the cluster something. A timer of the loop wakes it for what is next,
    except for quiet entries: those wait until somebody looks, so that a task that fails for ever does not keep the
    loop from coming to rest. A quiet entry that lies far back happens as if it had been due half a minute ago.
    """

    def __init__(self) -> None:
        self.after: Callable[[], None] = lambda: None
        """Called after each thing that happened."""
        self._heap: list[tuple[float, int, Entry]] = []
        self._number = 0
        self._now: float | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def now(self) -> float:
        """Seconds of the loop; within an entry, when it was due."""
        return clock.monotonic() if self._now is None else self._now

    @property
    def busy(self) -> bool:
        """Whether something lies ahead that a timer will wake for."""
        return any(entry.action is not None and not entry.quiet for _, _, entry in self._heap)

    def stamp(self) -> str:
        """Now, as the engine writes it."""
        seconds = clock.wall() - (clock.monotonic() - self.now)
        whole = int(seconds)
        parts = time.gmtime(whole)
        return f"{time.strftime('%Y-%m-%dT%H:%M:%S', parts)}.{int((seconds - whole) * 1e9):09d}Z"

    def at(self, delay: float, action: Callable[[], None], *, quiet: bool = False) -> Entry:
        """Do ``action`` in ``delay`` seconds."""
        entry = Entry(self.now + delay, action, quiet)
        self._push(entry)
        if not quiet:
            self._arm(entry.when)
        return entry

    def advance(self) -> None:
        """Let everything happen that is due by now."""
        if self._now is not None or not self._heap:
            return  # an entry asks, or there is nothing
        target = clock.monotonic()
        heap = self._heap
        try:
            while heap and heap[0][0] <= target:
                entry = heapq.heappop(heap)[2]
                if entry.action is None:
                    continue
                if entry.quiet and entry.when < target - _LAG_SECONDS:
                    entry.when = target - _LAG_SECONDS
                    self._push(entry)
                    continue
                self._now = entry.when
                entry.action()
                self.after()
        finally:
            self._now = None

    def _push(self, entry: Entry) -> None:
        self._number += 1
        heapq.heappush(self._heap, (entry.when, self._number, entry))

    def _arm(self, when: float) -> None:
        if self._timer is not None and not self._timer.cancelled() and self._timer.when() <= when:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_at(when, self._wake)

    def _wake(self) -> None:
        self._timer = None
        self.advance()
        due = [entry.when for _, _, entry in self._heap if entry.action is not None and not entry.quiet]
        if due:
            self._arm(min(due))
