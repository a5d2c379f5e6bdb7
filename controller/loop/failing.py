"""What follows from a reconcile that did not go to its end: when it is tried again, and what is said of the object.

One switch, with a reason a branch. What was done and learned before the error is said all the same.
"""

from __future__ import annotations

import structlog

from controller.loop.context import ReconcileContext
from controller.loop.gates.rollout_slots import RolloutQueuedError
from controller.loop.queue import Queue
from controller.loop.report import Reporter
from controller.loop.standing import Standing
from controller.loop.tools import Tools
from controller.loop.trace import Trace
from controller.records import Key
from reconcilers.conditions import progressing, stalled
from reconcilers.outcomes import (
    ConflictError,
    FencedError,
    NotReadyError,
    ReconcileError,
    TerminalError,
    TransientError,
)

log = structlog.get_logger(__name__)


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


class Failures:
    """Handles the failures of one kind's reconciles."""

    def __init__(self, *, queue: Queue, tools: Tools, standing: Standing, reporter: Reporter) -> None:
        self._queue = queue
        self._tools = tools
        self._standing = standing
        self._reporter = reporter

    async def handle(self, key: Key, context: ReconcileContext | None, error: ReconcileError, trace: Trace) -> str:
        """Queue ``key`` again as ``error`` wants it, and say so; the result for the record.

        Args:
            key: whose reconcile it was.
            context: of it; None when not even its row could be read.
            error: how it ended.
            trace: the record of it.
        """
        result = "transient_error"
        match error:
            case RolloutQueuedError():
                self._standing.waits_anew(key)  # waiting in line is no lack of progress
            case TerminalError():
                self._tools.gates.settle(key, moving=False)
        match error:
            case TerminalError():
                # Trying again cannot help: only a new generation can, and that wakes the key.
                trace.next_seconds = self._stall(key, context, error)
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
        self._standing.doubt(key)
        if context is not None and not isinstance(error, TerminalError):
            context.draft.report.handled_token = None  # what was asked for is still to be done
        if context is not None and not isinstance(error, ConflictError):
            await self._report_failure(context, error)
        elif context is not None and context.draft.report.inventory:
            await self._report_quietly(context)
        return result

    def _stall(self, key: Key, context: ReconcileContext | None, error: TerminalError) -> float | None:
        """Nothing is tried again, but what is to be looked at all the same; what is kept may have to be ended."""
        self._queue.forget(key)
        ends_in = context.convergence.ends_in if context is not None else None
        if ends_in is not None and (error.after is None or ends_in < error.after):
            self._queue.again(key, ends_in)
            return ends_in
        if error.after is not None:
            self._queue.later(key, error.after)
        return error.after

    def _wait(self, key: Key, error: NotReadyError) -> float:
        """Waiting is not failing: a fixed period, no backoff, unless something else wakes it."""
        if error.woken:
            return self._queue.wait(key, error.retry_after)
        self._queue.forget(key)
        self._queue.again(key, error.retry_after)
        return error.retry_after

    async def _report_failure(self, context: ReconcileContext, error: ReconcileError) -> None:
        draft = context.draft
        if draft.addressed:
            if isinstance(error, TerminalError):
                draft.state_all(stalled(error.reason, error.message))
            elif isinstance(error, NotReadyError):
                draft.state_all(progressing(error.reason, error.message))
            else:  # what its parts are is not known to have changed
                draft.state(progressing(error.reason, error.message))
        await self._report_quietly(context)

    async def _report_quietly(self, context: ReconcileContext) -> None:
        """The status of a failure; when the database is what failed, the next attempt says it."""
        try:
            await self._reporter.say(context.draft, context.trace)
        except FencedError:
            pass
        except TransientError as error:
            log.debug("report.unsaid", error=error.message)
            self._queue.retry(context.draft.report.key)
