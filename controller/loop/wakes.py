"""What wakes objects: everything that queues a key, but for the full comparison.

    change log ── bell ──┐
    engine events ───────┼──> the key's queue
    task counts (timer) ─┘

Hints only make it fast: the log is read on a timer too.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Mapping

import anyio
import structlog

from controller.kit.bell import Bell
from controller.loop.config import LoopConfig
from controller.loop.gates.fuse import CHANGED, Fuse
from controller.loop.metrics import ENGINE_UP
from controller.loop.outside import Outside
from controller.loop.queue import Queue
from controller.loop.shortage import Shortage
from controller.loop.turns import Priority
from controller.records import Key
from reconcilers.outcomes import TransientError
from reconcilers.registry import Reconciler

log = structlog.get_logger(__name__)


class Wakes:
    """Queues keys of all kinds.

    Args:
        reconcilers: by kind.
        queues: by kind.
        outside: database and engine.
        fuse: told when a loss was confirmed, and what lives now and then.
        tuning: periods.
        changed: rung when the change log may have something new.
    """

    def __init__(
        self,
        reconcilers: Mapping[str, Reconciler],
        queues: Mapping[str, Queue],
        *,
        outside: Outside,
        fuse: Fuse,
        tuning: LoopConfig,
        changed: Bell,
    ) -> None:
        self._reconcilers = reconcilers
        self._queues = queues
        self._store = outside.store
        self._swarm = outside.swarm
        self._fuse = fuse
        self._tuning = tuning
        self._changed = changed
        self._organizations: dict[Key, str] = {}
        """Whose share of the queue a key counts against; made anew by each full comparison."""
        self._shortage = Shortage(tuning.task_poll_seconds)
        self._waking = frozenset(other for r in reconcilers.values() for other in r.wakes_on)
        self._wake_dependents_of: set[Key] = set()
        self._dependents = Bell()

    def add(self, key: Key, priority: Priority, organization_id: str | None = None) -> bool:
        """Queue ``key`` if its kind has a reconciler; ``organization_id`` where it is known to the caller."""
        queue = self._queues.get(key.kind)
        if queue is None:
            return False
        if organization_id is not None:
            self._organizations[key] = sys.intern(organization_id)
        queue.add(key, priority, organization=self._organizations.get(key, ""))
        return True

    def organizations(self, found: Mapping[Key, str]) -> None:
        """Of all objects that there are: what is gone is forgotten."""
        self._organizations = {key: sys.intern(organization_id) for key, organization_id in found.items()}

    def may_go_on(self, key: Key) -> None:
        """It has waited to start tasks, and may now."""
        self.add(key, Priority.CHANGE)

    # -- the change log ------------------------------------------------------------------------------------------

    async def watch_changes(self) -> None:
        """Queue what the change log has, until cancelled."""
        anew = True  # what an earlier run was given may not have been queued
        while True:
            self._changed.quiet()
            try:
                more = True
                while more:
                    changes, more = await self._store.consume(anew=anew)
                    anew = False
                    for key, organization_id, dependent in changes:
                        if key.kind == CHANGED:
                            self._fuse.changed()
                        if dependent and not self._wakes(key):
                            continue
                        self.add(key, Priority.DEPENDENCY if dependent else Priority.CHANGE, organization_id)
            except TransientError as error:
                log.warning("changes.unread", error=error.message)
                await anyio.sleep(1.0)
                continue
            with anyio.move_on_after(self._tuning.poll_seconds):
                await self._changed.wait()

    def _wakes(self, key: Key) -> bool:
        reconciler = self._reconcilers.get(key.kind)
        return reconciler is not None and bool(reconciler.wakes_on)

    # -- the engine ----------------------------------------------------------------------------------------------

    def woken_by_engine(self, owners: Iterable[Key]) -> None:
        """Something live of these owners came, changed or went; their dependents look again too."""
        for owner in owners:
            self.add(owner, Priority.DRIFT)
            self.written(owner)

    async def count_tasks(self) -> None:
        """Tasks come and go without an event; a service that is short of them is looked at. Until cancelled."""
        period = self._tuning.task_poll_seconds
        while True:
            await anyio.sleep(period)
            started = time.perf_counter()
            try:
                short = await self._swarm.short_of_tasks()
                for key in self._shortage.counted(
                    short, lambda key: self._swarm.fingerprint(key, self._organizations.get(key, ""))
                ):
                    self.add(key, Priority.DRIFT)
                self._fuse.sample()
                await self._fuse.settled()
                ENGINE_UP.set(1)
            except TransientError as error:
                ENGINE_UP.set(0)
                log.warning("tasks.uncounted", error=error.message)
            # A large cluster is asked less often: never more than a thirtieth of the time.
            period = max(self._tuning.task_poll_seconds, 30 * (time.perf_counter() - started))

    # -- dependents ----------------------------------------------------------------------------------------------

    def written(self, key: Key) -> None:
        """Something live of ``key`` changed: whoever depends on its kind looks again."""
        if key.kind in self._waking:
            self._wake_dependents_of.add(key)
            self._dependents.ring()

    async def wake_dependents(self) -> None:
        """Queue who depends on what was ``written``, until cancelled."""
        while True:
            await self._dependents.wait()
            changed, self._wake_dependents_of = self._wake_dependents_of, set()
            try:
                await self._queue_dependents(changed)
            except Exception:
                self._wake_dependents_of |= changed
                self._dependents.ring()
                raise

    async def _queue_dependents(self, owners: Iterable[Key]) -> None:
        for owner in owners:
            try:
                for key in await self._store.dependents(owner):
                    self.add(key, Priority.DEPENDENCY)
            except TransientError:
                log.debug("dependents.unread", key=str(owner))  # they ask again by themselves
