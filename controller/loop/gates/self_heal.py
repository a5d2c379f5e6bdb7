"""Self-heal backoff: when something else keeps changing what lives of an object, its repairs are spaced out.

Two that undo each other's work would write to the engine as fast as they can, and restart tasks each time. So the first
five repairs of an object are immediate; before each further one there is a pause of 1 s, 2 s, 4 s and so on, up to five
minutes. A streak is over when nothing had to be repaired for a minute, or for twice the present pause if that is more.
A new generation begins anew, and a request to look now is never held back: both are somebody's wish.

Kept in memory only: a restart, or another leader, begins anew.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from controller.changes import Change
from controller.kit import clock
from controller.loop.metrics import CONTESTED, CONTESTS
from controller.records import Key
from reconcilers.outcomes import NotReadyError

IMMEDIATE = 5
PAUSE_FIRST, PAUSE_CAP = 1.0, 300.0
QUIET_SECONDS = 60.0
_SHOWN = 6


class ContestedError(NotReadyError):
    """A repair is held back; ``first`` says whether it is the first one of its streak."""

    def __init__(self, message: str, *, retry_after: float, first: bool) -> None:
        super().__init__("Contested", message, retry_after=retry_after)
        self.first = first


@dataclass(slots=True)
class _Streak:
    generation: int
    began: float
    """Wall time of the first repair."""
    repairs: int = 0
    last: float = 0.0
    last_wall: float = 0.0
    fields: dict[str, None] = field(default_factory=dict)
    told: bool = False

    @property
    def pause(self) -> float:
        """Seconds between the last repair and the next."""
        late = self.repairs - IMMEDIATE
        return 0.0 if late < 0 else min(PAUSE_CAP, PAUSE_FIRST * 2.0 ** min(late, 30))

    def over(self, now: float) -> bool:
        return now - self.last > max(QUIET_SECONDS, 2 * self.pause)


class SelfHealBackoff:
    """Counts the repairs of the objects of one kind, and says which have to wait."""

    def __init__(self, kind: str) -> None:
        self._gauge = CONTESTED.labels(kind=kind)
        self._counter = CONTESTS.labels(kind=kind)
        self._streaks: OrderedDict[Key, _Streak] = OrderedDict()
        """The one that was repaired longest ago first."""
        self._held: set[Key] = set()

    def close(self) -> None:
        """Another process leads, or none."""
        self._gauge.set(0)

    def check(self, key: Key, generation: int, repairs: Sequence[Change]) -> ContestedError | None:
        """Why ``repairs`` have to wait; None when they may be done now."""
        streak = self._streaks.get(key)
        if streak is None or streak.generation != generation or streak.over(clock.monotonic()):
            self.forget(key)
            return None
        left = streak.last + streak.pause - clock.monotonic()
        if left <= 0:
            self.settled(key)
            return None
        first, streak.told = not streak.told, True
        if first:
            self._counter.inc()
        self._held.add(key)
        self._gauge.set(len(self._held))
        streak.fields.update(dict.fromkeys(_fields(repairs)))
        return ContestedError(_message(key, streak), retry_after=left, first=first)

    def repaired(self, key: Key, generation: int, repairs: Sequence[Change]) -> None:
        """They were done."""
        now = clock.monotonic()
        streak = self._streaks.get(key)
        if streak is None or streak.generation != generation or streak.over(now):
            streak = self._streaks[key] = _Streak(generation, clock.wall())
        streak.repairs += 1
        streak.last, streak.last_wall = now, clock.wall()
        streak.fields.update(dict.fromkeys(_fields(repairs)))
        self._streaks.move_to_end(key)
        self.settled(key)
        while (oldest := next(iter(self._streaks.items())))[1].over(now):
            self.forget(oldest[0])

    def settled(self, key: Key) -> None:
        """No repair of it is held back."""
        if key in self._held:
            self._held.remove(key)
            self._gauge.set(len(self._held))

    def forget(self, key: Key) -> None:
        """It is not looked after any more, or begins anew."""
        self.settled(key)
        self._streaks.pop(key, None)


def _fields(repairs: Sequence[Change]) -> list[str]:
    return [f"{change.object_type} {change.name}: {what}" for change in repairs for what in change.touched]


def _message(key: Key, streak: _Streak) -> str:
    """Says the same until the next repair, so that a status is not written at each look."""
    shown = list(streak.fields)[:_SHOWN]
    more = f" and {len(streak.fields) - _SHOWN} more" if len(streak.fields) > _SHOWN else ""
    return (
        f"something else keeps changing it ({'; '.join(shown)}{more}): repaired {streak.repairs} times since "
        f"{_time(streak.began)}, next repair at {_time(streak.last_wall + streak.pause)}. Find the cause (another "
        "controller, a script, `docker service update`) and change the row instead; "
        f"`skypanel reconcile {key.kind} PATH` repairs it now"
    )


def _time(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%H:%M:%S} UTC"
