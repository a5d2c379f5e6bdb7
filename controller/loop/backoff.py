"""How long a key waits after a failure, or for something else: longer each time, until it succeeds."""

from __future__ import annotations

from collections.abc import Callable

from controller.records import Key

BACKOFF_FIRST = 0.05
BACKOFF_CAP = 60.0
WAIT_CAP = 300.0
"""Longest pause of a key that something else will wake."""


class Backoff:
    """Failures of keys in a row.

    Args:
        jitter: a number in [0, 1).
    """

    def __init__(self, jitter: Callable[[], float]) -> None:
        self._jitter = jitter
        self._failures: dict[Key, int] = {}

    def after_failure(self, key: Key) -> float:
        """Seconds until ``key``, that has failed, is tried again."""
        # Full jitter: what failed together, as the engine was away, must not come back together.
        return self._jitter() * min(BACKOFF_CAP, BACKOFF_FIRST * 2.0 ** self._count(key))

    def while_waiting(self, key: Key, first: float) -> float:
        """Seconds until a look at ``key`` in case nothing wakes it: about ``first``, and twice as long each time."""
        return (0.5 + self._jitter() / 2) * min(WAIT_CAP, first * 2.0 ** self._count(key))

    def forget(self, key: Key) -> None:
        """It succeeded: its next failure is its first."""
        self._failures.pop(key, None)

    def _count(self, key: Key) -> int:
        """Failures before this one, as far as they make a difference."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        return min(failures, 30)
