"""Periods and limits of the engine, as the settings have them; seconds unless the name says otherwise."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LoopConfig:
    """What can be set.

    Args:
        hints: whether to listen; off, only timers find changes.
        resync_seconds: period of the full comparison, jittered.
        poll_seconds: period of reading the change log without a hint.
        task_poll_seconds: period of counting tasks.
        max_rollouts: objects that start or replace tasks at once; 0: any number.
        drain_seconds: time for running reconciles at an orderly end.
        reconcile_timeout_seconds: a reconcile that takes longer is cut off between two calls, and tried again.
        quarantine_seconds: rest of a freed subnet.
        retention_days: so long a deleted row, and what was said of it, is kept after its removal is done.
        audit_days: so long an entry of the audit is kept.
        fuse_share: share of live objects that may become unwanted without asking.
        fuse_minimum: so many unwanted objects are always removed without asking.
    """

    hints: bool = True
    resync_seconds: float = 300.0
    poll_seconds: float = 5.0
    task_poll_seconds: float = 5.0
    max_rollouts: int = 32
    drain_seconds: float = 25.0
    reconcile_timeout_seconds: float = 120.0
    quarantine_seconds: float = 600.0
    retention_days: int = 30
    audit_days: int = 365
    fuse_share: float = 0.25
    fuse_minimum: int = 10
