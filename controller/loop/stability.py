"""Tells tasks that have run for a while from tasks that just happen to run.

A task counts from when this process first saw it running, by its own monotonic clock: the clocks of engines, nodes and
this machine may be hours apart. Tasks that the last status called ready need no second look, nor do those that took
their place while none ended by itself (a node was lost, say), as long as nothing else is wanted: neither a restart of
the controller nor a fail-over takes anything back. What goes first while others wait counts on from when an earlier
leader saw it, as its status says: by the database's clock, which both have, and never longer than it was.

What is ready is not proven yet: a version can outlive the first seconds and die again and again all the same. Until it
has run several times as long, the one before it is the last good one.

Each task that ended in the slot shortly before doubles the time that its successor has to run: what dies again and
again is not called ready in between, however long it takes to die.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from controller.kit import clock
from controller.records import Key
from reconcilers.ports import ServiceProgress

_ROUNDING_SECONDS = 0.01
_PROBATION = 6


class Stability:
    """Remembers running tasks of objects that are not ready yet.

    Args:
        seconds: how long a task must have run.
        time: seconds since the epoch, at least and at most, by a clock that the next leader has as well.
    """

    def __init__(self, seconds: float, time: Callable[[], tuple[float, float]]) -> None:
        self._seconds = seconds
        self._time = time
        self._since: dict[Key, dict[str, _Seen]] = {}

    def judge(
        self, key: Key, rollouts: Sequence[ServiceProgress], status: Mapping[str, Any] | None, generation: int
    ) -> list[ServiceProgress]:
        """``rollouts`` with what is to be said of their stability.

        Args:
            key: whose they are.
            rollouts: all of them.
            status: the last one that was written.
            generation: the one that is wanted.
        """
        now = clock.monotonic()
        before = self._since.get(key, {})
        since = {
            task: self._dated(before.get(task) or self._seen(now, _quiet_since(rollout, status)), rollout, now)
            for rollout in rollouts
            for task in rollout.tasks
        }
        self._since[key] = since
        ready = _ready_tasks(status)
        same = status is not None and status["observed_generation"] == generation
        return [self._judge(r, since, now, ready.get(r.service, ""), same=same) for r in rollouts]

    def forget(self, key: Key) -> None:
        """It is ready, or gone."""
        self._since.pop(key, None)

    def _seen(self, now: float, earlier: int) -> _Seen:
        """Now, or ``earlier`` by the clock of all leaders; 0: nobody has seen it before."""
        return _Seen(now - max(0.0, self._time()[0] - earlier) if earlier else now, earlier)

    def _dated(self, seen: _Seen, rollout: ServiceProgress, now: float) -> _Seen:
        """``seen``, for another leader to go on from, where something waits for it."""
        if not rollout.first or seen.wall:
            return seen
        return seen._replace(wall=math.ceil(self._time()[1] - (now - seen.at)))

    def _judge(
        self, rollout: ServiceProgress, since: Mapping[str, _Seen], now: float, before: str, *, same: bool
    ) -> ServiceProgress:
        if rollout.first:
            return _resting(rollout, since, now)
        if not rollout.complete:
            return rollout
        if not rollout.desired:
            return replace(rollout, stable=True)
        ran = now - max((since[task].at for task in rollout.tasks), default=now)
        left, unproven = self._seconds * 2**rollout.failures - ran, self._seconds * _PROBATION - ran
        proves_in = unproven + _ROUNDING_SECONDS if unproven > 0 else 0.0
        if before and (before == rollout.digest or (same and not rollout.failures)):
            return replace(rollout, stable=True, vouched=before, proves_in=proves_in)
        if left <= 0:
            return replace(rollout, stable=True, vouched=rollout.digest, proves_in=proves_in)
        return replace(rollout, settles_in=left + _ROUNDING_SECONDS)


def _resting(rollout: ServiceProgress, since: Mapping[str, _Seen], now: float) -> ServiceProgress:
    """``rollout`` with how long those that go first have been quiet, once all of them run."""
    began = sorted(since[task] for task in rollout.tasks)[: rollout.first]
    if len(began) < rollout.first:
        return rollout
    return replace(rollout, quiet_seconds=now - began[-1].at, quiet_since=began[-1].wall)


class _Seen(NamedTuple):
    """When a task was seen first: by our monotonic clock, and in whole seconds by the clock of all leaders; 0:
    nobody needs that.
    """

    at: float
    wall: int


def _quiet_since(rollout: ServiceProgress, status: Mapping[str, Any] | None) -> int:
    """Since when, as the last status says, just these tasks go first."""
    services = status["details"].get("services") if status else None
    said = (services or {}).get(rollout.service) or {}
    since = said.get("quiet_since")
    return since if rollout.first and said.get("first") == rollout.digest and type(since) is int else 0


def _ready_tasks(status: Mapping[str, Any] | None) -> dict[str, str]:
    """Which tasks the last status called ready, by service."""
    if not status or not any(c["type"] == "Ready" and c["status"] == "True" for c in status["conditions"]):
        return {}
    services = status["details"].get("services") or {}
    return {name: said["tasks"] for name, said in services.items() if said.get("tasks")}
