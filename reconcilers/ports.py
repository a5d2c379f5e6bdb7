"""What a reconciler may see and do, as Protocols. ``controller`` has the real ones, ``tests/sim`` in-memory ones.

A reconciler gets one ``Context`` for one object. It reads the live view (a cache that the engine's events and lists
keep fresh), states what should exist, and reports how far it is. It never writes to the engine itself: ``apply``
plans, records the intent, and does it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, ClassVar, NamedTuple, Protocol, TypeVar

from pydantic import BaseModel

from reconcilers.conditions import Condition
from reconcilers.jobs import Job, JobProgress
from reconcilers.objects import Objects, Service
from reconcilers.options import Options as Options  # noqa: PLC0414 - a reconciler sees it, and takes it from here
from reconcilers.port import External, Observed, Port


class LiveObject(Protocol):
    """What is known of every live object, whatever its type."""

    @property
    def id(self) -> str:
        """As the engine gave it."""

    @property
    def name(self) -> str:
        """Unique among the objects of its type."""

    @property
    def labels(self) -> Mapping[str, str]:
        """Its own labels."""


@dataclass(frozen=True, slots=True)
class LiveNetwork:
    """A network as the engine has it; ``subnet`` is None when the engine has not allocated one."""

    id: str
    name: str
    driver: str
    scope: str
    subnet: str | None
    task_range: str | None
    attachable: bool
    internal: bool
    labels: Mapping[str, str]
    options: Mapping[str, str]

    @property
    def usable(self) -> bool:
        """Whether it is an overlay of the Swarm that has its IPv4 addresses."""
        return self.driver == "overlay" and self.scope == "swarm" and self.subnet is not None and ":" not in self.subnet


@dataclass(frozen=True, slots=True)
class EdgePlace:
    """Where the edge's tasks run.

    Args:
        declared: whether there is a service that is the edge.
        here: its running tasks on this engine's node, whose containers can be joined to networks.
        elsewhere: ids of the other nodes that have running tasks of it.
    """

    declared: bool = False
    here: int = 0
    elsewhere: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LiveService:
    """A service as the engine has it: its raw spec, where an update stands, and whether a spec came before it."""

    object_type: ClassVar[str] = Service.object_type
    id: str
    name: str
    version: int
    spec: Mapping[str, Any]
    update_state: str | None
    update_message: str
    has_previous: bool = True
    """Every update leaves the spec that was before; Swarm's own rollback takes it, and leaves none."""
    previous: frozenset[str] = frozenset()
    """Ids of the secrets and configs that the spec before refers to: Swarm's rollback needs them."""

    @property
    def labels(self) -> Mapping[str, str]:
        """Service labels (not the containers')."""
        found: Mapping[str, str] = self.spec.get("Labels") or {}
        return found


@dataclass(frozen=True, slots=True)
class LiveJob(LiveService):
    """A job as the engine has it, which keeps it as a service; ``iteration`` is the number of its run, from 0."""

    object_type: ClassVar[str] = Job.object_type
    iteration: int = 0


@dataclass(frozen=True, slots=True)
class LiveContent:
    """A secret or a config as the engine has it.

    Args:
        digest: of what is in it, to compare it within this process; None where it cannot be read back.
    """

    id: str
    name: str
    version: int
    labels: Mapping[str, str]
    digest: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Routers:
    """What the edge says of its routers.

    Args:
        asked: whether there is an API to ask.
        problem: why it gives no answer; empty when it does.
        faults: what is wrong with each router that the edge has, by its name; empty where nothing is.
    """

    asked: bool = False
    problem: str = ""
    faults: Mapping[str, str] = field(default_factory=dict)


class Live(Protocol):
    """The live view, as far as reconcilers need it. Reads never block."""

    def find(self, object_type: str, name: str) -> LiveObject | None:
        """The object of a type and of exactly this name: of this installation, or a network whoever owns it."""

    def network(self, name: str) -> LiveNetwork | None:
        """The network of exactly this name, whoever owns it."""

    def network_of(self, organization_id: str) -> LiveNetwork | None:
        """The network that belongs to this organization of this installation, whatever it is called."""

    def on_network(self, network_id: str) -> Sequence[str]:
        """Names of our services that are attached to this network."""

    def edge_node(self) -> str | None:
        """Id of the node of the edge containers that can be joined to networks; None when there is no edge here."""

    def edge_place(self) -> EdgePlace:
        """Where the edge's tasks run."""

    def edge_is_on(self, network: str) -> bool:
        """Whether there are running edge tasks, and every one of them is on the network of this name."""

    def subnets(self) -> Sequence[tuple[str, str]]:
        """(name, subnet) of every network that the engine has, ours or not."""


