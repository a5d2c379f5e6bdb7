"""Waits until what was written is as declared, without a connection or a thread meanwhile; what came of it is said."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import anyio

from controller.actions.wait import POLL_SECONDS, is_settled, why_not
from controller.api.asked import Waiting
from controller.declared.readiness import Progress

_SLOWEST = 1.0


async def wait(
    waiting: Waiting, look: Callable[[], Awaitable[Sequence[Progress]]], lost: Callable[[], Awaitable[Sequence[str]]]
) -> dict[str, Any]:
    """How far it came: ``converged``, after how many seconds, and the sentence that says why not.

    Args:
        waiting: for what.
        look: how far that is.
        lost: what others have changed of it since, a sentence each; asked when all is ready.
    """
    started, pause = time.monotonic(), POLL_SECONDS
    while True:
        found = await look()
        took = time.monotonic() - started
        if is_settled(found) or took >= waiting.seconds:
            why = why_not(found, waiting.seconds) or "\n".join(await lost())
            return {"converged": not why, "seconds": round(took, 3), **({"why": why} if why else {})}
        await anyio.sleep(min(pause, max(0.0, waiting.seconds - took)))
        pause = min(_SLOWEST, pause * 1.3)
