"""The two clocks: monotonic seconds for waiting and trusting, wall time for people.

A loop with a method ``wall`` has a world of its own: its clocks move everything that runs in it. Of other loops the
system's clocks are read, not the loop's: uvloop's stands still between two turns, and a process that was stopped for a
while within a turn would go on trusting what has run out.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any


def monotonic() -> float:
    """Seconds that only grow."""
    world = _world()
    return time.monotonic() if world is None else float(world.time())


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
