"""One object's reconcile, as its reconciler sees it: the real ``reconcilers.ports.Context``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from controller.loop.gates.fuse import Fuse, FuseTrippedError
from controller.loop.gates.rollout_slots import RolloutQueuedError, RolloutSlots
from controller.loop.gates.self_heal import ContestedError, SelfHealBackoff
from controller.loop.ports import Store, Swarm
from controller.loop.stability import Stability
from controller.loop.trace import Trace
from controller.records import EventRecord, Intent, InventoryRow, InventoryUpdate, Loaded, Report, Rest
from controller.telemetry.metrics import DRIFT_REPAIRS, ENGINE_WRITES
from reconcilers.conditions import PROGRESS_DEADLINE_EXCEEDED, RECONCILING, Condition, Status, check
from reconcilers.objects import HomeNetwork, Objects, Service, SpecDocument, template_hash
from reconcilers.outcomes import ConflictError, NotReadyError
from reconcilers.ports import Child, ChildStatus, Former, Live, Options, Routers, ServiceProgress
from reconcilers.registry import Salvage

_MESSAGE_LENGTH = 2000
_NO_PART = (Condition("Ready", "False", "Deleted", "it is no part of what it belonged to any more"),)
REPAIRED = "Repaired"
SURPLUS_SECONDS = 1.0
"""How often tasks too many are looked at where nothing else is waited for."""


class ReconcileContext:
    """Collects what one reconcile did and says; ``report_out`` is written by the worker at its end.

    Args:
        loaded: what the store knew at the beginning.
        trace: the record of this reconcile.
        contention: spaces repairs out.
        fuse: says whether something may be taken away.
        stability: tells tasks that have run for a while.
        rollouts: limits how many objects start tasks at once; None: its kind is not limited.
        waiting_seconds: how long this generation has not come any further on its way to ready.
        quarantine_seconds: rest of a freed subnet.
    """

    def __init__(
        self,
        loaded: Loaded,
        *,
        trace: Trace,
        store: Store,
        swarm: Swarm,
        contention: SelfHealBackoff,
        fuse: Fuse,
        stability: Stability,
        rollouts: RolloutSlots | None,
        options: Options,
        waiting_seconds: float,
        quarantine_seconds: float,
    ) -> None:
        self._loaded = loaded
        self.trace = trace
        """The record of this reconcile."""
        self._store = store
        self._swarm = swarm
        self._contention = contention
        self._fuse = fuse
        self._stability = stability
        self._rollouts = rollouts
        self._options = options
        self._waiting_seconds = waiting_seconds
        self._quarantine_seconds = quarantine_seconds
        self._held: Mapping[str, str] = {}
        self.report_out = Report(
            loaded.key, loaded.organization_id, handled_token=loaded.token if loaded.asked else None
        )
        self._inventory = loaded.inventory
        if loaded.asked:
            self._try_again()
        self._moving = False
        self.progress = 0
        """Tasks that run as they should: when there are more than there ever were, the object has come further."""
        self.done: list[Any] = []
        self.conditions: tuple[Condition, ...] = ()
        self.children: Sequence[Child] | None = None
        """Whose status goes with the object's; None until its document was read."""
        self._services: dict[str, Service] = {}
        self.missing_hosts: frozenset[str] = frozenset()
        """Host names that were left out of what was applied, as another owner still has them."""

    def _try_again(self) -> None:
        """What failed may be tried once more: as if it had never been applied."""
        failed = [row for row in self._inventory if row.failed_hash]
        # All of them: an attempt that failed for another reason may have forgiven one already.
        self._inventory = tuple(
            replace(row, failed_hash=None, spec_hash=None, template_hash=None) for row in self._inventory
        )
        self.report_out.inventory += [InventoryUpdate(row.object_type, row.name, failed_hash="") for row in failed]

    @property
    def kind(self) -> str:
        """Kind of the object."""
        return self._loaded.key.kind

    @property
    def id(self) -> str:
        """UUID of the object as text."""
        return self._loaded.key.id

    @property
    def organization_id(self) -> str:
        """UUID of the organization as text."""
        return self._loaded.organization_id or ""

    @property
    def options(self) -> Options:
        """What renders depend on."""
        return self._options

    @property
    def live(self) -> Live:
        """The live view."""
        return self._swarm.live

    @property
    def waiting_seconds(self) -> float:
        """How long this generation has not come any further on its way to ready."""
        return self._waiting_seconds

    @property
    def moving(self) -> bool:
        """Whether a rollout of it is under way and within its time, as it was reported."""
        state = self.conditions[-1] if self.conditions else None
        within = state is not None and state.type == RECONCILING and state.reason != PROGRESS_DEADLINE_EXCEEDED
        return self._moving and within

    @property
    def exists(self) -> bool:
        """Whether there is somebody to say something to: a row, or a status that is not final."""
        said = self._loaded.status
        return self._loaded.declared or self._loaded.document is not None or bool(said and not said.get("finalized"))

    async def keep(self, salvage: Salvage) -> float | None:
        """Keep what worked last, under the wishes of today that can be read; also against somebody's hands.

        Returns:
            in how many seconds to look again, when something had to be left for later.
        """
        good = self._good_documents()
        if not good:
            return None
        found = self.live.network_of(self.organization_id)
        home = HomeNetwork(found.id, found.name) if found is not None else None
        services = salvage(self._loaded.document or {}, list(good.values()), self._options, home)
        if home is not None:  # the network may have been made anew since
            services = [service.attached_to(home.id) for service in services]
        gone = good.keys() - {service.name for service in services}
        # What was asked for last, and failed, is no reason here: the last good one is wanted.
        rows = [replace(row, spec_hash=None, failed_hash=None) for row in self._inventory]
        given = self._swarm.handed_over(self._loaded.key, Objects(services=tuple(services)), ())
        changes = self._swarm.plan(self._loaded.key, given.objects, rows).after(given.lost)
        changes = changes.without(lambda change: change.action == "delete" and change.name not in gone)
        changes, spared = await self._spared(changes, Objects(services=tuple(services)))
        self.planned(changes)
        self.report_out.inventory += changes.seen
        changes, contested = self._spaced(changes)
        if spared is None:
            await self._strike_off(Objects(services=tuple(services)), changes)
        if changes.changes:
            await self.execute(changes)
        left = await self._swarm.service_progress(services, {})
        contested = await self._prompt(left) or contested
        if contested is None and any(r.surplus for r in left):
            return SURPLUS_SECONDS
        later = contested or spared
        return later.retry_after if later else None

    def _good_documents(self) -> dict[str, SpecDocument]:
        """By service name: the last document that worked, or what is live where none ever did; scaled as it is now."""
        live = self._swarm.documents(self._loaded.key)
        good = {name: dict(document) for name, document in live.items()}
        for row in self._inventory:
            if row.object_type == "service" and row.last_good is not None:
                good[row.name] = {**row.last_good, "Mode": (live.get(row.name) or row.last_good)["Mode"]}
        return good

    def _spaced(self, changes: Any) -> tuple[Any, ContestedError | None]:
        """What may be done now; repairs that come again and again have to wait."""
        repairs = [change for change in changes.changes if change.cause == REPAIRED]
        if not repairs or self._loaded.asked:
            self._contention.settled(self._loaded.key)
            return changes, None
        contested = self._contention.check(self._loaded.key, self._loaded.generation, repairs)
        if contested is None:
            return changes, None
        if contested.first:
            self.event("Warning", contested.reason, contested.message)
        return changes.without(lambda change: change.cause == REPAIRED), contested

    async def apply(self, objects: Objects) -> Mapping[str, str]:
        """Plan, and do what is planned; see ``reconcilers.ports.Context``."""
        return await self._apply(objects, ())

    async def _apply(self, declared: Objects, serving: Sequence[str]) -> Mapping[str, str]:
        given = self._swarm.handed_over(self._loaded.key, declared, serving)
        objects, self.missing_hosts = given.objects, given.missing
        changes = self._swarm.plan(self._loaded.key, objects, self._inventory).after(given.lost)
        changes, spared = await self._spared(changes, declared)
        self.planned(changes)
        changes, contested = self._spaced(changes)
        changes, queued = self._in_turn(changes)
        self._held = changes.held
        self._services = {s.name: s for s in objects.services}
        self.report_out.inventory += [
            *(InventoryUpdate("service", name, failed_hash=digest) for name, digest in changes.failed.items()),
            *changes.seen,
            *self._forgiven(changes),
        ]
        if changes.failed and changes.changes:
            # What is about to be written takes the marks of the rollback off: nobody else could know it after a crash.
            await self._remember()
        if spared is None:
            await self._strike_off(objects, changes)
        if changes.changes:
            await self.execute(changes)
        if spared is not None:
            raise spared
        if contested is not None:
            raise contested
        if queued is not None:
            raise queued
        kept: Mapping[str, str] = changes.kept
        return kept

    async def _remember(self) -> None:
        """Write down now what was learned of the engine's objects."""
        learned, self.report_out.inventory = self.report_out.inventory, []
        await self._store.report(Report(self._loaded.key, self._loaded.organization_id, inventory=learned))
        self.trace.lap("remember")

    async def _spared(self, changes: Any, objects: Objects) -> tuple[Any, FuseTrippedError | None]:
        """What may be done without asking: all but what stops or loses its routes while the fuse holds it."""
        if not self._swarm.loses(changes, objects):
            return changes, None
        try:
            await self._fuse.reduction(self._loaded.key)
        except FuseTrippedError as error:
            return self._swarm.spare(changes, objects), error
        return changes, None

    def _in_turn(self, changes: Any) -> tuple[Any, RolloutQueuedError | None]:
        """What may be done now; what starts tasks has to wait for a slot, and what it replaces stays until then."""
        if self._rollouts is None or not any(change.starts_tasks for change in changes.changes):
            return changes, None
        if self._rollouts.take(self._loaded.key, self.organization_id):
            return changes, None
        allowed = changes.without(lambda change: change.starts_tasks or change.action == "delete")
        return allowed, RolloutQueuedError(self._rollouts.in_flight)

    def _forgiven(self, changes: Any) -> list[InventoryUpdate]:
        """Another template is wanted than the one that failed: that may be tried again when it is asked for anew."""
        return [
            InventoryUpdate("service", row.name, failed_hash="")
            for row in self._inventory
            if row.failed_hash
            and (service := self._services.get(row.name)) is not None
            and row.failed_hash != service.template_hash
            and row.name not in changes.held
        ]

    async def _strike_off(self, objects: Objects, changes: Any) -> None:
        """Forget what is in the inventory, is not wanted and does not live: its removal was done and not written down.

        Raises:
            ConflictError: something of it lives after all; the next look sees it.
        """
        known = {("service", s.name) for s in objects.services} | {("network", n.name) for n in objects.networks}
        known |= {(change.object_type, change.name) for change in changes.changes}
        known |= {("service", name) for name in changes.left}
        stray = [row for row in self._loaded.inventory if (row.object_type, row.name) not in known]
        if stray and await self._swarm.forget_missing(self._loaded.key, stray, self.report_out.inventory):
            raise ConflictError("StillThere", f"{stray[0].object_type} {stray[0].name} is still there; looking again")

    async def retire(self, objects: Objects, serving: Sequence[str]) -> Former | None:
        """Hand over from services with former names; see ``reconcilers.ports.Context``."""
        step = self._succession(objects, serving)
        if step.changes.changes:
            await self._apply(objects, serving)  # a host name is never without a rule
            step = self._succession(objects, serving)
            self.planned(step.changes)
            await self.execute(step.changes)
            step = self._succession(objects, serving)  # the edge's time begins now
        return Former(step.names, step.seconds) if step.names else None

    def _succession(self, objects: Objects, serving: Sequence[str]) -> Any:
        return self._swarm.succeed(self._loaded.key, objects, serving, self._options.edge_settle_seconds)

    async def execute(self, changes: Any) -> None:
        """Do a change set, and say so in one event, also when only a part of it could be done."""
        told = len(self.done)
        try:
            await self._swarm.apply(
                changes,
                self._loaded.inventory,
                announce=self._announce,
                learned=self.report_out.inventory,
                done=self.done,
            )
        finally:
            self.trace.wrote(self.done)
            self._tell(self.done[told:])

    def planned(self, changes: Any) -> None:
        """Say in the record what is to be done."""
        count = len(changes.changes)
        note = f"{count} change{'s' * (count != 1)}" if count else "nothing to do"
        if changes.held:
            note += f", held back: {', '.join(changes.held)}"
        self.trace.drifted = any(change.cause == REPAIRED for change in changes.changes)
        self.trace.lap("plan", note)

    async def _announce(self, intents: Sequence[Intent]) -> None:
        """Ask the database before the first write, and for each intent; before the others when that is a while ago."""
        self.trace.wrote(self.done)
        if intents or not self.done:
            await self._store.announce(self._loaded.key, self._loaded.organization_id, intents)
            self.trace.lap("announce")
        else:
            await self._store.affirm()

    def _tell(self, made: Sequence[Any]) -> None:
        if not made:
            return
        for change in made:
            ENGINE_WRITES.labels(object=change.object_type, action=change.action).inc()
        repairs = [change for change in made if change.cause == REPAIRED]
        if repairs:
            self._contention.repaired(self._loaded.key, self._loaded.generation, repairs)
        cause = made[0].cause
        text = "; ".join(str(change) for change in made)
        if cause == REPAIRED:
            self.trace.repaired = True
            DRIFT_REPAIRS.labels(kind=self.kind).inc()
            text = f"the engine did not match and was put right: {text}"
        elif self._loaded.generation:
            text = f"generation {self._loaded.generation}: {text}"
        self.event("Normal", cause, text)

    async def routers(self, names: Sequence[str]) -> Routers:
        """What the edge says of its routers."""
        return await self._swarm.routers(self._loaded.key, names)

    async def observe(self, services: Sequence[Service]) -> list[ServiceProgress]:
        """How far the tasks are; what is stable is remembered as the last good spec.

        Raises:
            NotReadyError: a new version ends again and again; the next look goes back to the last good one.
        """
        found = await self._swarm.service_progress(services, self._held)
        rollouts = self._stability.judge(self._loaded.key, found, self._loaded.status, self._loaded.generation)
        self.trace.lap("observe", ", ".join(f"{r.service} {r.running}/{r.desired}" for r in rollouts))
        if contested := await self._prompt(rollouts):
            raise contested
        known = {row.name: row for row in self._inventory if row.object_type == "service"}
        self._moving = any(r.desired and not r.held and not r.complete for r in rollouts)
        self.progress = sum(r.running for r in rollouts if not r.held)
        return [self._learned(r, self._services.get(r.service), known.get(r.service)) for r in rollouts]

    async def _prompt(self, rollouts: Sequence[ServiceProgress]) -> ContestedError | None:
        """Have Swarm stop what it forgot to stop; why that has to wait, when it has been done again and again."""
        if not any(r.forgotten for r in rollouts):
            return None
        changes, contested = self._spaced(self._swarm.prompts(rollouts))
        if changes.changes:
            if self.report_out.inventory:
                # The write takes the marks of a rollback off: nobody else could know it after a crash.
                await self._remember()
            await self.execute(changes)
        return contested

    def _learned(self, rollout: ServiceProgress, service: Service | None, row: InventoryRow | None) -> ServiceProgress:
        """Remember what is proven to work, and what is shown not to."""
        if service is None or not rollout.desired or rollout.held:
            return replace(rollout, proves_in=0.0)  # of what runs no task nothing is known
        good = (row.last_good if row else None) or {}
        another = bool(good) and template_hash(good) != service.template_hash
        if rollout.looping and another:
            self._give_up(service, rollout)
        if rollout.stable and not (another and rollout.proves_in) and good.get("Labels") != service.spec["Labels"]:
            # The labels hold the hash of the whole spec.
            self.report_out.inventory.append(
                InventoryUpdate(
                    "service",
                    service.name,
                    spec_hash=service.hash,
                    template_hash=service.template_hash,
                    last_good=service.spec,
                )
            )
        return rollout if another else replace(rollout, proves_in=0.0)

    def _give_up(self, service: Service, rollout: ServiceProgress) -> None:
        """The template outlived Swarm's watch and ends again and again: it has failed as one that Swarm took back."""
        self.report_out.inventory.append(InventoryUpdate("service", service.name, failed_hash=service.template_hash))
        message = (
            f"{service.name}: the new version ends again and again: {rollout.failure}; going back to the last good one"
        )
        self.event("Warning", "CrashLoop", message)
        raise NotReadyError("CrashLoop", message, retry_after=0.0)

    async def allocate_subnet(self, prefix: int, taken: Sequence[str]) -> str | None:
        """This organization's subnet."""
        subnet = await self._store.allocate_subnet(
            self.organization_id, self._options.subnet_pool, prefix, taken, self._quarantine_seconds
        )
        self.trace.lap("subnet", subnet or "none is free")
        return subnet

    async def adopt_subnet(self, subnet: str, instead_of: str | None = None) -> str | None:
        """Whose the live network's subnet is in the address plan, when that was left so."""
        holder = await self._store.adopt_subnet(self.organization_id, subnet, instead_of)
        self.trace.lap("subnet", f"{subnet}, in the plan of {holder}" if holder else subnet)
        return holder

    def report(
        self,
        conditions: tuple[Condition, ...],
        *,
        details: Mapping[str, object] | None = None,
        children: Sequence[ChildStatus] | None = None,
    ) -> None:
        """State how far the object is, and each of its parts; None: what was said of those stays."""
        # Of a row that is gone the status goes on to speak of what it observed last.
        generation = self._loaded.generation or int((self._loaded.status or {}).get("observed_generation") or 0)
        broken = check(conditions, generation=generation, observed_generation=generation)
        if broken:
            raise AssertionError(f"{self._loaded.key}: a status that breaks the rules: {broken}")
        self.conditions = conditions
        if details is None:
            details = (self._loaded.status or {}).get("details") or {}
        self.report_out.statuses = [
            Status(self.kind, self.id, self._loaded.organization_id, generation, conditions, dict(details)),
            *(
                Status(c.kind, c.id, self._loaded.organization_id, c.generation, c.conditions, {})
                for c in children or ()
            ),
        ]
        self.report_out.rest = None if children is None else Rest(_NO_PART, finalized=True)
        self._warn(conditions)

    def report_all(self, conditions: tuple[Condition, ...]) -> None:
        """State the same of the object and of its children; where those of today are not known, of all there were."""
        if self.children is None:
            self.report(conditions)
            self.report_out.rest = Rest(conditions, finalized=False)
        else:
            self.report(
                conditions, children=[ChildStatus(c.kind, c.id, c.generation, conditions) for c in self.children]
            )

    def finished(self) -> None:
        """Nothing live remains of a deleted object."""
        conditions = (Condition("Ready", "False", "Deleted", "everything of it was removed"),)
        observed = max(self._loaded.generation, int((self._loaded.status or {}).get("observed_generation") or 0))
        self.conditions = conditions
        self.report_out.statuses = [
            Status(self.kind, self.id, self._loaded.organization_id, observed, conditions, {}, finalized=True)
        ]
        self.report_out.rest = Rest(conditions, finalized=True)

    def event(self, type_: Any, reason: str, message: str) -> None:
        """One event for people."""
        text = message if len(message) <= _MESSAGE_LENGTH else message[: _MESSAGE_LENGTH - 1] + "…"
        self.report_out.events.append(EventRecord(type_, reason, text))

    def _warn(self, conditions: tuple[Condition, ...]) -> None:
        """A warning event when the object gets stuck, or stuck for another reason; not at every look."""
        state = conditions[-1]
        stuck = state.type == "Stalled" or state.reason == PROGRESS_DEADLINE_EXCEEDED
        before = {(c["type"], c["reason"]) for c in (self._loaded.status or {}).get("conditions") or []}
        if stuck and (state.type, state.reason) not in before:
            self.event("Warning", state.reason, state.message)