NOTHING_LEFT = "the new version failed, and no task of the one before may run"
"""Why a template is held back, and nothing runs in its place."""
CRASH_LOOP = 3
"""So many tasks of one slot that ended by themselves shortly one after the other are no accident."""


class Suspect(NamedTuple):
    """A task that a failing health check may have ended, or keeps from running.

    Args:
        node: id of the one that it is on.
        container: id of its container.
        declared: its health check as the service has it; empty: that of the image, if it has one.
        ended: whether it ended with 0, by itself or as its check failed: the task does not tell.
    """

    node: str
    container: str
    declared: Mapping[str, Any]
    ended: bool = False


@dataclass(frozen=True, slots=True)
class ServiceProgress:
    """How far the tasks of one service are, by the tasks themselves.

    Args:
        service: name of the service.
        desired: tasks that should run.
        running: tasks that run with the current task spec.
        outdated: tasks that still run with an older one, or beyond the number wanted.
        pending: tasks that wait for a node or an address.
        update_state: Swarm's word for the update, or None; never a sign of convergence by itself.
        problem: the newest error of a task of the current task spec (while the template is blocked, of the one that
            failed), cut to one line; empty when there is none.
        blocked: why the wanted template is not being applied (it failed before), else empty.
        tasks: ids of those that run with the current task spec, or are completed.
        images: of all tasks that run, whichever task spec they have, as they were declared.
        completed: tasks of the current task spec that ended well and, as is declared, are not started again.
        stopping: tasks that were asked to stop and still run.
        surplus: tasks that Swarm wants to run beyond the number that it was told.
        forgotten: those of them that it does not ask to stop by itself any more.
        failures: tasks of the current task spec that ended by themselves shortly one after the other in one slot, as
            far as Swarm remembers; while the template is blocked, those of the one that failed.
        failure: how the newest of these ended, in one line.
        exit_code: with what it ended; None when that is not known.
        suspect: whose health check may say why it does not get on; only where something is missing.
        check: what that said last, once ``explain`` was asked; empty when no check has to do with it.
        version: digest of the task template that it is about.
        first: tasks of the current task spec that go first, while the others wait for them; 0: none wait.
        quiet_seconds: how long so many have run without an end, as far as a controller has seen it.
        quiet_since: since when that is, by the database's clock in whole seconds; 0: not known.
        starting: tasks of the current task spec whose container starts, or is not called healthy yet.
        starting_at: when each of them came to that, by the clock of the manager that wrote it down.
        starts_within: seconds that one of them may take, where the engine does not end it; None: it does.
        ends_in: seconds until the first of them has taken so long, as far as this process has seen it; None: none will.
        overdue: so many seconds a task of this task spec may take, and one has taken longer since all of them stayed up
            last; 0: none has. It ends with another task spec.
        looped: such tasks have ended again and again since.
        stable: whether all of it has run for long enough; see ``controller.loop.stability``.
        vouched: digest of the tasks that were seen to be stable; those that run, or those whose place they took.
        settles_in: seconds until it is stable, if nothing happens.
        proves_in: seconds until what is stable counts as the last good one; 0 when it does, or need not.
    """

    service: str
    desired: int
    running: int
    outdated: int
    pending: int
    update_state: str | None = None
    problem: str = ""
    blocked: str = ""
    tasks: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    completed: int = 0
    stopping: int = 0
    surplus: int = 0
    forgotten: int = 0
    failures: int = 0
    failure: str = ""
    exit_code: int | None = None
    suspect: Suspect | None = None
    check: str = ""
    version: str = ""
    first: int = 0
    quiet_seconds: float = 0.0
    quiet_since: int = 0
    starting: tuple[str, ...] = ()
    starting_at: tuple[str, ...] = ()
    starts_within: float | None = None
    ends_in: float | None = None
    overdue: float = 0.0
    looped: bool = False
    stable: bool = False
    vouched: str = ""
    settles_in: float = 0.0
    proves_in: float = 0.0

    @property
    def complete(self) -> bool:
        """All wanted tasks run the current spec, nothing else runs, and Swarm has finished watching them.

        Where no task is wanted, it is complete when none runs any more.
        """
        return (
            not self.blocked
            and not (self.stopping and not self.desired)
            and self.running + self.completed == self.desired
            and self.outdated == 0
            and self.pending == 0
            and self.update_state not in ("updating", "rollback_started")
        )

    @property
    def bereft(self) -> bool:
        """What is wanted failed, and what ran before it may not run."""
        return self.blocked == NOTHING_LEFT

    @property
    def looping(self) -> bool:
        """Its tasks end again and again."""
        return (self.failures >= CRASH_LOOP or self.looped) and not self.stable

    @property
    def unhealthy(self) -> bool:
        """A task of it has been starting for longer than it may."""
        return self.ends_in is not None and self.ends_in <= 0

    @property
    def never_healthy(self) -> bool:
        """A task of it was not healthy in time, and they have not all stayed up since."""
        return self.overdue > 0 and not self.stable

    @property
    def details(self) -> dict[str, object]:
        """For ``details`` of a status, under ``services`` and its name; what is stable is known by it after a restart.

        It stays the same as long as nothing comes of it; which tasks run is said of what is stable.
        """
        check: dict[str, object] = {"check": self.check, "version": self.version} if self.check else {}
        if self.never_healthy:
            check |= {"overdue": self.overdue, "version": self.version, **({"looped": True} if self.looped else {})}
        if self.looping or self.never_healthy:
            return {"desired": self.desired, **check}
        return {
            "desired": self.desired,
            "running": self.running,
            **({"completed": self.completed} if self.completed else {}),
            **check,
            **({"stopping": self.stopping} if self.stopping and not self.desired else {}),
            **({"tasks": self.vouched} if self.vouched else {}),
            **({"first": self.digest, "quiet_since": self.quiet_since} if self.quiet_since else {}),
        }

    @property
    def digest(self) -> str:
        """Ten hex digits that say which tasks run; other tasks, other digits. Empty when none does."""
        return hashlib.sha256(" ".join(self.tasks).encode()).hexdigest()[:10] if self.tasks else ""


