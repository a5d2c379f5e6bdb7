"""How the engine tells whether a task is well: ``ContainerSpec.Healthcheck``."""

from __future__ import annotations

from reconcilers.environment.durations import nanoseconds
from reconcilers.objects import SpecDocument
from specs.snapshots import ProcessSnapshot


def healthcheck(process: ProcessSnapshot) -> SpecDocument | None:
    """The declared check; ``NONE`` turns the image's own off; None leaves that as it is."""
    check = process.healthcheck
    if check is None:
        return None
    if check.disabled:
        return {"Test": ["NONE"]}
    return {
        "Test": ["CMD", *check.command],
        "Interval": nanoseconds(check.interval_seconds),
        "Timeout": nanoseconds(check.timeout_seconds),
        "StartPeriod": nanoseconds(check.start_period_seconds),
        "Retries": check.retries,
    }
