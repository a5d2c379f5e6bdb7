"""The manager: what runs while this process holds the lease, and how it begins and ends.

what wakes objects ──┐
full comparison ─────┴──> a queue a kind ──> its worker
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import anyio
from pydantic import BaseModel

from controller.kit.bell import Bell
from controller.loop.comparison import Comparison
from controller.loop.config import LoopConfig
from controller.loop.gates.fuse import Fuse
from controller.loop.gates.rollout_slots import RolloutSlots
from controller.loop.loops import forever
from controller.loop.metrics import PAUSED, SCOPES
from controller.loop.outside import Outside
from controller.loop.queue import Queue
from controller.loop.retention import keep_small
from controller.loop.trace import Recorder
from controller.loop.wakes import Wakes
from controller.loop.worker import Worker
from controller.records import Key
from reconcilers.ports import Options
from reconcilers.registry import Reconciler

_SLOT_DEADLINES, _SLOT_SECONDS = 1.5, 30.0


class Manager:
    """Queues, workers and timers of all kinds.

    Args:
        reconcilers: by kind.
        outside: database, engine and ports.
        recorder: keeps the last reconciles.
        tuning: periods and limits.
        changed: rung when the change log may have something new; without it the log is read on a timer alone.
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
        changed: Bell | None = None,
        settings: Mapping[str, BaseModel] | None = None,
    ) -> None:
        self._store = outside.store
        self._swarm = outside.swarm
        self._tuning = tuning
        fuse = Fuse(outside.store, outside.swarm, share=tuning.fuse_share, minimum=tuning.fuse_minimum)
        self.changed = Bell() if changed is None else changed
        """Rung when the change log may have something new."""
        self._queues = {kind: Queue(kind) for kind in reconcilers}
        self._wakes = Wakes(reconcilers, self._queues, outside=outside, fuse=fuse, tuning=tuning, changed=self.changed)
        self._rollouts = RolloutSlots(
            tuning.max_rollouts,
            longest=_SLOT_DEADLINES * options.progress_deadline_seconds + _SLOT_SECONDS,
            on_turn=self._wakes.may_go_on,
        )
        self._workers = {
            kind: Worker(
                reconciler,
                outside=outside,
                queue=self._queues[kind],
                fuse=fuse,
                recorder=recorder,
                options=options,
                timeout_seconds=tuning.reconcile_timeout_seconds,
                rollouts=self._rollouts,
                on_written=self._wakes.written,
                on_pause=self._pauses_changed,
                settings=(settings or {}).get(kind),
            )
            for kind, reconciler in reconcilers.items()
        }
        self._comparison = Comparison(
            {kind: worker.standing for kind, worker in self._workers.items()},
            wakes=self._wakes,
            outside=outside,
            fuse=fuse,
            resync_seconds=tuning.resync_seconds,
        )

    @property
    def synced(self) -> bool:
        """Whether the first full comparison is done."""
        return self._comparison.done

    def woken_by_engine(self, owners: Iterable[Key]) -> None:
        """Something live of these owners came, changed or went."""
        self._wakes.woken_by_engine(owners)

    def _pauses_changed(self) -> None:
        self._comparison.pauses_changed()

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
            await forever("first_comparison", self._comparison.first)
        async with anyio.create_task_group() as tasks:
            if warm:  # what is live is known well enough to begin with
                tasks.start_soon(forever, "first_comparison", self._comparison.first)
            for worker in self._workers.values():
                tasks.start_soon(forever, "work", worker.run)
            tasks.start_soon(forever, "changes", self._wakes.watch_changes)
            tasks.start_soon(forever, "dependents", self._wakes.wake_dependents)
            tasks.start_soon(forever, "pauses", self._comparison.count_pauses)
            tasks.start_soon(forever, "comparison", self._comparison.again_and_again)
            tasks.start_soon(forever, "tasks", self._wakes.count_tasks)
            tasks.start_soon(
                forever, "pruning", keep_small, self._store, self._tuning.retention_days, self._tuning.audit_days
            )

    async def drain(self) -> None:
        """Give out no more keys and wait for the running reconciles."""
        for queue in self._queues.values():
            queue.close()
        for queue in self._queues.values():
            await queue.join()
