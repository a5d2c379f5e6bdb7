"""Converging one object: plan -> gates -> intents -> writes, each once, in this order, and nowhere else.

    plan       what would make the engine match; pure
    gates      what may be done of it now; see ``controller.loop.gates``
    intents    in the inventory before the first write, in the statement that also checks the lease
    writes     one after the other; before each later one the lease is affirmed, as the one before may have taken time

Guarantee: a crash between any two lines is found by the inventory. So an object's row is there before the object is,
and stays until the engine has confirmed that the object is gone; what only this process knows, and a write would wipe
out, is written down before that write. What was done and learned before an error is in the draft of the report.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from controller.changes import Change, ChangeSet, Succession
from controller.loop import inventory
from controller.loop.draft import Draft
from controller.loop.gates import REPAIRED, Passage, repairs_of
from controller.loop.gates.self_heal import ContestedError
from controller.loop.metrics import DRIFT_REPAIRS, ENGINE_WRITES
from controller.loop.tools import Tools
from controller.loop.trace import Trace
from controller.records import InventoryRow, Loaded, Report
from reconcilers.jobs import Job
from reconcilers.objects import HomeNetwork, Objects, SpecDocument
from reconcilers.outcomes import ConflictError, InUseError
from reconcilers.ports import Former, LiveJob, ServiceProgress
from reconcilers.registry import Salvage
from reconcilers.template import image_of

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
        self.bereft = False
        """Whether nothing of what worked last may run."""
        self.done: list[Change] = []
        """Every change that was made."""
        self.ends_in: float | None = None
        """In how many seconds a task that is kept, and starts, is to be ended; None: none is known to."""
        self._deferred = False

    async def apply(self, declared: Objects, serving: Sequence[str] = ()) -> ChangeSet:
        """Plan for ``declared`` and do what may be done now; see ``reconcilers.ports.Context.apply``.

        Args:
            declared: all that the object should have.
            serving: names of those of its services that take over now from former ones.

        Raises:
            NotReadyError: a gate holds a part of it back; the rest was done.
        """
        key, swarm = self._loaded.key, self._tools.swarm
        planned = swarm.plan(key, declared, self._barred(self.rows), serving)
        if planned.failed:  # that holds a version back for good: an old list may say so, and is asked about once more
            await swarm.refresh(key, self.rows)
            planned = swarm.plan(key, declared, self._barred(self.rows), serving)
        self.applied = planned
        passage = await self._tools.gates.let_through(self._loaded, planned)
        changes = self._allowed(passage)
        self._draft.learn(*inventory.planned(self.rows, planned))
        if planned.failed and changes.changes:
            # What is about to be written takes the marks of the rollback off: nobody else could know it after a crash.
            await self._remember()
        if passage.tripped is None:
            await self._strike_off(planned)
        await self.carry_out(changes)
        if passage.held is not None:
            raise passage.held
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

        What was applied last, and goes well so far, stays although it is not proven: nothing speaks for a way back.

        Returns:
            in how many seconds to look again, when something had to be left for later.
        """
        good, swarm = await self._good(), self._tools.swarm
        if not good:
            return None
        kept, passage = await self._have(salvage, good)
        left = await swarm.service_progress(kept.services, {})
        left = await self._tools.starts.judge(self._loaded.key, left, swarm.starting_seconds)
        contested = await self.prompt(left) or passage.contested
        if contested is None and any(r.surplus for r in left):
            return SURPLUS_SECONDS
        later = contested or passage.tripped
        self.ends_in = min((r.ends_in for r in left if r.ends_in is not None and not r.unhealthy), default=None)
        return later.retry_after if later else self.ends_in

    async def hold(self, salvage: Salvage, beside: Objects) -> Objects:
        """Keep what worked last, and have ``beside`` with it: a job that is not among it goes, all else stays.

        Raises:
            NotReadyError: a gate holds a part of it back; the rest was done.
        """
        kept, passage = await self._have(salvage, await self._good(), beside)
        if passage.held is not None:
            raise passage.held
        return kept

    def images(self) -> set[str]:
        """All that its services live with, or worked with last."""
        last = (row.last_good for row in self.rows if row.last_good is not None)
        return {image_of(spec) for spec in (*self._tools.swarm.documents(self._loaded.key).values(), *last)} - {""}

    def _stops(self, image: str) -> bool:
        """Whether no task of an image may run."""
        return bool(image) and self._tools.stops(self._loaded.document or {}, image, self._tools.options)

    def _barred(self, rows: Sequence[InventoryRow]) -> list[InventoryRow]:
        """``rows`` with the images that no task may run of."""
        return inventory.barred(rows, {image for image in self.images() if self._stops(image)})

    async def _good(self) -> dict[str, SpecDocument]:
        """What worked last, and what is younger, goes well and may run."""
        swarm = self._tools.swarm
        documents = swarm.documents(self._loaded.key)
        young = inventory.unproven(self._loaded.made, documents)
        shown = await swarm.service_progress(young, {}) if young else []
        shown = await self._tools.starts.judge(self._loaded.key, shown, swarm.starting_seconds)
        well = {progress.service for progress in shown if inventory.goes_well(progress)}
        well -= {name for name in well if self._stops(image_of(documents[name]))}
        return inventory.good_documents(self.rows, documents, well)

    async def _have(
        self, salvage: Salvage, good: Mapping[str, SpecDocument], beside: Objects | None = None
    ) -> tuple[Objects, Passage]:
        """What worked last, and ``beside``; None: nothing is, and what is there beside services stays."""
        key, swarm = self._loaded.key, self._tools.swarm
        found = swarm.live.network_of(self._loaded.organization_id or "")
        home = HomeNetwork(found.id, found.name) if found is not None else None
        services = salvage(self._loaded.document or {}, list(good.values()), self._tools.options, home)
        if home is not None:  # the network may have been made anew since
            services = [service.attached_to(home.id) for service in services]
        gone = good.keys() - {service.name for service in services}
        wanted = Objects((*services, *(beside.objects if beside is not None else ())))
        self.bereft = bool(services) and all(not s.replicas and self._stops(image_of(s.spec)) for s in services)
        planned = swarm.plan(key, wanted, self._barred(inventory.without_wishes(self.rows)))
        ends = (Job.object_type,) if beside is not None else ()
        changes = planned.without(
            lambda change: (
                change.action == "delete"
                and change.name not in gone
                and change.object_type not in ends
                and not self._must_end(change)
            )
        )
        starts = any(change.starts_tasks and change.object_type in ends for change in changes.changes)
        passage = await self._tools.gates.let_through(self._loaded, changes, starts=starts)
        self._draft.learn(*passage.planned.seen)
        may_be_done = self._allowed(passage)
        if passage.tripped is None:
            await self._strike_off(planned)
        await self.carry_out(may_be_done)
        return wanted, passage

    def _must_end(self, change: Change) -> bool:
        """Whether it is a job whose tasks may not run."""
        live = change.live
        return change.object_type == Job.object_type and isinstance(live, LiveJob) and self._stops(image_of(live.spec))

    async def prompt(self, progress: Sequence[ServiceProgress]) -> ContestedError | None:
        """Have Swarm stop what it forgot to stop; why that has to wait, when it has been done again and again."""
        if not any(r.forgotten for r in progress):
            return None
        passage = self._tools.gates.space(self._loaded, self._tools.swarm.prompts(progress))
        changes = passage.now
        self._warn(passage)
        if changes.changes and self._draft.report.inventory:
            # The write takes the marks of a rollback off: nobody else could know it after a crash.
            await self._remember()
        await self.carry_out(changes)
        return passage.contested

    def _allowed(self, passage: Passage) -> ChangeSet:
        """Say what is to be done; what may be done now."""
        self.note_plan(passage.planned)
        self._warn(passage)
        return passage.now

    def _warn(self, passage: Passage) -> None:
        """Tell people once that somebody undoes what is repaired."""
        contested = passage.contested
        if contested is not None and contested.first:
            self._draft.event("Warning", contested.reason, contested.message)

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
        self._trace.drifted = bool(repairs_of(changes.changes))
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
        repairs = repairs_of(made)
        if repairs:
            self._tools.gates.repaired(self._loaded, repairs)
        cause = made[0].cause
        text = "; ".join(str(change) for change in made)
        if cause == REPAIRED:
            self._trace.repaired = True
            DRIFT_REPAIRS.labels(kind=self._loaded.key.kind).inc()
            text = f"the engine did not match and was repaired: {text}"
        elif self._loaded.generation:
            text = f"generation {self._loaded.generation}: {text}"
        self._draft.event("Normal", cause, text)
