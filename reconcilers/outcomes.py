"""What a reconcile can end in: four outcomes, and the errors that lead to three of them.

    ReconcileError
    ├── TransientError        try again with backoff: the engine or the database did not answer
    │   ├── ConflictError     somebody else wrote the object first: read again, plan again
    │   └── NotReadyError     something this object depends on is not there yet
    │       └── InUseError    something that should go is still needed
    ├── TerminalError         stalled until the spec changes: trying again cannot help
    └── FencedError           this process is no longer the leader: it must not write any more

A reconcile that returns ``Done`` has nothing left to do; ``RequeueAfter`` looks again after a time (a rollout that is
still on its way). There is no "requeue at once": polling has a period, and retrying has a backoff.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Done:
    """Converged; the next look is the resync's, or that ``after`` so many seconds, for which nothing waits."""

    after: float | None = None


@dataclass(frozen=True, slots=True)
class RequeueAfter:
    """Look again after ``seconds``; not an error, so the backoff is reset."""

    seconds: float


Outcome = Done | RequeueAfter


class ReconcileError(Exception):
    """A reconcile did not converge.

    Args:
        reason: CamelCase word for conditions, events and metrics, from a small fixed set.
        message: what is wrong, where, and what to do; never a secret.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class TransientError(ReconcileError):
    """The same attempt may succeed later; the queue retries with exponential backoff and jitter."""


class ConflictError(TransientError):
    """The engine refused a write because the object changed since it was read ("update out of sequence")."""


class NotReadyError(TransientError):
    """A dependency is not ready; ``retry_after`` seconds is a fixed period, as waiting is not failing.

    ``woken``: what it waits for wakes it (``wakes_on``). Then the period only makes up for a wake-up that was lost: it
    grows with each look, and the looks are the least urgent.
    """

    def __init__(self, reason: str, message: str, *, retry_after: float = 2.0, woken: bool = False) -> None:
        super().__init__(reason, message)
        self.retry_after = retry_after
        self.woken = woken


class InUseError(NotReadyError):
    """Something that nothing wants any more is still needed for a while; all else can go on."""

    def __init__(self, message: str, *, retry_after: float = 1.0) -> None:
        super().__init__("InUse", message, retry_after=retry_after)


class TerminalError(ReconcileError):
    """Only a change of the spec (a new generation) can help; the object is marked ``Stalled``.

    ``after``: in so many seconds it is looked at again all the same, as with ``Done``.
    """

    after: float | None = None


class FencedError(ReconcileError):
    """The lease's epoch moved on: another process leads. Nothing was written."""

    def __init__(self) -> None:
        super().__init__("LeaseLost", "another controller holds the lease; this one stops writing")
