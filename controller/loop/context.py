"""One object's reconcile, as its reconciler sees it: the real ``reconcilers.ports.Context``.

It decides nothing itself: what is written is ``converge``'s, what is said is ``report``'s, and what tasks have shown is
``inventory``'s.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeVar

from pydantic import BaseModel

from controller.kit import clock
from controller.loop import inventory
from controller.loop.converge import Convergence
from controller.loop.doors import Doors
from controller.loop.draft import Draft
from controller.loop.external import Externals
from controller.loop.starts import remembered
from controller.loop.tools import Tools
from controller.loop.trace import Trace
from controller.records import Loaded
from reconcilers.conditions import Condition
from reconcilers.jobs import Job, JobProgress
from reconcilers.objects import Objects, Service
from reconcilers.outcomes import FencedError, NotReadyError, ReconcileError
from reconcilers.port import External, Observed, Port
from reconcilers.ports import ChildStatus, Former, Live, Options, Routers, ServiceProgress

P = TypeVar("P", bound=Port)
M = TypeVar("M", bound=BaseModel)


class ReconcileContext:
    """What one reconcile may see and do.

    Args:
        loaded: what the store knew at the beginning.
        tools: of the kind.
        trace: the record of this reconcile.
        waiting_seconds: how long this generation has not come any further on its way to ready.
    """

    def __init__(self, loaded: Loaded, *, tools: Tools, trace: Trace, waiting_seconds: float) -> None:
        self._loaded = loaded
        self._tools = tools
        self.trace = trace
        """The record of this reconcile."""
        self.draft = Draft(loaded)
        """What is said at its end."""
        self.convergence = Convergence(loaded, tools=tools, trace=trace, draft=self.draft)
        """What writes to the engine."""
        self._doors = Doors(
            loaded.key.kind, tools.uses, tools.outside.ports, affirm=tools.outside.store.affirm, trace=trace
        )
        self.externals = Externals(
            loaded, uses=tools.uses, doors=self._doors, store=tools.store, draft=self.draft, trace=trace
        )
        """What it has beyond the Swarm."""
        self._waiting_seconds = waiting_seconds
        self._on_its_way = False
        self._runs = False
        self.progress = 0
        """Tasks that run as they should: when there are more than there ever were, the object has come further."""

    @property
    def kind(self) -> str:
        """Kind of the object."""
        return self._loaded.key.kind

    @property
    def id(self) -> str:
        """UUID of the object as text."""
        return self._loaded.key.id

    @property
    def generation(self) -> int:
        """Of the object, as it was read."""
        return self._loaded.generation

    @property
    def organization_id(self) -> str:
        """UUID of the organization as text."""
        return self._loaded.organization_id or ""

    @property
    def options(self) -> Options:
        """What renders depend on."""
        return self._tools.options

    @property
    def live(self) -> Live:
        """The live view."""
        return self._tools.swarm.live

    @property
    def requested(self) -> bool:
        """Whether somebody asked for a look now."""
        return self._loaded.requested

    @property
    def waiting_seconds(self) -> float:
        """How long this generation has not come any further on its way to ready."""
        return self._waiting_seconds

    @property
    def missing_hosts(self) -> frozenset[str]:
        """Host names that were left out of what was applied, as another owner still has them."""
        return self.convergence.applied.missing_hosts

    @property
    def moving(self) -> bool:
        """Whether a rollout of it is under way and within its time, as it was reported."""
        return (self._on_its_way or self._runs) and self.draft.within_time

    async def apply(self, objects: Objects) -> Mapping[str, str]:
        """Plan, and do what is planned; see ``reconcilers.ports.Context``."""
        return (await self.convergence.apply(objects)).kept

    async def keep(self) -> None:
        """What worked last, as far as it is wanted today; see ``reconcilers.ports.Context``."""
        try:
            await self.convergence.keep(self._tools.salvage)
        except FencedError:
            raise
        except ReconcileError as error:  # what is in the way of the rest is what is told
            self.trace.lap("keep", error.message)

    @property
    def bereft(self) -> bool:
        """Whether nothing of what worked last may run."""
        return self.convergence.bereft

    def images(self) -> frozenset[str]:
        """Those that its services live with, or worked with last, as tasks name them."""
        return frozenset(self.convergence.images())

    async def hold(self, beside: Objects) -> Sequence[Service]:
        """What worked last, and ``beside`` with it; see ``reconcilers.ports.Context``."""
        kept = await self.convergence.hold(self._tools.salvage, beside)
        self._runs = self._runs or any(change.starts_tasks for change in self.convergence.done)
        return kept.services

    async def retire(self, objects: Objects, serving: Sequence[str]) -> Former | None:
        """Hand over from services with former names; see ``reconcilers.ports.Context``."""
        return await self.convergence.retire(objects, serving)

    async def routers(self, names: Sequence[str]) -> Routers:
        """What the edge says of its routers."""
        return await self._tools.swarm.routers(self._loaded.key, names)

    async def observe(self, services: Sequence[Service]) -> list[ServiceProgress]:
        """How far the tasks are; what is stable is remembered as the last good spec.

        Raises:
            NotReadyError: a new version ends again and again; the next look goes back to the last good one.
        """
        applied = self.convergence.applied
        found = await self._tools.swarm.service_progress(services, applied.blocked)
        key, generation = self._loaded.key, self._loaded.generation
        progress = self._tools.stability.judge(key, found, self._loaded.status, generation)
        progress = await self._tools.starts.judge(key, progress, self._tools.swarm.starting_seconds)
        wanted = {service.name: service for service in applied.wanted.services}
        progress = [self._remembered(r, wanted.get(r.service)) for r in progress]
        self.trace.lap("observe", ", ".join(f"{r.service} {r.running}/{r.desired}" for r in progress))
        if contested := await self.convergence.prompt(progress):
            raise contested
        self._on_its_way = any(r.desired and not r.blocked and not r.complete and not r.first for r in progress)
        self.progress = sum(r.running + r.completed for r in progress if not r.blocked)
        rows = inventory.by_object(self.convergence.rows)
        learned = [
            inventory.lesson(r, wanted.get(r.service), rows.get((Service.object_type, r.service))) for r in progress
        ]
        for lesson in learned:
            await self._take_in(lesson)
        return [lesson.progress for lesson in learned]

    async def explain(self, observed: Sequence[ServiceProgress]) -> list[ServiceProgress]:
        """With what failing health checks said last; see ``reconcilers.ports.Context``."""
        wanted = {service.name: service.template_hash for service in self.convergence.applied.wanted.services}
        explained = []
        for found in observed:
            version, said = wanted.get(found.service, ""), self._said_of(found.service)
            check = str(said.get("check") or "") if said.get("version") == version else ""
            if not check and found.suspect is not None:  # while it fails, the words stay those of the first time
                check = await self._tools.swarm.last_words(found.suspect)
                self.trace.lap("explain", found.service)
            explained.append(replace(found, check=check, version=version) if check else found)
        return explained

    def _remembered(self, found: ServiceProgress, service: Service | None) -> ServiceProgress:
        return remembered(found, service.template_hash if service is not None else "", self._said_of(found.service))

    def _said_of(self, service: str) -> Mapping[str, Any]:
        """What the last status says of a service."""
        details = (self._loaded.status or {}).get("details") or {}
        return (details.get("services") or {}).get(service) or {}

    async def observe_jobs(self, jobs: Sequence[Job]) -> list[JobProgress]:
        """How far jobs are; see ``reconcilers.ports.Context``."""
        found = await self._tools.swarm.job_progress(jobs)
        self._runs = any(r.iteration is not None and not r.over for r in found)
        self.trace.lap("observe", ", ".join(f"{r.job} {r.completed}/{r.wanted}" for r in found))
        return found

    async def _take_in(self, lesson: inventory.Lesson) -> None:
        if lesson.gives_up and lesson.progress.unhealthy:
            await self._hear_out(lesson.progress, (lesson.update and lesson.update.failed_hash) or "")
        if lesson.update is not None:
            self.draft.learn(lesson.update)
        if lesson.gives_up:
            found = lesson.progress
            reason, why = "CrashLoop", f"keeps failing: {found.failure}"
            if found.unhealthy:
                reason, why = "Unhealthy", f"was not healthy within {found.starts_within:.0f} s of its start"
            message = f"{found.service}: the new version {why}; the last good one comes back, change the spec"
            self.draft.event("Warning", reason, message)
            raise NotReadyError(reason, message, retry_after=0.0)

    async def _hear_out(self, found: ServiceProgress, version: str) -> None:
        """Keep what the check of a task said that is about to be stopped: what is stopped on request is not asked."""
        words = await self._tools.swarm.last_words(found.suspect) if found.suspect is not None else ""
        self.trace.lap("explain", found.service)
        said = words or f"its health check failed: it had not passed {found.starts_within:.0f} s after the start"
        self.draft.tell_of(found.service, {"check": said, "version": version})

    def port(self, port: type[P]) -> P:
        """What the kind uses beyond the Swarm."""
        return self._doors.open(port)

    async def ensure(self, things: Sequence[External]) -> list[Observed]:
        """Have exactly these things beyond the Swarm; see ``reconcilers.ports.Context``."""
        return await self.externals.ensure(things)

    def settings(self, model: type[M]) -> M:
        """The kind's own settings."""
        found = self._tools.settings
        if isinstance(found, model):
            return found
        raise LookupError(f"kind {self.kind!r} asks for settings that it does not declare: settings={model.__name__}")

    def now(self) -> datetime:
        """The time by the wall clock, in UTC."""
        return datetime.fromtimestamp(clock.wall(), UTC)

    async def write_row(self, table: str, key: Mapping[str, object], values: Mapping[str, object]) -> None:
        """Write a row of a table of the kind's own."""
        if table not in self._tools.writes:
            raise LookupError(f"kind {self.kind!r} writes table {table!r} and does not declare it: writes=(...)")
        await self._tools.store.write_row(table, key, values)
        self.trace.lap("row", table)

    def report(
        self,
        conditions: tuple[Condition, ...],
        *,
        details: Mapping[str, object] | None = None,
        children: Sequence[ChildStatus] | None = None,
    ) -> None:
        """State how far the object is, and each of its parts; see ``reconcilers.ports.Context``."""
        self.draft.state(conditions, details=details, children=children)
