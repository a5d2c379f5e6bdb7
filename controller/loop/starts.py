"""Tells tasks that still start from those that never will be healthy, where it is the controller who ends them.

A task counts from when this process first saw it starting, by its own monotonic clock: the clocks of engines, nodes and
this machine may be hours apart. A process that has just begun to lead finds tasks that start already: of those it asks
the engine, which knows how long it has asked one of its containers, and of other nodes, how long ago it was written
down that a task starts. So a task has its time once, whoever leads, and wherever it is; see ``reconcilers.patience``.

Where there is nothing to go back to, the engine ends what was late, and starts another. That it was late stays in the
status until tasks have stayed up, and so it is known to whoever leads next.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from controller.kit import clock
from controller.records import Key
from reconcilers.ports import CRASH_LOOP, ServiceProgress

_NEW_SECONDS = 120.0
"""So long a process may find what it has not seen begin: all is looked at once it leads."""


Ask = Callable[[ServiceProgress], Awaitable[Sequence[float]]]
"""How many seconds each of its tasks that start has done so, at least."""


class Starts:
    """Remembers tasks that start."""

    def __init__(self) -> None:
        self._began = clock.monotonic()
        self._since: dict[tuple[Key, str], dict[str, float]] = {}
        self._looked: set[tuple[Key, str]] = set()
        """What was looked at in the first seconds: what starts after that has begun under the eyes of this process."""

    async def judge(self, key: Key, rollouts: Sequence[ServiceProgress], ask: Ask) -> list[ServiceProgress]:
        """``rollouts`` of ``key`` with how long their tasks may go on starting; of others nothing is forgotten.

        Args:
            key: whose they are.
            rollouts: some or all of them.
            ask: for what this process has not seen begin.

        Raises:
            TransientError: the engine did not answer.
        """
        for rollout in rollouts:
            if self._wonders(key, rollout):
                already = await ask(rollout)
                now = clock.monotonic()
                known = zip(rollout.starting, already, strict=True)
                self._since[key, rollout.service] = {task: now - seconds for task, seconds in known}
        return [self._judge((key, rollout.service), rollout) for rollout in rollouts]

    def forget(self, key: Key) -> None:
        """It is gone."""
        self._since = {known: since for known, since in self._since.items() if known[0] != key}

    @property
    def _is_new(self) -> bool:
        return clock.monotonic() - self._began < _NEW_SECONDS

    def _wonders(self, key: Key, rollout: ServiceProgress) -> bool:
        """Whether its tasks that start may have done so before this process led."""
        counts = rollout.starts_within is not None and bool(rollout.starting)
        return counts and self._is_new and (key, rollout.service) not in self._looked

    def _judge(self, service: tuple[Key, str], rollout: ServiceProgress) -> ServiceProgress:
        if self._is_new:
            self._looked.add(service)
        elif self._looked:
            self._looked = set()
        before = self._since.pop(service, {})
        if rollout.starts_within is None:
            return rollout
        now = clock.monotonic()
        since = self._since[service] = {task: before.get(task, now) for task in rollout.starting}
        return replace(rollout, ends_in=min(since.values()) + rollout.starts_within - now)


def remembered(found: ServiceProgress, version: str, said: Mapping[str, Any]) -> ServiceProgress:
    """``found`` with what was said of it before, and is so until its tasks have all stayed up. Pure.

    The engine ends a task that is late and starts another, which has its time: what is said is the same meanwhile.

    Args:
        found: with how long its tasks may go on starting.
        version: digest of its task template; empty: it is not known, and nothing is remembered.
        said: of it in the last status.
    """
    if not version or found.blocked or not found.desired or found.stable:
        return found
    before = said if said.get("version") == version else {}
    overdue = before.get("overdue") or (found.starts_within if found.unhealthy else None)
    if not overdue:
        return found
    looped = found.failures >= CRASH_LOOP or bool(before.get("looped"))
    return replace(found, overdue=overdue, looped=looped, version=version)
