"""How late the event loop is: while something holds it, nothing else moves, the lease's renewal included."""

from __future__ import annotations

import anyio

from controller.kit import clock
from controller.telemetry.metrics import LOOP_LAG, LOOP_LAGS

_SECONDS = 0.25
_PERIOD_SECONDS = 10.0


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
