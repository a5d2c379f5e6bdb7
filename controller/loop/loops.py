"""Loops that outlive what nobody foresaw: it is logged with its traceback and counted, and the loop begins anew.

Whatever goes on for the life of a process or of a term goes through ``forever``; a test holds every task that is
started against ``controller.telemetry.metrics.LOOPS``. One defect costs what it concerns and some time, never the
process.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from typing import TypeVarTuple, Unpack

import anyio
import structlog

from controller.kit import clock
from controller.telemetry.metrics import LOOP_FAILURES

log = structlog.get_logger(__name__)

Arguments = TypeVarTuple("Arguments")

FIRST_SECONDS, LONGEST_SECONDS = 0.1, 30.0
_SOUND_SECONDS = 60.0
"""A loop that ran so long begins anew as fast as at its first failure."""


async def forever(name: str, loop: Callable[[Unpack[Arguments]], Awaitable[object]], *arguments: *Arguments) -> None:
    """Run ``loop(*arguments)`` until it returns or is cancelled; after a failure begin it anew, later each time.

    Args:
        name: one of ``controller.telemetry.metrics.LOOPS``.
        loop: what to run; it must bear to be begun anew.
        arguments: its arguments.
    """
    failures = 0
    while True:
        begun = clock.monotonic()
        try:
            await loop(*arguments)
        except Exception:  # noqa: BLE001 - whatever it is
            failed(name)
        else:
            return
        failures = 1 if clock.monotonic() - begun > _SOUND_SECONDS else failures + 1
        longest = min(LONGEST_SECONDS, FIRST_SECONDS * 2.0 ** (failures - 1))
        await anyio.sleep(longest * random.uniform(0.5, 1.0))  # noqa: S311 - jitter


def failed(name: str) -> None:
    """Say that something unforeseen was raised in the loop ``name``; within ``except``."""
    LOOP_FAILURES.labels(loop=name).inc()
    log.exception("loop.failed", loop=name, mend="it continues; please report this with its traceback")  # noqa: LOG004 - called there
