"""Retention: the leader takes away what nobody needs any more, so that the database does not grow without end.

In small pieces, each a short statement: soon after it begins to lead, as a leader may not lead for long, and hourly.
What may still live, or hold data that nobody asked to remove, stays; see ``skypanel.prune``.
"""

from __future__ import annotations

import random
from collections.abc import Mapping

import anyio
import structlog

from controller.loop.ports import Store
from reconcilers.outcomes import FencedError, TransientError
from specs.kinds import KINDS

log = structlog.get_logger(__name__)

EVENT_DAYS = 30
STEPS = (
    "removals",
    "events",
    "ended",
    "config_vars",
    *(table.removeprefix("paas_") for cls in reversed(KINDS.values()) if (table := cls.binding.deleted_in)),
    "statuses",
    "controls",
    "tombstones",
    "releases",
    "config_history",
    "image_reports",
    "audit",
    "stream",
)
"""In this order: what holds another row back goes first."""
FIRST_SECONDS, SECONDS = 60.0, 3600.0
PIECE, PIECE_SECONDS = 250, 0.05
_JITTER = 0.1


async def keep_small(store: Store, days: int, audit_days: int) -> None:
    """Prune again and again, until cancelled or another one leads.

    Args:
        store: of the leader.
        days: how old what is deleted must be before its row goes.
        audit_days: how old an entry of the audit must be before it goes.
    """
    pause = FIRST_SECONDS
    while True:
        await anyio.sleep(pause * (1 + random.uniform(0, _JITTER)))  # noqa: S311 - jitter
        pause = SECONDS
        try:
            gone = await _once(store, days, {"events": EVENT_DAYS, "audit": audit_days})
        except FencedError:
            return
        except TransientError as error:
            log.warning("retention.interrupted", error=error.message)
        else:
            if any(gone.values()):
                log.info("retention.done", **{step: count for step, count in gone.items() if count})


async def _once(store: Store, days: int, own: Mapping[str, int]) -> dict[str, int]:
    """How many rows each step took; ``own``: steps that have days of their own."""
    gone = dict.fromkeys(STEPS, 0)
    for step in STEPS:
        piece = PIECE
        while piece == PIECE:
            piece = await store.prune(step, own.get(step, days), PIECE)
            gone[step] += piece
            await anyio.sleep(PIECE_SECONDS)
    return gone
