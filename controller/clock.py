"""The two clocks: monotonic seconds for waiting and trusting, wall time for people.

Inside an event loop its own clock counts, so that a loop with a virtual clock moves everything that runs in it.
"""

from __future__ import annotations

import asyncio
import time


def monotonic() -> float:
    """Seconds that only grow: those of the running event loop, or the system's where none runs."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return time.monotonic()
    return loop.time()


def wall() -> float:
    """Seconds since the epoch, which can jump either way; a loop with a method ``wall`` says its own."""
    try:
        own = getattr(asyncio.get_running_loop(), "wall", None)
    except RuntimeError:
        own = None
    return float(own()) if own is not None else time.time()
