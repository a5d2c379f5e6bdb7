"""Who lacks tasks, and when to look: at once when it begins, ends or something changed; else later each time.

Tasks come and go without an event, so they are counted on a timer. An app that cannot run is short at every count, for
ever, and one whose tasks die again and again at every other: a look at each count tells nothing new.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from controller.kit import clock
from controller.records import Fingerprint, Key

LONGEST_SECONDS = 300.0


@dataclass(slots=True)
class _Pause:
    """Grows with each look, up to the longest; begins anew after twice as long without one."""

    first: float
    seconds: float = 0.0
    due: float = 0.0

    def looked(self, now: float) -> None:
        anew = now > self.due + self.seconds
        self.seconds = self.first if anew else min(LONGEST_SECONDS, self.seconds * 2)
        self.due = now + self.seconds


@dataclass(slots=True)
class _Known:
    """``lasts`` spaces looks at what stays short, ``turns`` those at what becomes short, or is so no longer."""

    seen: Fingerprint
    short: bool
    lasts: _Pause
    turns: _Pause
    owed: bool = False


class Shortage:
    """Keys that were short lately.

    Args:
        first: seconds until a key that stays short is looked at again; twice as long each further time.
    """

    def __init__(self, first: float) -> None:
        self._first = first
        self._known: dict[Key, _Known] = {}

    def counted(self, short: Iterable[Key], fingerprint: Callable[[Key], Fingerprint]) -> list[Key]:
        """Whom to look at now, of those that are ``short`` and of those that are so no longer.

        Args:
            short: all of them.
            fingerprint: another one whenever something live of a key changed.
        """
        now = clock.monotonic()
        lacking = set(short)
        found = [
            key
            for key in {**self._known, **dict.fromkeys(lacking)}
            if self._look(key, key in lacking, now, fingerprint(key))
        ]
        self._known = {
            key: known
            for key, known in self._known.items()
            if known.short or known.owed or now <= known.turns.due + known.turns.seconds
        }
        return found

    def _look(self, key: Key, short: bool, now: float, seen: Fingerprint) -> bool:
        known = self._known.get(key)
        if known is None or known.seen != seen:
            known = self._known[key] = _Known(seen, short, _Pause(self._first), _Pause(self._first))
            known.lasts.looked(now)
            known.turns.looked(now)
            return True
        if known.short != short:
            known.short, known.owed = short, True
            known.lasts = _Pause(self._first)
            known.lasts.looked(now)
        if known.owed:
            if now < known.turns.due:
                return False
            known.owed = False
            known.turns.looked(now)
            return True
        if not short or now < known.lasts.due:
            return False
        known.lasts.looked(now)
        return True
