"""Works on keys of one kind: load, deleted?, valid?, reconcile, report. The outcome is one switch, a reason a branch.

Expected flow: one consistent look at the database -> when the row is gone or to be deleted, remove what lives (behind
the fuse) -> when the row is there and its document is not, touch nothing -> when the document is invalid, say so and
keep the last good state -> else the kind's reconciler.

Guarantees: the report is written also when the reconcile failed, so that what was done is never forgotten; an exception
that nobody foresaw is an error of this key alone.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from typing import Any

import anyio
import anyio.lowlevel
import structlog
from pydantic import BaseModel

from controller.loop.context import ReconcileContext
from controller.loop.failing import Failures, ReconcileTimeout, SnapshotMissing
from controller.loop.gates import Gates, operator_pause
from controller.loop.gates.fuse import Fuse
from controller.loop.gates.rollout_slots import RolloutSlots
from controller.loop.latencies import Latencies
from controller.loop.loops import failed
from controller.loop.metrics import ACTIVE_WORKERS, Reconciles
from controller.loop.outside import Outside
from controller.loop.queue import Queue
from controller.loop.removal import remove
from controller.loop.report import Reporter
from controller.loop.stability import Stability
from controller.loop.standing import Standing
from controller.loop.starts import Starts
from controller.loop.tools import Tools
from controller.loop.trace import Recorder, Trace
from controller.records import Key, Loaded
from reconcilers.conditions import stalled
from reconcilers.outcomes import Done, FencedError, Outcome, ReconcileError, RequeueAfter, TransientError
from reconcilers.ports import Options
from reconcilers.registry import Reconciler
from specs.problems import InvalidSpec

log = structlog.get_logger(__name__)

_FENCED_SECONDS = 1.0
_READ_AGAIN_SECONDS = 0.1
_LEFT_SECONDS = 2.0
"""What nothing wants any more, and a task or a rollback may still need, is looked at again so soon."""


class Worker:
    """Works on keys of one kind.

    Args:
        reconciler: the kind.
        outside: database, engine and ports.
        settings: the kind's own; None: it has none.
        timeout_seconds: a reconcile that takes longer is cut off.
        rollouts: slots for starting tasks, of all kinds.
        on_written: called with a key of which something was changed on the engine.
        on_pause: called when an object was found to be paused, or not any more.
    """

    def __init__(
        self,
        reconciler: Reconciler,
        *,
        outside: Outside,
        queue: Queue,
        fuse: Fuse,
        recorder: Recorder,
        options: Options,
        timeout_seconds: float,
        rollouts: RolloutSlots,
        on_written: Callable[[Key], None],
        on_pause: Callable[[], None],
        settings: BaseModel | None = None,
    ) -> None:
        self._on_written = on_written
        self._on_pause = on_pause
        self._active = ACTIVE_WORKERS.labels(kind=reconciler.kind)
        self._metrics = Reconciles(reconciler.kind)
        self._milestones = Latencies(reconciler.kind)
        self._reconciler = reconciler
        self._queue = queue
        self._recorder = recorder
        self._timeout_seconds = timeout_seconds
        self._tools = Tools(
            outside=outside,
            gates=Gates(reconciler.kind, fuse=fuse, rollouts=rollouts if reconciler.limited else None),
            stability=Stability(options.min_ready_seconds, lambda: outside.store.database_time),
            starts=Starts(),
            options=options,
            uses=reconciler.uses,
            writes=reconciler.writes,
            settings=settings,
            salvage=reconciler.salvage,
            stops=reconciler.stops,
        )
        self._reporter = Reporter(outside.store)
        self.standing = Standing()
        """What was found of each key last."""
        self._failures = Failures(queue=queue, tools=self._tools, standing=self.standing, reporter=self._reporter)

    def close(self) -> None:
        """No key is worked on any more: what is counted here is over."""
        self._tools.gates.close()

    async def run(self) -> None:
        """Work on what is queued until the queue is closed: a task a key, so many at once as the kind allows."""
        room = anyio.Semaphore(self._reconciler.concurrency, fast_acquire=True)
        async with anyio.create_task_group() as tasks:
            while True:
                await room.acquire()  # a key is chosen when there is room for it: what is urgent goes first
                key = await self._queue.get()
                if key is None:
                    return
                tasks.start_soon(self._take, key, room)

    async def _take(self, key: Key, room: anyio.Semaphore) -> None:
        self._active.inc()
        try:
            # Work is shielded wherever it waits: without this a task that was cancelled unstarted would do all of it.
            await anyio.lowlevel.checkpoint_if_cancelled()
            await self.work(key)
        except Exception:  # noqa: BLE001 - it would end the work on all other keys
            failed("work")
        finally:
            self._active.dec()
            self._queue.done(key)
            room.release()

    async def work(self, key: Key) -> None:
        """Reconcile ``key`` once and queue what follows from it. Raises nothing but cancellation."""
        reconcile_id = secrets.token_hex(6)
        trace = Trace(key, reconcile_id, *self._queue.woken(key), epoch=self._recorder.epoch)
        structlog.contextvars.bind_contextvars(key=str(key), reconcile_id=reconcile_id, generation=None)
        result = "panic"
        try:
            result = await self._work(key, trace)
        except Exception as error:  # one key's defect must not stop the others
            log.exception("reconcile.panic")
            trace.failed("Panic", f"{type(error).__name__}: the log has its traceback")
            trace.next_seconds = self._queue.retry(key)
        except BaseException:
            result = "cancelled"
            raise
        finally:
            trace.end(result)
            self._recorder.keep(trace)
            self._milestones.ended(trace)
            self._metrics.ended(result, trace.seconds)
            log.debug("reconcile.done", result=result, seconds=round(trace.seconds, 6))
            structlog.contextvars.unbind_contextvars("key", "reconcile_id", "generation")

    async def _work(self, key: Key, trace: Trace) -> str:
        context: ReconcileContext | None = None
        try:
            # Calls are shielded: the time-out strikes between two of them, and leaves no write in the air.
            with anyio.move_on_after(self._timeout_seconds) as limit:
                loaded = await self._tools.store.load(key)
                structlog.contextvars.bind_contextvars(generation=loaded.generation)
                self._milestones.loaded(loaded, trace.queued)
                trace.saw(loaded, self._tools.swarm.versions(key))
                trace.lap("load")
                if self.standing.begins_anew(loaded):
                    self._queue.forget(key)  # earlier failures do not count
                waiting = self.standing.waiting_seconds(loaded)
                context = ReconcileContext(loaded, tools=self._tools, trace=trace, waiting_seconds=waiting)
                outcome = await self._reconcile(context, loaded)
            # By its own time-out; a cancellation from outside does not end here.
            if limit.cancelled_caught or context is None:
                raise ReconcileTimeout(self._timeout_seconds)
            await self._reporter.say(context.draft, trace)
        except FencedError as error:
            log.warning("reconcile.fenced")
            trace.failed(error.reason, error.message)
            self._queue.again(key, _FENCED_SECONDS)
            trace.next_seconds = _FENCED_SECONDS
            return "fenced"
        except ReconcileError as error:
            trace.failed(error.reason, error.message)
            return await self._failures.handle(key, context, error, trace)
        self._queue.forget(key)
        done = isinstance(outcome, Done)
        gone = done and (loaded.document is None or loaded.deleted)
        self._remember(loaded, context, done=done, gone=gone)
        self._tools.gates.settle(key, moving=context.moving)
        if context.convergence.done:
            self._on_written(key)
        for change in context.convergence.done:
            log.info("object.changed", cause=change.cause, change=str(change))
        if gone:
            self._milestones.gone(key)
        if isinstance(outcome, RequeueAfter):
            self._queue.again(key, outcome.seconds)
            trace.next_seconds = outcome.seconds
            return "requeue_after"
        if outcome.after is not None:
            self._queue.later(key, outcome.after)
            trace.next_seconds = outcome.after
        return "success"

    async def _reconcile(self, context: ReconcileContext, loaded: Loaded) -> Outcome:
        if loaded.paused is not None:
            self.standing.waits_anew(loaded.key)
            self._tools.gates.forget(loaded.key)
            return operator_pause.leave_alone(context, loaded, loaded.paused, self._reconciler, self._on_pause)
        if operator_pause.was_paused(loaded.status):
            context.draft.event("Normal", "Resumed", "reconciling continues")
            self._on_pause()
        if loaded.requested:
            await self._tools.swarm.refresh(loaded.key, loaded.made)
        if loaded.document is None and loaded.declared and not loaded.deleted:
            raise SnapshotMissing(loaded.key)
        if loaded.document is None or loaded.deleted:
            return await remove(context, loaded, self._tools, self._reconciler.finalize)
        if loaded.unreadable is not None:
            return await self._keep_last_good(context, loaded.unreadable, loaded.document)
        try:
            snapshot = self._reconciler.read(loaded.document, self._tools.options)
        except InvalidSpec as error:
            return await self._keep_last_good(context, error, loaded.document)
        context.draft.children = self._reconciler.children(snapshot)
        try:
            outcome: Outcome = await self._reconciler.body(context, snapshot)
        except InvalidSpec as error:  # what only shows when it is rendered
            return await self._keep_last_good(context, error, loaded.document)
        await context.externals.sweep()
        later = isinstance(outcome, Done) and context.convergence.unfinished
        return RequeueAfter(_LEFT_SECONDS) if later else outcome

    async def _keep_last_good(
        self, context: ReconcileContext, error: InvalidSpec, document: Mapping[str, Any]
    ) -> Outcome:
        """The document is wrong: say which field, and keep what worked before, as far as it is wanted today."""
        meanwhile = "; what worked last runs meanwhile" if context.convergence.rows else ""
        context.draft.state_all(stalled(error.reason, f"{error}{meanwhile}"))
        if self._reconciler.unread is not None and context.convergence.rows:
            try:
                if await self._reconciler.unread(context, document):
                    return RequeueAfter(_READ_AGAIN_SECONDS)
            except TransientError as failed:  # then nobody knows, and what is known counts
                context.trace.lap("unread", failed.message)
        later = await context.convergence.keep(self._tools.salvage)
        return Done() if later is None else RequeueAfter(later)

    def _remember(self, loaded: Loaded, context: ReconcileContext, *, done: bool, gone: bool) -> None:
        key, conditions = loaded.key, context.draft.conditions
        ready = bool(conditions) and conditions[0].status == "True"
        if gone or (ready and done):
            self._tools.stability.forget(key)
        if gone:
            self._tools.starts.forget(key)
        if ready:
            self._milestones.ready(key)
        self.standing.looked(loaded, over=ready or gone, progress=context.progress)
        if ready and loaded.organization_id:
            self.standing.verify(loaded, self._tools.swarm.fingerprint(key, loaded.organization_id))
        else:
            self.standing.doubt(key)
