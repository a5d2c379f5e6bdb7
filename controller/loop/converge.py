"""Converging one object: plan -> gates -> intents -> writes, each once, in this order, and nowhere else.

    plan       what would make the engine match; pure
    gates      the fuse spares what serves, repairs are spaced out, rollouts wait for their turn
    intents    in the inventory before the first write, in the statement that also checks the lease
    writes     one after the other; before each later one the lease is affirmed, as the one before may have taken time

Guarantee: a crash between any two lines is found by the inventory. So an object's row is there before the object is,
and stays until the engine has confirmed that the object is gone; what only this process knows, and a write would wipe
out, is written down before that write. What was done and learned before an error is in the draft of the report.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from controller.changes import Change, ChangeSet, Succession
from controller.loop import inventory
from controller.loop.gates.fuse import FuseTrippedError
from controller.loop.gates.rollout_slots import RolloutQueuedError
from controller.loop.gates.self_heal import ContestedError
from controller.loop.metrics import DRIFT_REPAIRS, ENGINE_WRITES
from controller.loop.report import Draft
from controller.loop.tools import Tools
from controller.loop.trace import Trace
from controller.records import InventoryRow, Loaded, Report
from reconcilers.objects import HomeNetwork, Objects
from reconcilers.outcomes import ConflictError, InUseError
from reconcilers.ports import Former, ServiceProgress
from reconcilers.registry import Salvage

REPAIRED = "Repaired"
SURPLUS_SECONDS = 1.0
"""How often tasks too many are looked at where nothing else is waited for."""


class Convergence:
    """Makes the engine have what one object should have, in one reconcile."""

    def __init__(self, loaded: Loaded, *, tools: Tools, trace: Trace, draft: Draft) -> None:
        self._loaded = loaded
        self._tools = tools
        self._trace = trace
        self._draft = draft
        self.rows = loaded.made
        """The inventory as it is planned with."""
        if loaded.requested:  # what failed may be tried once more
            self.rows = inventory.tried_anew(loaded.made)
            draft.learn(*inventory.pardons(loaded.made))
        self.applied = ChangeSet()
        """What was planned for what is declared; empty before."""
        self.done: list[Change] = []
        """Every change that was made."""
        self._deferred = False

    async def apply(self, declared: Objects, serving: Sequence[str] = ()) -> ChangeSet:
        """Plan for ``declared`` and do what may be done now; see ``reconcilers.ports.Context.apply``.

        Args:
            declared: all that the object should have.
            serving: names of those of its services that take over now from former ones.

        Raises:
            NotReadyError: a gate holds a part of it back; the rest was done.
        """
        planned = self._tools.swarm.plan(self._loaded.key, declared, self.rows, serving)
        self.applied = planned
        changes, spared = await self._spared(planned)
        self.note_plan(changes)
        changes, contested = self._spaced(changes)
        changes, queued = self._in_turn(changes)
        self._draft.learn(*inventory.planned(self.rows, planned))
        if planned.failed and changes.changes:
            # What is about to be written takes the marks of the rollback off: nobody else could know it after a crash.
            await self._remember()
        if spared is None:
            await self._strike_off(planned)
        await self.carry_out(changes)
        for held in (spared, contested, queued):
            if held is not None:
                raise held
        return planned

    @property
    def unfinished(self) -> bool:
        """Whether something that nothing wants was left for later, and nothing tells when it can go."""
        return self._deferred or bool(self.done and self.applied.left)

    async def retire(self, declared: Objects, serving: Sequence[str]) -> Former | None:
        """Hand over from services with former names; see ``reconcilers.ports.Context.retire``."""
        if not self.applied.left:  # the plan has seen no service with a former name
            return None
        step = self._succession(declared, serving)
        if step.changes.changes:
            await self.apply(declared, serving)  # a host name is never without a rule
            step = self._succession(declared, serving)
            self.note_plan(step.changes)
            await self.carry_out(step.changes)
            step = self._succession(declared, serving)  # the edge's time begins now
        return Former(step.names, step.seconds) if step.names else None

    def _succession(self, declared: Objects, serving: Sequence[str]) -> Succession:
        settle = self._tools.options.edge_settle_seconds
        return self._tools.swarm.succeed(self._loaded.key, declared, serving, settle)

    async def keep(self, salvage: Salvage) -> float | None:
        """Keep what worked last, under the wishes of today that can be read; also against somebody's hands.

        Returns:
            in how many seconds to look again, when something had to be left for later.
        """
        key, swarm = self._loaded.key, self._tools.swarm
        good = inventory.good_documents(self.rows, swarm.documents(key))
        if not good:
            return None
        found = swarm.live.network_of(self._loaded.organization_id or "")
        home = HomeNetwork(found.id, found.name) if found is not None else None
        services = salvage(self._loaded.document or {}, list(good.values()), self._tools.options, home)
        if home is not None:  # the network may have been made anew since
            services = [service.attached_to(home.id) for service in services]
        gone = good.keys() - {service.name for service in services}
        wanted = Objects(tuple(services))
        planned = swarm.plan(key, wanted, inventory.without_wishes(self.rows))
        changes = planned.without(lambda change: change.action == "delete" and change.name not in gone)
        changes, spared = await self._spared(changes)
        self.note_plan(changes)
        self._draft.learn(*changes.seen)
        changes, contested = self._spaced(changes)
        if spared is None:
            await self._strike_off(planned)
        await self.carry_out(changes)
        left = await swarm.service_progress(services, {})
        contested = await self.prompt(left) or contested
        if contested is None and any(r.surplus for r in left):
            return SURPLUS_SECONDS
        later = contested or spared
        return later.retry_after if later else None

    async def prompt(self, progress: Sequence[ServiceProgress]) -> ContestedError | None:
        """Have Swarm stop what it forgot to stop; why that has to wait, when it has been done again and again."""
        if not any(r.forgotten for r in progress):
            return None
        changes, contested = self._spaced(self._tools.swarm.prompts(progress))
        if changes.changes and self._draft.report.inventory:
            # The write takes the marks of a rollback off: nobody else could know it after a crash.
            await self._remember()
        await self.carry_out(changes)
        return contested

    # -- gates ---------------------------------------------------------------------------------------------------

    async def _spared(self, changes: ChangeSet) -> tuple[ChangeSet, FuseTrippedError | None]:
        """What may be done without asking: all but what stops or loses its routes while the fuse holds it."""
        if changes.spared is None:
            return changes, None
        try:
            await self._tools.fuse.reduction(self._loaded.key)
        except FuseTrippedError as error:
            return replace(changes, changes=changes.spared, spared=None), error
        return changes, None

    def _spaced(self, changes: ChangeSet) -> tuple[ChangeSet, ContestedError | None]:
        """What may be done now; repairs that come again and again have to wait."""
        repairs = [change for change in changes.changes if change.cause == REPAIRED]
        if not repairs or self._loaded.requested:
            self._tools.self_heal.settled(self._loaded.key)
            return changes, None
        contested = self._tools.self_heal.check(self._loaded.key, self._loaded.generation, repairs)
        if contested is None:
            return changes, None
        if contested.first:
            self._draft.event("Warning", contested.reason, contested.message)
        return changes.without(lambda change: change.cause == REPAIRED), contested

    def _in_turn(self, changes: ChangeSet) -> tuple[ChangeSet, RolloutQueuedError | None]:
        """What may be done now; what starts tasks has to wait for a slot, and what it replaces stays until then."""
        slots = self._tools.rollouts
        if slots is None or not any(change.starts_tasks for change in changes.changes):
            return changes, None
        if slots.take(self._loaded.key, self._loaded.organization_id or ""):
            return changes, None
        allowed = changes.without(lambda change: change.starts_tasks or change.action == "delete")
        return allowed, RolloutQueuedError(slots.in_flight)

    # -- intents and writes --------------------------------------------------------------------------------------

    async def carry_out(self, changes: ChangeSet, *, forget: bool = True) -> None:
        """Do a change set, and say so in one event, also when only a part of it could be done.

        Args:
            changes: in their order.
            forget: whether the inventory forgets at once what was removed.
        """
        if not changes.changes:
            return
        known = inventory.by_object(self._loaded.made)
        intents = [intent for change in changes.changes if (intent := change.intent) is not None]
        told = len(self.done)
        try:
            for change in changes.changes:
                if intents or not self.done:  # also without an intent: the first write of a reconcile asks the database
                    await self._tools.store.announce(self._loaded.key, self._loaded.organization_id, intents)
                    self._trace.lap("announce")
                    intents = []
                else:
                    await self._tools.store.affirm()
                try:
                    learned = await self._tools.swarm.write(change, known.get((change.object_type, change.name)))
                except InUseError as error:  # all else can go on
                    self._trace.lap("defer", error.message)
                    self._deferred = True
                    continue
                self._draft.learn(*(update for update in learned if forget or not update.gone))
                self.done.append(change)
                self._trace.wrote(self.done)
        finally:
            self._tell(self.done[told:])

    def note_plan(self, changes: ChangeSet) -> None:
        """Say in the record what is to be done."""
        count = len(changes.changes)
        note = f"{count} change{'s' * (count != 1)}" if count else "nothing to do"
        if changes.blocked:
            note += f", held back: {', '.join(changes.blocked)}"
        self._trace.drifted = any(change.cause == REPAIRED for change in changes.changes)
        self._trace.lap("plan", note)

    async def strike_off(self, rows: Sequence[InventoryRow]) -> bool:
        """Forget those of ``rows`` whose objects are gone; True when one of them lives after all."""
        found = False
        for row in rows:
            if await self._tools.swarm.lives(self._loaded.key, row):
                found = True
            else:
                self._draft.learn(inventory.struck_off(row))
        return found

    async def _strike_off(self, planned: ChangeSet) -> None:
        """Forget what is on record, and neither wanted nor live: its removal was done and not written down.

        Raises:
            ConflictError: something of it lives after all; the next look sees it.
        """
        rows = inventory.strays(self._loaded.made, planned)
        if await self.strike_off(rows):
            raise ConflictError("StillThere", f"{rows[0].object_type} {rows[0].name} still exists; retrying")

    async def _remember(self) -> None:
        """Write down now what was learned of the engine's objects."""
        learned = self._draft.learned_so_far()
        await self._tools.store.report(Report(self._loaded.key, self._loaded.organization_id, inventory=learned))
        self._trace.lap("remember")

    def _tell(self, made: Sequence[Change]) -> None:
        if not made:
            return
        for change in made:
            ENGINE_WRITES.labels(object=change.object_type, action=change.action).inc()
        repairs = [change for change in made if change.cause == REPAIRED]
        if repairs:
            self._tools.self_heal.repaired(self._loaded.key, self._loaded.generation, repairs)
        cause = made[0].cause
        text = "; ".join(str(change) for change in made)
        if cause == REPAIRED:
            self._trace.repaired = True
            DRIFT_REPAIRS.labels(kind=self._loaded.key.kind).inc()
            text = f"the engine did not match and was put right: {text}"
        elif self._loaded.generation:
            text = f"generation {self._loaded.generation}: {text}"
        self._draft.event("Normal", cause, text)
