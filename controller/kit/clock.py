"""The two clocks: monotonic seconds for waiting and trusting, wall time for people.

The monotonic one goes on while the machine is suspended: what was trusted for ten seconds is not trusted an hour later.

A loop with a method ``wall`` has a world of its own: its clocks move everything that runs in it. Of other loops the
system's clocks are read, not the loop's: uvloop's stands still between two turns, and a process that was stopped for a
while within a turn would go on trusting what has run out.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

_ALSO_SUSPENDED = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def monotonic() -> float:
    """Seconds that only grow."""
    world = _world()
    return time.clock_gettime(_ALSO_SUSPENDED) if world is None else float(world.time())


def wall() -> float:
    """Seconds since the epoch, which can jump either way."""
    world = _world()
    return time.time() if world is None else float(world.wall())


def _world() -> Any:
    """The running loop, if it has clocks of its own."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return None
    return loop if hasattr(loop, "wall") else None
