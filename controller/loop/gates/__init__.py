"""The gates: what of a plan may be done now. Each holds a part of it back, in this order, and the rest goes on.

    fuse           what serves is not lost without asking, when too much of it would be
    self-heal      repairs that somebody undoes again and again are spaced out
    rollout slots  only so many objects start tasks at once, and what they replace stays until then

An operator's pause is no gate of a plan: nothing is planned at all while it lasts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from controller.changes import Change, ChangeSet
from controller.loop.gates.fuse import Fuse, FuseTrippedError
from controller.loop.gates.rollout_slots import RolloutQueuedError, RolloutSlots
from controller.loop.gates.self_heal import ContestedError, SelfHealBackoff
from controller.records import Key, Loaded
from reconcilers.outcomes import NotReadyError

REPAIRED = "Repaired"


@dataclass(frozen=True, slots=True)
class Passage:
    """What came of a plan at the gates.

    Args:
        planned: what is to be done, but for what the fuse spares.
        now: what may be done of it now.
        tripped: why the fuse spares something.
        contested: why repairs have to wait.
        queued: why nothing may start tasks.
    """

    planned: ChangeSet
    now: ChangeSet
    tripped: FuseTrippedError | None = None
    contested: ContestedError | None = None
    queued: RolloutQueuedError | None = None

    @property
    def held(self) -> NotReadyError | None:
        """Why a part is held back, by the first gate that does; None when all of it may be done."""
        return self.tripped or self.contested or self.queued


class Gates:
    """The gates that objects of one kind go through.

    Args:
        kind: for metrics.
        fuse: of all kinds.
        rollouts: slots for starting tasks, of all kinds; None: the kind is not limited.
    """

    def __init__(self, kind: str, *, fuse: Fuse, rollouts: RolloutSlots | None) -> None:
        self._fuse = fuse
        self._self_heal = SelfHealBackoff(kind)
        self._rollouts = rollouts

    async def let_through(self, loaded: Loaded, changes: ChangeSet, *, starts: bool = True) -> Passage:
        """What may be done now of what was planned for ``loaded``; ``starts``: it may be a rollout."""
        planned, tripped = await self._spared(loaded.key, changes)
        now, contested = self._spaced(loaded, planned)
        queued = None
        if starts:
            now, queued = self._in_turn(loaded, now)
        return Passage(planned, now, tripped, contested, queued)

    def space(self, loaded: Loaded, changes: ChangeSet) -> Passage:
        """What may be done now of repairs that take nothing away and start nothing."""
        now, contested = self._spaced(loaded, changes)
        return Passage(changes, now, contested=contested)

    async def removal(self, key: Key) -> None:
        """Ask whether everything of an object may be taken away.

        Raises:
            NotReadyError: it waits for a confirmation.
        """
        await self._fuse.removal(key)

    async def _spared(self, key: Key, changes: ChangeSet) -> tuple[ChangeSet, FuseTrippedError | None]:
        """All but what stops or loses its routes while the fuse holds it."""
        if changes.spared is None:
            return changes, None
        try:
            await self._fuse.reduction(key)
        except FuseTrippedError as error:
            return replace(changes, changes=changes.spared, spared=None), error
        return changes, None

    def _spaced(self, loaded: Loaded, changes: ChangeSet) -> tuple[ChangeSet, ContestedError | None]:
        """All but repairs that come again and again."""
        repairs = repairs_of(changes.changes)
        if not repairs or loaded.requested:
            self._self_heal.settled(loaded.key)
            return changes, None
        contested = self._self_heal.check(loaded.key, loaded.generation, repairs)
        if contested is None:
            return changes, None
        return changes.without(lambda change: change.cause == REPAIRED), contested

    def _in_turn(self, loaded: Loaded, changes: ChangeSet) -> tuple[ChangeSet, RolloutQueuedError | None]:
        """All but what starts tasks and has no slot, and what that replaces."""
        slots = self._rollouts
        if slots is None or not any(change.starts_tasks for change in changes.changes):
            return changes, None
        if slots.take(loaded.key, loaded.organization_id or ""):
            return changes, None
        rest = changes.without(lambda change: change.starts_tasks or change.action == "delete")
        return rest, RolloutQueuedError(slots.in_flight)

    # -- what they remember --------------------------------------------------------------------------------------

    def repaired(self, loaded: Loaded, repairs: Sequence[Change]) -> None:
        """They were done."""
        self._self_heal.repaired(loaded.key, loaded.generation, repairs)

    def settle(self, key: Key, *, moving: bool) -> None:
        """A look at the object ended; ``moving``: a rollout of it is under way."""
        if self._rollouts is not None:
            self._rollouts.settle(key, moving=moving)

    def forget(self, key: Key) -> None:
        """It is not repaired any more: whoever changed it has had his way."""
        self._self_heal.forget(key)

    def close(self) -> None:
        """Another process leads, or none."""
        self._self_heal.close()


def repairs_of(changes: Iterable[Change]) -> list[Change]:
    """Those that put right what somebody did."""
    return [change for change in changes if change.cause == REPAIRED]
