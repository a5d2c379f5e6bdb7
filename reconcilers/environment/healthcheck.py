"""How the engine tells whether a task is well: ``ContainerSpec.Healthcheck``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconcilers.environment.durations import nanoseconds
from reconcilers.helper import CHECK, PROGRAM
from reconcilers.objects import SpecDocument
from specs.snapshots import EnvironmentSnapshot, ProcessSnapshot

_SHORTEST, _LONGEST, _MOST = 1_000_000, 2**62, 2**31 - 1


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


def asked(snapshot: EnvironmentSnapshot, process: ProcessSnapshot, port: int) -> SpecDocument | None:
    """The check that its tasks have, declared or the image's own; None: none that is known."""
    check = healthcheck(process, port)
    if check is not None:
        return None if check["Test"] == ["NONE"] else check
    image = snapshot.resolved
    return _of_image(image.healthcheck or {}) if image is not None and image.checks else None


def _of_image(found: Mapping[str, Any]) -> SpecDocument:
    """As it says; what no engine would take is left to the engine."""
    times = ("Interval", "Timeout", "StartPeriod", "StartInterval")
    said = {name: found[name] for name in times if _within(found.get(name), _SHORTEST, _LONGEST)}
    retries = {"Retries": found["Retries"]} if _within(found.get("Retries"), 1, _MOST) else {}
    return {"Test": list(found["Test"]), **said, **retries}


def _within(value: Any, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
