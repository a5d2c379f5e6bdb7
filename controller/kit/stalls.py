"""Measures the stalls of the event loop: for how long at most it did not turn.

A timer that is due every few milliseconds and runs late by as much as something else held the loop. It costs a wake-up
each time, so it runs only while something is measured.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from controller.kit import clock

_PERIOD_SECONDS = 0.005


class Stalls:
    """The longest stall so far, in seconds; what is shorter than the period is not seen."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self.longest = 0.0

    def _wait(self) -> None:
        self._due = clock.monotonic() + _PERIOD_SECONDS
        self._timer = self._loop.call_later(_PERIOD_SECONDS, self._woken)

    def _woken(self) -> None:
        self._look()
        self._wait()

    def _look(self) -> None:
        self.longest = max(self.longest, clock.monotonic() - self._due)

    def _stop(self) -> None:
        self._look()
        if self._timer is not None:
            self._timer.cancel()


@contextmanager
def measured() -> Iterator[Stalls]:
    """Measure while inside."""
    stalls = Stalls()
    stalls._wait()  # noqa: SLF001 - one module
    try:
        yield stalls
    finally:
        stalls._stop()  # noqa: SLF001 - one module
