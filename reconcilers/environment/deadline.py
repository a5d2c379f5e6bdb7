"""When a look is due at what still starts, as it may be the last one before it is ended. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from reconcilers.outcomes import Outcome, RequeueAfter
from reconcilers.ports import ServiceProgress

_ROUNDING_SECONDS = 0.01


def in_time(outcome: Outcome, observed: Sequence[ServiceProgress]) -> Outcome:
    """``outcome``, or sooner: when one of ``observed`` has been starting for too long."""
    left = [r.ends_in for r in observed if r.ends_in is not None and not r.unhealthy and not r.blocked]
    if not left:
        return outcome
    due = min(left) + _ROUNDING_SECONDS
    return RequeueAfter(min(due, outcome.seconds) if isinstance(outcome, RequeueAfter) else due)