@dataclass(frozen=True, slots=True)
class Former:
    """Services that serve under former names.

    Args:
        names: of them.
        seconds: until they may go, where they answer no host any more; None: they wait for what comes after them.
    """

    names: tuple[str, ...]
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Child:
    """A row that belongs to the reconciled object and has a status of its own (a process, a domain)."""

    kind: str
    id: str
    generation: int


@dataclass(frozen=True, slots=True)
class ChildStatus:
    """Conditions of a ``Child``."""

    kind: str
    id: str
    generation: int
    conditions: tuple[Condition, ...]


P = TypeVar("P", bound=Port)
M = TypeVar("M", bound=BaseModel)


_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class LookAhead:
    """What is known when somebody asks what would be, and nothing is done.

    Args:
        options: what renders depend on, as far as they are known where it is asked.
        live: the live view.
        own: the kind's own settings; None: it has none.
        subnets: the address plan, by organization.
        now: the time.
    """

    options: Options
    live: Live
    own: BaseModel | None = None
    subnets: Mapping[str, str] = field(default_factory=dict)
    now: datetime = _LONG_AGO

    def settings(self, model: type[M]) -> M:
        """The kind's own settings, as its ``settings`` declares them."""
        if isinstance(self.own, model):
            return self.own
        raise LookupError(f"{model.__name__} is asked for, and is not what the kind declares: settings=...")


