"""How the engine tells whether a task is well: ``ContainerSpec.Healthcheck``."""

from __future__ import annotations

from reconcilers.environment.durations import nanoseconds
from reconcilers.helper import CHECK, PROGRAM
from reconcilers.objects import SpecDocument
from specs.snapshots import ProcessSnapshot


def healthcheck(process: ProcessSnapshot, port: int) -> SpecDocument | None:
    """The declared check, on ``port`` where it names none; ``NONE`` turns the image's own off, None leaves it."""
    check = process.healthcheck
    if check is None:
        return None
    if check.disabled:
        return {"Test": ["NONE"]}
    words = check.command or ()
    if check.http is not None:
        words = (PROGRAM, CHECK, "http", str(check.http.port or port), check.http.path)
    elif check.tcp is not None:
        words = (PROGRAM, CHECK, "tcp", str(port if check.tcp is True else check.tcp))
    sooner = {"StartInterval": nanoseconds(check.start_interval_seconds)} if check.start_interval_seconds else {}
    return {
        "Test": ["CMD", *words],
        "Interval": nanoseconds(check.interval_seconds),
        "Timeout": nanoseconds(check.timeout_seconds),
        "StartPeriod": nanoseconds(check.start_period_seconds),
        "Retries": check.retries,
        **sooner,
    }
