"""How Swarm replaces tasks: ``UpdateConfig`` and ``RollbackConfig``, and how many go first."""

from __future__ import annotations

from reconcilers.environment.durations import nanoseconds
from reconcilers.objects import Canary, SpecDocument
from reconcilers.ports import Options
from specs.snapshots import EnvironmentSnapshot, ProcessSnapshot


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


def canary(snapshot: EnvironmentSnapshot, process: ProcessSnapshot) -> Canary | None:
    """How many tasks of a new version go first. Nothing rests on the way back to a release, which is wanted soon."""
    wanted = snapshot.canary
    if wanted is None or snapshot.pinned is not None:
        return None
    return Canary(wanted.first_of(process.instances), wanted.quiet_seconds)
