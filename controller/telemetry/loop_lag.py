"""How late the event loop is: while something holds it, nothing else moves, the lease's renewal included."""

from __future__ import annotations

import anyio
from prometheus_client import Gauge, Histogram

from controller.kit import clock

_SECONDS = 0.25
_PERIOD_SECONDS = 10.0
_LAG_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)

LOOP_LAG = Gauge("skypanel_event_loop_lag_seconds", "Longest delay of the event loop in the last period.")
LOOP_LAGS = Histogram("skypanel_event_loop_delay_seconds", "Delays of the event loop.", buckets=_LAG_SECONDS)


async def measure() -> None:
    """Observe every delay, and keep the longest of each ten seconds, until cancelled."""
    longest, since = 0.0, clock.monotonic()
    while True:
        before = clock.monotonic()
        await anyio.sleep(_SECONDS)
        late = max(0.0, clock.monotonic() - before - _SECONDS)
        LOOP_LAGS.observe(late)
        longest = max(longest, late)
        if clock.monotonic() - since > _PERIOD_SECONDS:
            LOOP_LAG.set(longest)
            longest, since = 0.0, clock.monotonic()
