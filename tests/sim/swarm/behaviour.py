"""How containers behave: what an image and its arguments decide, and how long each step of a task takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from reconcilers.helper import PROGRAM

SECOND = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds of each step; what a quiet real engine needs."""

    reconcile: float = 0.002
    allocate: float = 0.004
    schedule: float = 0.05
    accept: float = 0.05
    prepare: float = 0.1
    start: float = 0.25
    stop: float = 0.3
    stop_on_overlay: float = 2.0
    """In addition, for a container on an overlay: the time in which the others forget its address."""
    report: float = 0.05
    monitor: float = 5.0
    """Default of ``UpdateConfig.Monitor``."""
    restart: float = 5.0
    """Default of ``RestartPolicy.Delay``."""
    rollback_first: bool = False
    """Who is faster after a failure: the updater that goes back, or the restart, which takes the new specification."""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What one container does.

    Args:
        start_seconds: in addition to the pace, before it runs.
        exit_after: it ends that many seconds after it runs; None when it does not. With 0 it ends so long after its
            start, where no health check passes before.
        exit_code: with which it ends then.
        stop_code: with which it ends when it is told to stop.
        healthy: whether its health check, if it has one, ever passes.
        sick_after: its health check, if it has one, fails that many seconds after it runs; None: it does not.
        check_says: what its health check prints when it fails.
        pullable: whether a node can have its image.
        fits: whether any node has room for it.
    """

    start_seconds: float = 0.0
    exit_after: float | None = None
    exit_code: int = 0
    stop_code: int = 0
    healthy: bool = True
    sick_after: float | None = None
    check_says: str = ""
    pullable: bool = True
    fits: bool = True


NORMAL = Behaviour()
BY_WORD: Mapping[str, Behaviour] = {
    "crash": Behaviour(exit_after=0.1, exit_code=1),
    "unhealthy": Behaviour(healthy=False),
    "sickens": Behaviour(sick_after=1.0),
    "missing": Behaviour(pullable=False),
    "huge": Behaviour(fits=False),
    "slow": Behaviour(start_seconds=20.0),
}


class Behaviours:
    """Says what a container does: by its image's name, by the tag, or by the first argument, in that order.

    Args:
        by_image: whole image references; what they say goes first.
    """

    def __init__(self, by_image: Mapping[str, Behaviour] | None = None) -> None:
        self.by_image = dict(by_image or {})
        self.private: dict[str, str] = {}
        """By registry: what it has to be asked with; others are asked with anything."""

    def gives(self, image: str, pull: str) -> bool:
        """Whether the image's registry gives it to who asks with ``pull``."""
        return self.private.get(image.partition("/")[0], pull) == pull

    def of(self, container: Mapping[str, Any]) -> Behaviour:
        """What this container does."""
        image = container.get("Image", "")
        found = self.by_image.get(image) or self.by_image.get(image.partition("@")[0])
        if found is not None:
            return found
        path, _, tag = image.partition("@")[0].rpartition("/")[2].partition(":")
        found = BY_WORD.get(tag) or BY_WORD.get(path)
        if found is not None:
            return found
        arguments = container.get("Args") or ()
        if container.get("Command") == [PROGRAM]:  # the helper stands in front of the image's program and its arguments
            arguments = arguments[next((n for n, word in enumerate(arguments) if word in BY_WORD), len(arguments)) :]
        if not arguments:
            return NORMAL
        chosen = BY_WORD.get(arguments[0], NORMAL)
        if len(arguments) > 1 and arguments[0] == "crash":
            return replace(chosen, exit_code=int(arguments[1]))
        if len(arguments) > 1 and arguments[0] == "sickens":
            return replace(chosen, sick_after=float(arguments[1]))
        if len(arguments) > 1 and arguments[0] == "slow":
            return replace(chosen, start_seconds=float(arguments[1]))
        return chosen


def sick_seconds(container: Mapping[str, Any]) -> float:
    """How long the check of what was healthy once fails before the container is given up; the start period is over."""
    check = container.get("Healthcheck") or {}
    return float(check.get("Interval", 30 * SECOND) / SECOND * (check.get("Retries") or 3))


def health_seconds(container: Mapping[str, Any]) -> tuple[float, float]:
    """When the first health check can pass, and when the container is given up if none does; 0, 0 without a check."""
    check = container.get("Healthcheck") or {}
    if not check.get("Test") or check["Test"] == ["NONE"]:
        return 0.0, 0.0
    interval = check.get("Interval", 30 * SECOND) / SECOND
    period = check.get("StartPeriod", 0) / SECOND
    first = check.get("StartInterval", 0) / SECOND if period else 0.0
    return first or interval, period + interval * (check.get("Retries") or 3)
