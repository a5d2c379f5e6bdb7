"""How Swarm replaces tasks: ``UpdateConfig`` and ``RollbackConfig``."""

from __future__ import annotations

from reconcilers.environment.durations import nanoseconds
from reconcilers.objects import SpecDocument
from reconcilers.ports import Options


def update_config(on_failure: str, options: Options) -> SpecDocument:
    """One task at a time, the new one first: nothing is taken away before its successor is healthy."""
    return {
        "Parallelism": 1,
        "Delay": 0,
        "FailureAction": on_failure,
        "Monitor": nanoseconds(options.monitor_seconds),
        "MaxFailureRatio": 0,
        "Order": "start-first",
    }
