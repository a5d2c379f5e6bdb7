"""Who ends a task that is never healthy, and when: the engine is told more patience than is declared. Pure.

An engine that gives up a container stops it; where that ends with 0, the task has run well to Swarm, and the one that
it was to replace is stopped. So in new releases the engine does not give up what still starts: its start period, in
which failures do not count, is longer than what is declared and what that leaves to the check. What is declared stands
in a label of the container, and by that the controller goes back to the version before, for which Swarm stops the task
as one that is not wanted, and no other.

The first check that passes ends a start period, so nothing of this is left once a task was healthy. Where nothing is to
be gone back to, the engine ends the task after all, and starts it anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconcilers import labels
from reconcilers.objects import SpecDocument

_SECOND = 1_000_000_000
_INTERVAL, _TIMEOUT, _RETRIES = 30.0, 30.0, 3
"""The engine's, of a check that does not say."""
_START_INTERVAL = 5.0
"""The engine's, between checks of what starts, also where those of what runs are closer together."""
_BEGINS_SECONDS = 10.0
"""A task starts before its container does, and nobody tells when that has."""
_SPARE_SECONDS = 30.0
"""For the controller: to see it, and to be another one meanwhile."""


def patient(check: SpecDocument) -> SpecDocument:
    """``check`` as the engine is to be told it, where the controller ends what is never healthy."""
    start, interval, timeout, retries = _declared(check)
    period = start + interval + retries * timeout + _SPARE_SECONDS  # it ends it `retries` failures after that
    sooner = check.get("StartInterval") or _nanoseconds(min(interval, _START_INTERVAL))
    return {**check, "StartPeriod": _nanoseconds(period), "StartInterval": sooner}


def label(check: SpecDocument) -> dict[str, str]:
    """The container's label that says what is declared; ``check`` as it is declared."""
    return {labels.START_PERIOD: f"{_declared(check)[0]:g}"}


def start_seconds(found: Mapping[str, str] | None) -> float | None:
    """The start period that a container's labels say was declared; None: the engine was told it itself."""
    try:
        return max(0.0, float((found or {})[labels.START_PERIOD]))
    except (KeyError, ValueError):
        return None


def within_seconds(container: Mapping[str, Any]) -> float | None:
    """How long a task of this ``ContainerSpec`` may be starting; None: the engine ends it."""
    start = start_seconds(container.get("Labels"))
    check = container.get("Healthcheck")
    if start is None or not check:
        return None
    _, interval, timeout, retries = _declared(check)
    return start + retries * (interval + timeout) + _BEGINS_SECONDS


def _declared(check: Mapping[str, Any]) -> tuple[float, float, float, int]:
    """Start period, interval, time-out and retries; what an engine would refuse counts as not said."""
    start, interval, timeout = (_seconds(check.get(name)) for name in ("StartPeriod", "Interval", "Timeout"))
    retries = check.get("Retries")
    counted = retries if isinstance(retries, int) and retries > 0 else _RETRIES
    return start or 0.0, interval or _INTERVAL, timeout or _TIMEOUT, counted


def _seconds(value: Any) -> float | None:
    return value / _SECOND if isinstance(value, int) and value > 0 else None


def _nanoseconds(seconds: float) -> int:
    return round(seconds * _SECOND)
