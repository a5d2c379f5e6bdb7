"""The mass-deletion fuse: an empty or restored database must not empty the cluster.

Before anything of an unwanted owner is removed, everything that is unwanted is counted. When that is more than a small
number and more than a share of what lives, nothing is removed; it waits until an operator has looked and run
``skypanel gc --confirm``, which confirms exactly the set that was shown.
"""

from __future__ import annotations

import structlog

from controller import clock
from controller.engine.ports import Store, Swarm
from controller.metrics import FUSE_DOOMED, FUSE_TRIPPED
from controller.records import Key
from reconcilers.outcomes import ConflictError, NotReadyError

log = structlog.get_logger(__name__)

_FRESH_SECONDS = 0.5
_ASK_AGAIN_SECONDS = 30.0


class FuseTrippedError(NotReadyError):
    """Removal waits for a confirmation."""


class Fuse:
    """Decides whether an unwanted owner's objects may be removed.

    Args:
        share: of live objects.
        minimum: so many may always go.
    """

    def __init__(self, store: Store, swarm: Swarm, *, share: float, minimum: int) -> None:
        self._store = store
        self._swarm = swarm
        self._share = share
        self._minimum = minimum
        self._counted_at = float("-inf")
        self._doomed: dict[Key, int] = {}
        self._live = 0
        self.tripped = False

    async def allow(self, key: Key) -> None:
        """Return when the removal of ``key``'s objects may go on.

        Raises:
            FuseTrippedError: it must wait.
        """
        await self._count()
        if key not in self._doomed and key in self._swarm.owners():
            self._counted_at = float("-inf")  # counted before its row went
            await self._count()
            if key not in self._doomed:
                raise ConflictError("StillWanted", f"{key} is wanted after all; looking again")
        count = sum(self._doomed.values())
        if count <= self._minimum or count <= self._share * self._live:
            return
        confirmed = await self._store.confirmed_removals()
        if confirmed and key in confirmed:
            return
        await self._store.trip_fuse(list(self._doomed), count, self._live)
        if not self.tripped:
            log.error("gc.fuse_tripped", unwanted=count, live=self._live, mend="skypanel gc")
        self._set(tripped=True, count=count)
        raise FuseTrippedError(
            "FuseTripped",
            f"{count} of {self._live} live objects are no longer wanted; nothing is removed until an operator confirms "
            "it: check that the database is the right one and whole, then run `skypanel gc --confirm`",
            retry_after=_ASK_AGAIN_SECONDS,
        )

    async def rest(self) -> None:
        """Forget an old trip when nothing is unwanted any more; called after each full comparison."""
        if not self.tripped and await self._store.confirmed_removals() is None:
            return
        self._counted_at = float("-inf")
        await self._count()
        if not self._doomed:
            await self._store.clear_fuse()
            log.info("gc.fuse_reset")
            self._set(tripped=False, count=0)

    async def _count(self) -> None:
        if clock.monotonic() - self._counted_at < _FRESH_SECONDS:
            return
        owners = self._swarm.owners()
        unwanted = await self._store.unwanted(list(owners)) if owners else {}
        self._doomed = {key: owners[key] for key in unwanted if key in owners}
        self._live = sum(owners.values())
        self._counted_at = clock.monotonic()

    def _set(self, *, tripped: bool, count: int) -> None:
        self.tripped = tripped
        FUSE_TRIPPED.set(int(tripped))
        FUSE_DOOMED.set(count if tripped else 0)