class Context(Protocol):
    """One object's reconcile: its identity, what is live, and what may be done."""

    @property
    def kind(self) -> str:
        """Kind of the object."""

    @property
    def id(self) -> str:
        """UUID of the object as text."""

    @property
    def generation(self) -> int:
        """Of the object, as it was read."""

    @property
    def organization_id(self) -> str:
        """UUID of the organization as text."""

    @property
    def options(self) -> Options:
        """What renders depend on."""

    @property
    def live(self) -> Live:
        """The live view."""

    @property
    def requested(self) -> bool:
        """Whether somebody asked for a look now: what was found out once may be another by now."""

    @property
    def waiting_seconds(self) -> float:
        """How long this generation has not come any further on its way to ready."""

    @property
    def missing_hosts(self) -> frozenset[str]:
        """Host names that ``apply`` left out, as another owner still has them; the object is woken when that ends."""

    async def apply(self, objects: Objects) -> Mapping[str, str]:
        """Make the engine have exactly ``objects`` for this owner; what was written is in the live view after.

        Two things are left for later. A service whose process is wanted under another name by now goes on serving
        until ``retire``. A host name that another owner still has, or such a service, is given no rule yet.

        Returns:
            what is not as it should be and stays so: networks that something uses, jobs that a repair would run again;
            by name, what is wrong.

        Raises:
            ConflictError: an object changed meanwhile.
            TransientError: the engine did not answer.
            TerminalError: the engine refuses the document, or dropped a security field from it.
            FencedError: this process does not lead any more.
        """

    async def keep(self) -> None:
        """Have what worked last, as far as it is wanted today: suspended, scaled and routed as its row says.

        For what cannot be rendered, or given to the engine, now; then the error that is in the way is raised.

        Raises:
            FencedError: this process does not lead any more.
        """

    @property
    def bereft(self) -> bool:
        """Whether ``keep`` or ``hold`` found that nothing of what worked last may run; see ``registry.Stops``."""

    def images(self) -> frozenset[str]:
        """Images that its services live with, or worked with last, as tasks name them: what may come back."""

    async def hold(self, beside: Objects) -> Sequence[Service]:
        """Have what worked last, as ``keep`` does, and ``beside`` with it, before what is declared may be applied.

        Args:
            beside: what is wanted beside services. A job that is not among it goes; other things stay.

        Returns:
            the services.

        Raises:
            as ``apply``.
        """

    async def routers(self, names: Sequence[str]) -> Routers:
        """What the edge says of its routers, about a second ago; this object is looked at again when it says otherwise
        of one of ``names``.
        """

    async def retire(self, objects: Objects, serving: Sequence[str]) -> Former | None:
        """Give the host names to what serves by now, and take away what served under former names, step by step.

        Args:
            objects: as they were applied.
            serving: names of those of its services whose tasks serve.

        Returns:
            what is left; None: nothing.

        Raises:
            as ``apply``.
        """

    async def observe(self, services: Sequence[Service]) -> list[ServiceProgress]:
        """How far the tasks of ``services`` are, read from the engine now."""

    async def explain(self, observed: Sequence[ServiceProgress]) -> list[ServiceProgress]:
        """``observed``, with what failing health checks said last.

        For what is known to be failing: the engine is asked, once for each version that fails.
        """

    async def observe_jobs(self, jobs: Sequence[Job]) -> list[JobProgress]:
        """How far ``jobs`` are, read from the engine now. The object is woken when their tasks go on, after seconds."""

    def port(self, port: type[P]) -> P:
        """What the kind uses beyond the Swarm, of its ``uses``. Every call may raise ``TransientError``."""

    async def ensure(self, things: Sequence[External]) -> list[Observed]:
        """Have exactly ``things`` beyond the Swarm for this owner; what each port has of them then, in their order.

        The intent is written down before each act, nothing is done that is so already, and what is not asked for any
        more goes when the reconcile has ended well. All of it goes when the object does.

        Raises:
            FencedError: this process does not lead any more.
            TransientError: a port did not answer.
        """

    def settings(self, model: type[M]) -> M:
        """The kind's own settings, as its ``settings`` declares them."""

    def now(self) -> datetime:
        """The time by the wall clock, in UTC. How long something lasts is no difference of two of these."""

    async def write_row(self, table: str, key: Mapping[str, object], values: Mapping[str, object]) -> None:
        """Write a row of a table of the kind's own, unless this process does not lead any more.

        Args:
            table: in ``public``; among the kind's ``writes``.
            key: columns with a unique constraint; a row that is there is changed. The same again does no harm.
            values: the other columns.
        """

    def report(
        self,
        conditions: tuple[Condition, ...],
        *,
        details: Mapping[str, object] | None = None,
        children: Sequence[ChildStatus] | None = None,
    ) -> None:
        """State how far the object is; written when the reconcile returns, and only when it differs.

        Parts that were spoken of before and are not among ``children`` are over; None says nothing of any part.
        """
