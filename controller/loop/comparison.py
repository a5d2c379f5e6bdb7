"""The full comparison: all that is wanted with all that lives, on a jittered timer and after every take-over.

It is what makes the loop right: a hint that was lost, a change that nobody told of, an object that nothing wants any
more are found here at the latest. What was found converged is remembered with the versions that were live then, so a
comparison that finds nothing to do costs one list of the engine, one of the database, and no reconcile.
"""

from __future__ import annotations

import random
import time
from collections.abc import Collection, Mapping
from contextlib import suppress

import anyio
import anyio.lowlevel
import structlog
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_random_exponential

from controller.kit import stalls
from controller.kit.bell import Bell
from controller.loop.gates.fuse import Fuse, HiddenRowsError
from controller.loop.metrics import ENGINE_UP, LIVE_OBJECTS, OBJECTS, PAUSED, RESYNC_QUEUED, RESYNC_SECONDS, SCOPES
from controller.loop.outside import Outside
from controller.loop.standing import Standing
from controller.loop.turns import Priority
from controller.loop.wakes import Wakes
from controller.records import DesiredObject, Key
from reconcilers.outcomes import FencedError, TransientError

log = structlog.get_logger(__name__)

_JITTER = 0.1
_DEEP_EVERY = 12
_SLICE = 500
"""Objects that are compared before everything else gets its turn."""


class Comparison:
    """Compares, and queues what differs.

    Args:
        standings: by kind, what was found of each object last.
        wakes: queues keys.
        outside: database and engine.
        fuse: looks again at what is lost.
        resync_seconds: the period, before its jitter.
    """

    def __init__(
        self, standings: Mapping[str, Standing], *, wakes: Wakes, outside: Outside, fuse: Fuse, resync_seconds: float
    ) -> None:
        self._standings = standings
        self._wakes = wakes
        self._store = outside.store
        self._swarm = outside.swarm
        self._fuse = fuse
        self._resync_seconds = resync_seconds
        self._pauses = Bell()
        self.done = False
        """Whether the first one was done."""

    async def first(self) -> None:
        """Compare everything, with ever longer pauses until it succeeds."""
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
        self.done = True

    async def again_and_again(self) -> None:
        """Compare on a timer, now and then whatever is known to be as it should; until the lease is lost."""
        rounds = 0
        while True:
            await anyio.sleep(self._resync_seconds * (1 + random.uniform(-_JITTER, _JITTER)))  # noqa: S311 - jitter
            rounds += 1
            try:
                await self._resync(deep=rounds % _DEEP_EVERY == 0)
            except FencedError:
                return
            except TransientError as error:
                ENGINE_UP.set(0)
                log.warning("resync.failed", error=error.message)

    async def _resync(self, *, deep: bool) -> None:
        """Compare, and queue what differs, or all of it when ``deep``."""
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
        self._wakes.organizations({entry.key: entry.organization_id for entry, _, _ in index})
        owners = self._swarm.owners()
        counts: dict[tuple[str, str], int] = {(k, r): 0 for k in self._standings for r in ("true", "false")}
        wanted: set[Key] = set()
        queued = 0
        for number, (entry, ready, finalized) in enumerate(index):
            if not number % _SLICE:
                await anyio.lowlevel.checkpoint()
            wanted.add(entry.key)
            if entry.deleted and finalized and entry.key not in owners:
                continue
            counts[entry.key.kind, "true" if ready else "false"] += 1
            if deep or not ready or self._needs_work(entry):
                queued += self._queue(entry.key)
        for key in owners.keys() - wanted:
            queued += self._queue(key)
        queued += await self._queue_leftovers(owners)
        with suppress(HiddenRowsError):  # it has said so; nothing is taken away meanwhile
            await self._fuse.compared(deep=deep)
        self._pauses.ring()
        for (kind, ready_label), count in counts.items():
            OBJECTS.labels(kind=kind, ready=ready_label).set(count)
        for object_type, count in self._swarm.counts().items():
            LIVE_OBJECTS.labels(object=object_type).set(count)
        return len(index), queued, time.perf_counter() - started

    def _needs_work(self, entry: DesiredObject) -> bool:
        """Whether one that was said to be ready has to be looked at."""
        if entry.requested or entry.deleted:
            return True
        standing = self._standings.get(entry.key.kind)
        fingerprint = self._swarm.fingerprint(entry.key, entry.organization_id)
        return standing is None or not standing.is_verified(entry.key, entry.generation, fingerprint)

    async def _queue_leftovers(self, owners: Collection[Key]) -> int:
        """What only the records know: nothing of it lives, and its row is gone."""
        left = await self._store.leftovers(list(self._standings))
        return sum(self._queue(key) for key in left if key not in owners)

    def _queue(self, key: Key) -> int:
        if not self._wakes.add(key, Priority.RESYNC):
            return 0
        RESYNC_QUEUED.labels(kind=key.kind).inc()
        return 1

    # -- pauses --------------------------------------------------------------------------------------------------

    def pauses_changed(self) -> None:
        """An object was found to be paused, or not any more."""
        self._pauses.ring()

    async def count_pauses(self) -> None:
        """Count an operator's pauses whenever they may have changed, until cancelled."""
        while True:
            await self._pauses.wait()
            try:
                counts = await self._store.pauses()
            except TransientError:
                continue  # the next full comparison asks again
            for scope in SCOPES:
                PAUSED.labels(scope=scope).set(counts.get(scope, 0))


def _say_failed(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    ENGINE_UP.set(0)
    log.warning("resync.failed", error=str(error), retry_in=round(state.upcoming_sleep, 1))
