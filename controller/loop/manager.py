"""The manager: what runs while this process holds the lease.

    change log ──hint──┐
    engine events ─────┼──> queues ──> workers
    timers (resync) ───┘

Hints only make it fast. What makes it right: the log is read on a timer too, all objects are compared on a jittered
timer and after every take-over, and running tasks are counted.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress

import anyio
import anyio.abc
import anyio.lowlevel
import structlog
from pydantic_settings import BaseSettings
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_random_exponential

from controller.kit import stalls
from controller.loop.config import LoopConfig
from controller.loop.gates.fuse import CHANGED, Fuse, HiddenRowsError
from controller.loop.gates.rollout_slots import RolloutSlots
from controller.loop.loops import failed, forever
from controller.loop.metrics import (
    ACTIVE_WORKERS,
    ENGINE_UP,
    LIVE_OBJECTS,
    OBJECTS,
    PAUSED,
    RESYNC_QUEUED,
    RESYNC_SECONDS,
    SCOPES,
)
from controller.loop.outside import Outside
from controller.loop.queue import Priority, Queue
from controller.loop.retention import keep_small
from controller.loop.shortage import Shortage
from controller.loop.trace import Recorder
from controller.loop.worker import Worker
from controller.records import Fingerprint, Key
from reconcilers.outcomes import FencedError, TransientError
from reconcilers.ports import Options
from reconcilers.registry import Reconciler

log = structlog.get_logger(__name__)

_JITTER = 0.1
_DEEP_EVERY = 12
_SLOT_DEADLINES, _SLOT_SECONDS = 1.5, 30.0
_SLICE = 500
"""Objects that are compared before everything else gets its turn."""


class Manager:
    """Queues, workers and timers of all kinds.

    Args:
        reconcilers: by kind.
        outside: database, engine and ports.
        recorder: keeps the last reconciles.
        tuning: periods and limits.
        settings: of kinds that have some of their own.
    """

    def __init__(
        self,
        reconcilers: Mapping[str, Reconciler],
        *,
        outside: Outside,
        recorder: Recorder,
        options: Options,
        tuning: LoopConfig,
        settings: Mapping[str, BaseSettings] | None = None,
    ) -> None:
        self._reconcilers = reconcilers
        self._store = outside.store
        self._swarm = outside.swarm
        self._tuning = tuning
        self._fuse = Fuse(outside.store, outside.swarm, share=tuning.fuse_share, minimum=tuning.fuse_minimum)
        self._queues = {kind: Queue(kind) for kind in reconcilers}
        self._rollouts = RolloutSlots(
            tuning.max_rollouts,
            longest=_SLOT_DEADLINES * options.progress_deadline_seconds + _SLOT_SECONDS,
            on_turn=self._take_turn,
        )
        self._workers = {
            kind: Worker(
                reconciler,
                outside=outside,
                queue=self._queues[kind],
                fuse=self._fuse,
                recorder=recorder,
                options=options,
                timeout_seconds=tuning.reconcile_timeout_seconds,
                rollouts=self._rollouts,
                on_written=self._written,
                on_pause=self._pauses_changed,
                settings=(settings or {}).get(kind),
            )
            for kind, reconciler in reconcilers.items()
        }
        self._organizations: dict[Key, str] = {}
        """Whose share of the queue a key counts against; made anew by each full comparison."""
        self._shortage = Shortage(tuning.task_poll_seconds)
        self._changed = anyio.Event()
        self._waking = frozenset(other for r in reconcilers.values() for other in r.wakes_on)
        self._wake_dependents_of: set[Key] = set()
        self._dependents_wake = anyio.Event()
        self._pauses_wake = anyio.Event()
        self.synced = False
        """Whether the first full comparison is done."""

    async def run(self) -> None:
        """Run until cancelled; a cancelled run stops at once (``drain`` first for a graceful end)."""
        try:
            await self._run()
        finally:
            for queue in self._queues.values():
                queue.close()
            for worker in self._workers.values():
                worker.close()
            self._rollouts.close()
            for scope in SCOPES:
                PAUSED.labels(scope=scope).set(0)

    async def _run(self) -> None:
        warm = self._swarm.synced and self._tuning.hints  # without events a view grows cold
        if not warm:
            await forever("first_comparison", self._first_look)
        async with anyio.create_task_group() as tasks:
            if warm:  # what is live is known well enough to begin with
                tasks.start_soon(forever, "first_comparison", self._first_look)
            for kind, reconciler in self._reconcilers.items():
                tasks.start_soon(forever, "work", self._give_out, kind, reconciler.concurrency)
            tasks.start_soon(forever, "changes", self._watch_changes)
            tasks.start_soon(forever, "dependents", self._wake_dependents)
            tasks.start_soon(forever, "pauses", self._count_pauses)
            tasks.start_soon(forever, "comparison", self._resync_loop)
            tasks.start_soon(forever, "tasks", self._count_tasks)
            tasks.start_soon(forever, "pruning", keep_small, self._store, self._tuning.retention_days)

    async def drain(self) -> None:
        """Give out no more keys and wait for the running reconciles."""
        for queue in self._queues.values():
            queue.close()
        for queue in self._queues.values():
            await queue.join()

    # -- workers -------------------------------------------------------------------------------------------------

    async def _give_out(self, kind: str, concurrency: int) -> None:
        """A task a key, so many at once; a key is chosen when there is room for it: what is urgent goes first."""
        queue = self._queues[kind]
        room = anyio.Semaphore(concurrency, fast_acquire=True)
        async with anyio.create_task_group() as tasks:
            while True:
                await room.acquire()
                key = await queue.get()
                if key is None:
                    return
                tasks.start_soon(self._work, key, room)

    async def _work(self, key: Key, room: anyio.Semaphore) -> None:
        active = ACTIVE_WORKERS.labels(kind=key.kind)
        active.inc()
        try:
            # Work is shielded wherever it waits: without this a task that was cancelled unstarted would do all of it.
            await anyio.lowlevel.checkpoint_if_cancelled()
            await self._workers[key.kind].work(key)
        except Exception:  # noqa: BLE001 - it would end the work on all other keys
            failed("work")
        finally:
            active.dec()
            self._queues[key.kind].done(key)
            room.release()

    # -- what wakes them -----------------------------------------------------------------------------------------

    def hint(self) -> None:
        """The change log may have something new."""
        self._changed.set()

    def add(self, key: Key, priority: Priority, organization_id: str | None = None) -> bool:
        """Queue ``key`` if its kind has a reconciler; ``organization_id`` where it is known to the caller."""
        queue = self._queues.get(key.kind)
        if queue is None:
            return False
        if organization_id is not None:
            self._organizations[key] = sys.intern(organization_id)
        queue.add(key, priority, organization=self._organizations.get(key, ""))
        return True

    def _take_turn(self, key: Key) -> None:
        """It has waited to start tasks, and may now."""
        self.add(key, Priority.CHANGE)

    async def _watch_changes(self) -> None:
        anew = True  # what an earlier run was given may not have been queued
        while True:
            self._changed = anyio.Event()
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

    def woken_by_engine(self, owners: Iterable[Key]) -> None:
        """Something live of these owners came, changed or went; their dependents look again too."""
        for owner in owners:
            self.add(owner, Priority.DRIFT)
            self._written(owner)

    def _written(self, key: Key) -> None:
        """Something live of ``key`` changed: whoever depends on its kind looks again."""
        if key.kind in self._waking:
            self._wake_dependents_of.add(key)
            self._dependents_wake.set()

    async def _wake_dependents(self) -> None:
        while True:
            await self._dependents_wake.wait()
            self._dependents_wake = anyio.Event()
            changed, self._wake_dependents_of = self._wake_dependents_of, set()
            try:
                await self._queue_dependents(changed)
            except Exception:
                self._wake_dependents_of |= changed
                self._dependents_wake.set()
                raise

    async def _queue_dependents(self, owners: Iterable[Key]) -> None:
        for owner in owners:
            try:
                for key in await self._store.dependents(owner):
                    self.add(key, Priority.DEPENDENCY)
            except TransientError:
                log.debug("dependents.unread", key=str(owner))  # they ask again by themselves

    def _pauses_changed(self) -> None:
        self._pauses_wake.set()

    async def _count_pauses(self) -> None:
        while True:
            await self._pauses_wake.wait()
            self._pauses_wake = anyio.Event()
            try:
                counts = await self._store.pauses()
            except TransientError:
                continue  # the next full comparison asks again
            for scope in SCOPES:
                PAUSED.labels(scope=scope).set(counts.get(scope, 0))

    # -- timers --------------------------------------------------------------------------------------------------

    async def _first_look(self) -> None:
        attempts = AsyncRetrying(
            retry=retry_if_exception_type(TransientError),
            wait=wait_random_exponential(multiplier=0.2, max=5.0),
            sleep=anyio.sleep,
            before_sleep=_say_failed,
        )
        try:
            await attempts(self._resync, deep=True)
        except FencedError:
            await anyio.sleep_forever()  # the lease is lost; whoever keeps it cancels this
        self.synced = True

    async def _resync_loop(self) -> None:
        rounds = 0
        while True:
            await anyio.sleep(self._tuning.resync_seconds * (1 + random.uniform(-_JITTER, _JITTER)))  # noqa: S311 - jitter
            rounds += 1
            try:
                await self._resync(deep=rounds % _DEEP_EVERY == 0)
            except FencedError:
                return
            except TransientError as error:
                ENGINE_UP.set(0)
                log.warning("resync.failed", error=error.message)

    async def _resync(self, *, deep: bool) -> None:
        """Compare all wanted objects with all live ones; queue those that differ, or all of them when ``deep``.

        What was found converged is remembered with the versions that were live then, so a comparison that finds
        nothing to do costs one list of the engine, one of the database, and no reconcile.
        """
        with stalls.measured() as stall:
            objects, queued, seconds = await self._compare(deep=deep)
        RESYNC_SECONDS.observe(seconds)
        log.info(
            "resync.done",
            objects=objects,
            queued=queued,
            seconds=round(seconds, 3),
            longest_stall=round(stall.longest, 4),
        )

    async def _compare(self, *, deep: bool) -> tuple[int, int, float]:
        """Objects, how many of them were queued, and seconds."""
        started = time.perf_counter()
        await self._swarm.refresh_all()
        ENGINE_UP.set(1)
        index = await self._store.index()
        self._organizations = {entry.key: sys.intern(entry.organization_id) for entry, _, _ in index}
        owners = self._swarm.owners()
        counts: dict[tuple[str, str], int] = {(k, r): 0 for k in self._queues for r in ("true", "false")}
        wanted: set[Key] = set()
        queued = 0
        for number, (entry, ready, finalized) in enumerate(index):
            if not number % _SLICE:
                await anyio.lowlevel.checkpoint()
            key = entry.key
            wanted.add(key)
            if entry.deleted and finalized and key not in owners:
                continue
            counts[key.kind, "true" if ready else "false"] += 1
            if (
                deep
                or not ready
                or entry.requested
                or entry.deleted
                or not self._is_verified(key, entry.generation, entry.organization_id)
            ):
                queued += self._resync_key(key)
        for key in owners.keys() - wanted:
            queued += self._resync_key(key)
        for key in await self._store.leftovers(list(self._reconcilers)):
            if key not in owners:
                queued += self._resync_key(key)
        with suppress(HiddenRowsError):  # it has said so; nothing is taken away meanwhile
            await self._fuse.compared(deep=deep)
        self._pauses_changed()
        for (kind, ready_label), count in counts.items():
            OBJECTS.labels(kind=kind, ready=ready_label).set(count)
        for object_type, count in self._swarm.counts().items():
            LIVE_OBJECTS.labels(object=object_type).set(count)
        return len(index), queued, time.perf_counter() - started

    def _is_verified(self, key: Key, generation: int, organization_id: str) -> bool:
        worker = self._workers.get(key.kind)
        fingerprint = self._swarm.fingerprint(key, organization_id)
        return worker is not None and worker.standing.is_verified(key, generation, fingerprint)

    def _resync_key(self, key: Key) -> int:
        if not self.add(key, Priority.RESYNC):
            return 0
        RESYNC_QUEUED.labels(kind=key.kind).inc()
        return 1

    def _fingerprint(self, key: Key) -> Fingerprint:
        return self._swarm.fingerprint(key, self._organizations.get(key, ""))

    async def _count_tasks(self) -> None:
        """Tasks come and go without an event; a service that is short of them is looked at."""
        period = self._tuning.task_poll_seconds
        while True:
            await anyio.sleep(period)
            started = time.perf_counter()
            try:
                short = await self._swarm.short_of_tasks()
                for key in self._shortage.counted(short, self._fingerprint):
                    self.add(key, Priority.DRIFT)
                self._fuse.sample()
                ENGINE_UP.set(1)
            except TransientError as error:
                ENGINE_UP.set(0)
                log.warning("tasks.uncounted", error=error.message)
            # A large cluster is asked less often: never more than a thirtieth of the time.
            period = max(self._tuning.task_poll_seconds, 30 * (time.perf_counter() - started))


def _say_failed(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    ENGINE_UP.set(0)
    log.warning("resync.failed", error=str(error), retry_in=round(state.upcoming_sleep, 1))
