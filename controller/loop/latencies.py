"""How long the objects of one kind take from one milestone to the next: first look, ready, repaired, gone.

Every time begins when this process queued the key that showed it the news: the change log was read, the engine's event
came. So the wait in the queue counts, and retries do, and what lies before (the commit, a time without a leader) does
not. What another process began is not counted at all.
"""

from __future__ import annotations

from typing import NamedTuple

from controller.kit.clock import monotonic
from controller.loop.metrics import (
    DELETION_SECONDS,
    DRIFT_SECONDS,
    FIRST_READY_SECONDS,
    FIRST_RECONCILE_SECONDS,
    READY_SECONDS,
)
from controller.loop.trace import Trace
from controller.records import Key, Loaded


class _Unready(NamedTuple):
    generation: int
    since: float
    born: float | None
    """When the object itself was first seen; None when it is an older one."""


class Latencies:
    """Remembers what is under way, and observes it when it is over."""

    def __init__(self, kind: str) -> None:
        self._first_reconcile = FIRST_RECONCILE_SECONDS.labels(kind=kind)
        self._first_ready = FIRST_READY_SECONDS.labels(kind=kind)
        self._ready = READY_SECONDS.labels(kind=kind)
        self._deletion = DELETION_SECONDS.labels(kind=kind)
        self._drift = DRIFT_SECONDS.labels(kind=kind)
        self._unready: dict[Key, _Unready] = {}
        self._deleting: dict[Key, float] = {}
        self._drifting: dict[Key, float] = {}

    def loaded(self, loaded: Loaded, queued: float) -> None:
        """A look at the object has begun; its key was ``queued`` then."""
        key, status = loaded.key, loaded.status
        if loaded.document is None or loaded.deleted:
            self._unready.pop(key, None)
            if not (status or {}).get("finalized") and (status or loaded.inventory):
                self._deleting.setdefault(key, queued)
            return
        known = self._unready.get(key)
        if known is not None and known.generation == loaded.generation:
            return
        if status is None and known is None:
            self._first_reconcile.observe(monotonic() - queued)
            self._unready[key] = _Unready(loaded.generation, queued, born=queued)
        elif status is None or status["observed_generation"] < loaded.generation:
            self._unready[key] = _Unready(loaded.generation, queued, born=known.born if known else None)

    def ready(self, key: Key) -> None:
        """Its generation is Ready, and the status says so."""
        known = self._unready.pop(key, None)
        if known is not None:
            now = monotonic()
            self._ready.observe(now - known.since)
            if known.born is not None:
                self._first_ready.observe(now - known.born)

    def gone(self, key: Key) -> None:
        """Nothing live remains of a deleted object, and the status says so."""
        since = self._deleting.pop(key, None)
        if since is not None:
            self._deletion.observe(monotonic() - since)

    def ended(self, trace: Trace) -> None:
        """A reconcile is over: was there something that somebody else had changed, and is it put right?"""
        if trace.repaired:
            self._drift.observe(monotonic() - self._drifting.pop(trace.key, trace.queued))
        elif trace.drifted:
            self._drifting.setdefault(trace.key, trace.queued)
        else:
            self._drifting.pop(trace.key, None)
