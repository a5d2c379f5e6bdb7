"""Reconciles one key: load, deleted?, valid?, reconcile, report. The outcome is one switch, with a reason a branch.

Expected flow: one consistent look at the database -> when the row is gone or to be deleted, remove what lives (behind
the fuse) -> when the row is there and its document is not, touch nothing -> when the document is invalid, say so and
keep the last good state -> else the kind's reconciler.

Guarantees: the report is written also when the reconcile failed, so that what was done is never forgotten; an exception
that nobody foresaw is an error of this key alone.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import anyio
import structlog
from pydantic import ValidationError

from controller.kit import clock
from controller.loop.context import ReconcileContext
from controller.loop.gates import operator_pause
from controller.loop.gates.fuse import Fuse
from controller.loop.gates.rollout_slots import RolloutQueuedError, RolloutSlots
from controller.loop.gates.self_heal import SelfHealBackoff
from controller.loop.latencies import Latencies
from controller.loop.ports import Store, Swarm
from controller.loop.queue import Queue
from controller.loop.stability import Stability
from controller.loop.trace import Recorder, Trace
from controller.records import Key, Loaded, Pause, Report
from controller.telemetry.metrics import Reconciles
from reconcilers.conditions import paused, progressing, stalled
from reconcilers.objects import Objects
from reconcilers.outcomes import (
    ConflictError,
    Done,
    FencedError,
    NotReadyError,
    Outcome,
    ReconcileError,
    RequeueAfter,
    TerminalError,
    TransientError,
)
from reconcilers.ports import Options
from reconcilers.registry import Reconciler
from specs.problems import InvalidSpec

log = structlog.get_logger(__name__)

_GONE_POLL_SECONDS, _STOPPING_POLL_SECONDS = 0.3, 10.0
_FENCED_SECONDS = 1.0


class ReconcileTimeout(TransientError):  # noqa: N818 - reads as what happened
    """A reconcile took too long and was cut off between two calls."""

    def __init__(self, seconds: float) -> None:
        super().__init__(
            "ReconcileTimeout",
            f"the reconcile did not end within {seconds:g} s and was cut off; it is tried again. `skypanel trace` "
            "shows which step took so long; SKYPANEL_RECONCILE_TIMEOUT_SECONDS is the limit",
        )


class SnapshotMissing(TransientError):  # noqa: N818 - reads as what happened
    """The object is declared, and what it should be cannot be read: nothing that lives of it is touched."""

    def __init__(self, key: Key) -> None:
        super().__init__(
            "SnapshotMissing",
            f"{key} is declared, and skypanel.snapshot_{key.kind} does not show it: row-level security hides a part of "
            "it from the owner of the view (`skypanel doctor` says which table), or the row of its organization is "
            "missing after a restore. Let the view's owner bypass row-level security, or write the missing row; until "
            "then everything of it stays as it is",
        )


class Worker:
    """Works on keys of one kind.

    Args:
        reconciler: the kind.
        quarantine_seconds: rest of a freed subnet.
        timeout_seconds: a reconcile that takes longer is cut off.
        rollouts: slots for starting tasks, of all kinds.
        on_written: called with a key of which something was changed on the engine.
        on_pause: called when an object was found to be paused, or not any more.
    """

    def __init__(
        self,
        reconciler: Reconciler,
        *,
        store: Store,
        swarm: Swarm,
        queue: Queue,
        fuse: Fuse,
        recorder: Recorder,
        options: Options,
        quarantine_seconds: float,
        timeout_seconds: float,
        rollouts: RolloutSlots,
        on_written: Callable[[Key], None],
        on_pause: Callable[[], None],
    ) -> None:
        self._on_written = on_written
        self._on_pause = on_pause
        self._metrics = Reconciles(reconciler.kind)
        self._milestones = Latencies(reconciler.kind)
        self._reconciler = reconciler
        self._store = store
        self._swarm = swarm
        self._queue = queue
        self._fuse = fuse
        self._recorder = recorder
        self._options = options
        self._quarantine_seconds = quarantine_seconds
        self._timeout_seconds = timeout_seconds
        self._rollouts = rollouts if reconciler.limited else None
        self._contention = SelfHealBackoff(reconciler.kind)
        self._stability = Stability(options.min_ready_seconds)
        self._unready_since: dict[Key, tuple[int, float, int]] = {}
        """Of objects that are not ready: the generation, since when it has come no further, and how far it had come."""
        self._begun: dict[Key, str] = {}
        """Requests to look now that were begun and are not acknowledged yet."""
        self._unsaid: dict[Key, Report] = {}
        """What was done and could not be written down, as the database was away; said with the next report."""
        self.verified: dict[Key, tuple[int, Any]] = {}
        """Keys that were found converged: the generation and what was live then. Equal again means: nothing to do."""

    def close(self) -> None:
        """No key is worked on any more: what is counted here is over."""
        self._contention.close()

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
                loaded = await self._store.load(key)
                structlog.contextvars.bind_contextvars(generation=loaded.generation)
                self._milestones.loaded(loaded, trace.queued)
                trace.saw(loaded, self._swarm.versions(key))
                trace.lap("load")
                if loaded.asked:
                    self._begin_anew(key, loaded.token)
                else:
                    self._begun.pop(key, None)
                context = self._context(loaded, trace)
                outcome = await self._reconcile(context, loaded)
            if (
                limit.cancelled_caught or context is None
            ):  # by its own time-out; a cancellation from outside does not end here
                raise ReconcileTimeout(self._timeout_seconds)
            await self._say(key, context)
        except FencedError as error:
            log.warning("reconcile.fenced")
            trace.failed(error.reason, error.message)
            self._queue.again(key, _FENCED_SECONDS)
            trace.next_seconds = _FENCED_SECONDS
            return "fenced"
        except ReconcileError as error:
            trace.failed(error.reason, error.message)
            return await self._failed(key, context, error, trace)
        self._queue.forget(key)
        done = isinstance(outcome, Done)
        gone = done and (loaded.document is None or loaded.deleted)
        self._remember(key, loaded, context, done=done)
        if self._rollouts is not None:
            self._rollouts.settle(key, moving=context.moving)
        if context.done:
            self._on_written(key)
        for change in context.done:
            log.info("object.changed", cause=change.cause, change=str(change))
        if gone:
            self._milestones.gone(key)
        if isinstance(outcome, RequeueAfter):
            self._queue.again(key, outcome.seconds)
            trace.next_seconds = outcome.seconds
            return "requeue_after"
        return "success"

    def _context(self, loaded: Loaded, trace: Trace) -> ReconcileContext:
        generation, since, _ = self._unready_since.get(loaded.key, (-1, 0.0, 0))
        waiting = clock.monotonic() - since if generation == loaded.generation else 0.0
        return ReconcileContext(
            loaded,
            trace=trace,
            store=self._store,
            swarm=self._swarm,
            contention=self._contention,
            fuse=self._fuse,
            stability=self._stability,
            rollouts=self._rollouts,
            options=self._options,
            waiting_seconds=waiting,
            quarantine_seconds=self._quarantine_seconds,
        )

    def _begin_anew(self, key: Key, token: str) -> None:
        """Somebody asks to look now: neither earlier failures nor the time that it took so far count; once."""
        if self._begun.get(key) != token:
            self._begun[key] = token
            self._queue.forget(key)
            self._unready_since.pop(key, None)

    async def _reconcile(self, context: ReconcileContext, loaded: Loaded) -> Outcome:
        if loaded.paused is not None:
            return self._leave_alone(context, loaded, loaded.paused)
        if operator_pause.was_paused(loaded.status):
            context.event("Normal", "Resumed", "it is looked after again")
            self._on_pause()
        if loaded.asked:
            await self._swarm.refresh(loaded.key, loaded.inventory)
        if loaded.document is None and loaded.declared and not loaded.deleted:
            raise SnapshotMissing(loaded.key)
        if loaded.document is None or loaded.deleted:
            return await self._remove(context, loaded)
        if loaded.unreadable is not None:
            return await self._keep_last_good(context, loaded.unreadable)
        try:
            snapshot = self._reconciler.read(loaded.document, self._options)
        except InvalidSpec as error:
            return await self._keep_last_good(context, error)
        context.children = self._reconciler.children(snapshot)
        outcome: Outcome = await self._reconciler.body(context, snapshot)
        return outcome

    def _leave_alone(self, context: ReconcileContext, loaded: Loaded, by: Pause) -> Outcome:
        """Touch nothing, and say so of the object and of its children; also when it is to be deleted."""
        self._unready_since.pop(loaded.key, None)
        self._contention.forget(loaded.key)
        if loaded.document is None or (loaded.status or {}).get("finalized"):
            return Done()  # nothing is left of it that a status could speak of
        with suppress(ValidationError):
            if loaded.unreadable is None:
                context.children = self._reconciler.children(self._reconciler.snapshot.model_validate(loaded.document))
        conditions = paused(operator_pause.message(loaded.key, by))
        context.report_all(conditions)
        if not operator_pause.was_paused(loaded.status):
            context.event("Normal", conditions[0].reason, conditions[0].message)
            self._on_pause()
        return Done()

    async def _remove(self, context: ReconcileContext, loaded: Loaded) -> Outcome:
        """Take away all that lives for an object that is no longer wanted."""
        key = loaded.key
        self._contention.forget(key)
        changes = self._swarm.plan(key, Objects(), loaded.inventory)
        if changes.changes:
            await self._fuse.removal(key)
            context.planned(changes)
            if loaded.document is not None:
                context.report_all(progressing("Deleting", "what lives of it is being removed"))
            await context.execute(changes)
            # The inventory keeps its rows until nothing lives and all is given back: a crash is found by them.
            context.report_out.inventory[:] = [update for update in context.report_out.inventory if not update.gone]
            return RequeueAfter(_GONE_POLL_SECONDS)
        if changes.kept:
            name, why = next(iter(changes.kept.items()))
            raise NotReadyError("InUse", f"network {name}: {why}; it goes after that", retry_after=_GONE_POLL_SECONDS)
        # The live view shows nothing; intents that never became objects, and confirmed removals, are struck off.
        still_there = await self._swarm.forget_missing(key, loaded.inventory, context.report_out.inventory)
        context.trace.lap("observe", "something lives that was not known" if still_there else "nothing lives")
        if still_there:
            return RequeueAfter(_GONE_POLL_SECONDS)
        if (loaded.status or {}).get("finalized"):
            return Done()
        stopping = await self._swarm.stopping(key) if _may_run(loaded) else 0
        if stopping:
            if loaded.document is not None:
                text = f"Stopping: {stopping} task(s) were asked to stop and still run"
                context.report(progressing("Deleting", text))
            return RequeueAfter(min(_STOPPING_POLL_SECONDS, max(_GONE_POLL_SECONDS, context.waiting_seconds / 5)))
        if loaded.organization_id in (None, key.id):  # an organization itself: only it has a subnet
            await self._store.release_subnet(key.id)
            context.trace.lap("subnet", "given back")
        if loaded.document is not None or loaded.status:
            context.finished()
        return Done()

    async def _keep_last_good(self, context: ReconcileContext, error: InvalidSpec) -> Outcome:
        """The document is wrong: say which field, and keep what worked before, as far as it is wanted today."""
        context.report_all(stalled(error.reason, str(error)))
        later = await context.keep(self._reconciler.salvage)
        return Done() if later is None else RequeueAfter(later)

    async def _failed(self, key: Key, context: ReconcileContext | None, error: ReconcileError, trace: Trace) -> str:
        result = "transient_error"
        match error:
            case RolloutQueuedError():
                self._unready_since.pop(key, None)  # waiting in line is no lack of progress
            case TerminalError() if self._rollouts is not None:
                self._rollouts.settle(key, moving=False)
        match error:
            case TerminalError():
                # Trying again cannot help: only a new generation can, and that wakes the key.
                self._queue.forget(key)
                log.error("reconcile.stalled", reason=error.reason, error=error.message)
                result = "terminal_error"
            case NotReadyError():
                trace.next_seconds = self._wait(key, error)
                log.info("reconcile.waiting", reason=error.reason, message=error.message)
                result = "requeue_after"
            case ConflictError():
                trace.next_seconds = self._queue.retry(key)
                log.info("reconcile.conflict", error=error.message)
                result = "conflict"
            case ReconcileTimeout():
                delay = trace.next_seconds = self._queue.retry(key)
                log.error("reconcile.timeout", error=error.message, retry_in=round(delay, 2))
                result = "timeout"
            case _:
                delay = trace.next_seconds = self._queue.retry(key)
                log.warning("reconcile.failed", reason=error.reason, error=error.message, retry_in=round(delay, 2))
        self.verified.pop(key, None)
        if context is not None and not isinstance(error, TerminalError):
            context.report_out.handled_token = None  # what was asked for is still to be done
        if context is not None and not isinstance(error, ConflictError):
            await self._report_failure(key, context, error)
        elif context is not None and context.report_out.inventory:
            await self._report_quietly(key, context)
        return result

    def _wait(self, key: Key, error: NotReadyError) -> float:
        """Waiting is not failing: a fixed period, no backoff, unless something else wakes it."""
        if error.woken:
            return self._queue.wait(key, error.retry_after)
        self._queue.forget(key)
        self._queue.again(key, error.retry_after)
        return error.retry_after

    async def _report_failure(self, key: Key, context: ReconcileContext, error: ReconcileError) -> None:
        if context.exists:
            if isinstance(error, TerminalError):
                context.report_all(stalled(error.reason, error.message))
            elif isinstance(error, NotReadyError):
                context.report_all(progressing(error.reason, error.message))
            else:  # what its parts are is not known to have changed
                context.report(progressing(error.reason, error.message))
        await self._report_quietly(key, context)

    async def _report_quietly(self, key: Key, context: ReconcileContext) -> None:
        """The status of a failure; when the database is what failed, the next attempt says it."""
        try:
            await self._say(key, context)
        except FencedError:
            pass
        except TransientError as error:
            log.debug("report.unsaid", error=error.message)
            self._queue.retry(key)

    async def _say(self, key: Key, context: ReconcileContext) -> None:
        """Write the report, with what an earlier one could not say; keep it for the next when it cannot be said."""
        report = context.report_out
        earlier = self._unsaid.pop(key, None)
        if earlier is not None and earlier is not report:
            report.events[:0] = earlier.events
            report.inventory[:0] = earlier.inventory
        try:
            await self._store.report(report)
        except FencedError:
            raise
        except Exception:
            if report.events or report.inventory:
                self._unsaid[key] = report
            raise
        context.trace.lap("report", " ".join(f"{c.type}={c.status}:{c.reason}" for c in context.conditions))

    def _remember(self, key: Key, loaded: Loaded, context: ReconcileContext, *, done: bool) -> None:
        ready = bool(context.conditions) and context.conditions[0].status == "True"
        gone = done and (loaded.document is None or loaded.deleted)
        if gone or (ready and done):
            self._stability.forget(key)
        if ready:
            self._milestones.ready(key)
        if ready or gone:
            self._unready_since.pop(key, None)
        else:
            generation, _, furthest = self._unready_since.get(key, (-1, 0.0, 0))
            if generation != loaded.generation or context.progress > furthest:
                self._unready_since[key] = (loaded.generation, clock.monotonic(), context.progress)
        if ready and loaded.organization_id:
            self.verified[key] = (loaded.generation, self._swarm.fingerprint(key, loaded.organization_id))
        else:
            self.verified.pop(key, None)


def _may_run(loaded: Loaded) -> bool:
    """Whether tasks may still stop; not where it was last said of all its services that they want and have none."""
    services = ((loaded.status or {}).get("details") or {}).get("services")
    return not services or any(said.get("desired") or said.get("stopping") for said in services.values())
