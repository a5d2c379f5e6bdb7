"""``SimSwarm``: one simulated Docker Swarm for several clients, with hands for scenarios and a log of writes.

It behaves as Engine 26.1 does, as far as a controller can see it through the API; ``tests/conformance`` runs the same
assertions on both. The same calls at the same times give the same answers, ids and events.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.sim.swarm.agents import NODE, Agents
from tests.sim.swarm.base import Agenda, object_id
from tests.sim.swarm.behaviour import Behaviour, Behaviours, Pace
from tests.sim.swarm.contents import Contents
from tests.sim.swarm.events import Event, Events
from tests.sim.swarm.networks import Networks
from tests.sim.swarm.objects import RUNNING, Document, Node, Task
from tests.sim.swarm.orchestrator import Orchestrator
from tests.sim.swarm.scheduler import Scheduler, satisfies
from tests.sim.swarm.services import Services
from tests.sim.swarm.state import canonical
from tests.sim.swarm.store import Store

GIB = 1024**3


@dataclass(frozen=True, slots=True)
class WriteRecord:
    """A request that wanted to change something.

    Args:
        n: its number, from 1.
        time: seconds of the loop.
        client: who sent it.
        epoch: the sender's epoch when it was sent.
        method: HTTP method.
        object_type: ``service``, ``network``, ``secret``, ``config`` or ``node``.
        object_id: empty when there is no such object.
        name: of the object.
        action: ``create``, ``update``, ``remove``, ``connect`` or ``disconnect``.
        accepted: whether it was done.
        labels_owner: the owner label that the object has after it (before it, for a removal); empty without one.
        status: the answer's HTTP status.
        labels: the object's labels, as for ``labels_owner``.
    """

    n: int
    time: float
    client: str
    epoch: int
    method: str
    object_type: str
    object_id: str
    name: str
    action: str
    accepted: bool
    labels_owner: str
    status: int
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class StaleReads:
    """After a write, reads of the same kind of object may give what was before it (moby#30794).

    Args:
        reads: that many reads after each write.
        seconds: and every read within that time.
    """

    reads: int = 0
    seconds: float = 0.0


class SimSwarm:
    """One cluster.

    Args:
        nodes: how many: ``manager`` (the leader), ``worker``, ``worker3`` ... by host name.
        managers: how many of them are managers.
        behaviours: what containers do, by whole image reference; see ``behaviour.py`` for names that mean something.
        pace: how long each step takes.
        nano_cpus, memory: of each node.
    """

    def __init__(
        self,
        *,
        nodes: int = 2,
        managers: int = 1,
        behaviours: Mapping[str, Behaviour] | None = None,
        pace: Pace | None = None,
        nano_cpus: int = 2_000_000_000,
        memory: int = 24 * GIB,
    ) -> None:
        pace = pace or Pace()
        self.agenda = Agenda()
        self.events = Events(self.agenda)
        self.store = Store(self.agenda, self._emit)
        self.behaviours = Behaviours(behaviours)
        self.agents = Agents(self.store, pace, self.behaviours)
        self.orchestrator = Orchestrator(self.store, self.agents, pace)
        self.scheduler = Scheduler(self.store, self.agents, pace)
        self.services = Services(self.store, self.orchestrator, pace)
        self.networks = Networks(self.store, self.agents, pace)
        self.secrets, self.configs = Contents(self.store, secret=True), Contents(self.store, secret=False)
        self.cluster_id = object_id("cluster", 1)
        self.log: list[WriteRecord] = []
        self.on_write: Callable[[WriteRecord], None] = lambda _write: None
        """Called with each record of the log."""
        self.on_node: Callable[[], None] = lambda: None
        """Called when a node was lost, came back, or was made available or not."""
        self.stale_reads: StaleReads | None = None
        self.names: dict[str, str] = {}
        """Id -> name of every object that a client ever made."""
        self.relabelled: set[str] = set()
        """Names of objects that somebody took our labels off."""
        for number in range(1, nodes + 1):
            role = "manager" if number <= managers else "worker"
            name = ("manager", "worker")[number - 1] if number <= 2 else f"{role}{number}"
            node = Node(self.store.meta("node"), number, name, role, nano_cpus, memory, leader=number == 1)
            self.store.nodes[node.meta.id] = node
        self.networks.begin()
        self.jobs_begun: list[tuple[Task, bool]] = []
        """Tasks of jobs whose program began, also of jobs that are gone; and whether another of that name ran then."""
        self.once_begun: list[Task] = []
        """Tasks of what is run once whose program began, also where all of it is gone."""
        self.agents.listeners.append(self._begins)

    # -- what oracles ask --------------------------------------------------------------------------------------------

    async def routers(self) -> dict[str, str]:
        """What the edge's API says: a router for each rule on a service, and nothing wrong with any."""
        self.agenda.advance()
        found = [label for s in self.store.services.values() for label in s.spec.get("Labels") or {}]
        ends = "traefik.http.routers.", ".rule"
        return {
            f"{label.removeprefix(ends[0]).removesuffix(ends[1])}@swarm": ""
            for label in found
            if label.startswith(ends[0]) and label.endswith(ends[1])
        }

    def state(self) -> dict[str, Any]:
        """Everything live, comparable between runs: names for ids, no versions and times."""
        self.agenda.advance()
        return canonical(self.store)

    @property
    def index(self) -> int:
        """Grows with every change; a task that fails for ever does not count."""
        self.agenda.advance()
        return self.store.moves

    @property
    def busy(self) -> bool:
        """Whether something will still happen by itself (a task that fails for ever does not count)."""
        self.agenda.advance()
        return self.agenda.busy

    def node_ids(self) -> list[str]:
        """Ids of the nodes, in the order of their numbers."""
        return [n.meta.id for n in sorted(self.store.nodes.values(), key=lambda n: n.number)]

    def tasks(self, service: str) -> list[Task]:
        """Tasks of a service, oldest first; to look at."""
        self.agenda.advance()
        return list(self.store.tasks_of(self.store.service(service)))

    def _begins(self, task: Task) -> None:
        never_again = (task.spec.get("RestartPolicy") or {}).get("Condition") == "none"
        if task.state == "running" and task.iteration is None and never_again:
            self.once_begun.append(task)
        if task.state != "running" or task.iteration is None:
            return
        others = (t for t in self.store.tasks.values() if t is not task and t.service.name == task.service.name)
        self.jobs_begun.append((task, any(other.state in ("starting", "running") for other in others)))

    # -- hands -------------------------------------------------------------------------------------------------------

    def node_down(self, node: str) -> None:
        """The managers have lost a node: its tasks stay as they were, and are replaced elsewhere."""
        self._set_node(node, up=False)

    def node_up(self, node: str) -> None:
        """The node is back, and ends what is not wanted any more."""
        self._set_node(node, up=True)

    def lead_anew(self) -> None:
        """Another manager leads, or the same one after a new start."""
        self.agenda.advance()
        self.orchestrator.begin()

    def drain(self, node: str, availability: str = "drain") -> None:
        """Set the availability of a node: ``drain``, ``pause`` or ``active``."""
        self.update_node(self.store.node(node), availability=availability)

    def fail_task(self, service: str, slot: int | None = None, *, exit_code: int = 1) -> str:
        """Let a running task of a service (of one slot) end by itself; its id, or empty when none runs."""
        for task in self.tasks(service):
            if task.state == "running" and task.alive and slot in (None, task.slot):
                self.agents.fail(task, exit_code)
                return task.meta.id
        return ""

    def behave(self, image: str, behaviour: Behaviour) -> None:
        """From now on, containers of exactly this image reference do this."""
        self.behaviours.by_image[image] = behaviour

    def cut_streams(self, client: str | None = None) -> None:
        """End the event streams of a client, or all: what they miss is lost but for the ring."""
        self.events.cut(client)

    def freeze_streams(self, client: str | None = None) -> None:
        """Let event streams bring nothing without ending."""
        self.events.freeze(client)

    def update_node(self, node: Node, *, availability: str, labels: dict[str, str] | None = None) -> None:
        """What ``docker node update`` does."""
        self.agenda.advance()
        node.availability = availability
        if labels is not None:
            node.labels = labels
        self._node_changed(node)

    # -- inside ------------------------------------------------------------------------------------------------------

    def _set_node(self, asked: str, *, up: bool) -> None:
        self.agenda.advance()
        node = self.store.node(asked)
        if node.up != up:
            node.up = up
            self._node_changed(node)

    def _node_changed(self, node: Node) -> None:
        self.on_node()
        self.store.touch(node.meta)
        self.orchestrator.nodes_changed()
        for task in list(self.store.tasks.values()):
            if task.node is node and task.rank <= RUNNING and task.alive and not satisfies(task.spec, node):
                self.agents.reject(task)
        for task in list(self.store.tasks.values()):
            if task.node is node:
                self.agents.poke(task)
        self.scheduler.kick()

    def _emit(self, kind: str, action: str, object_id: str, attributes: dict[str, str], scope: str) -> None:
        now = self.agenda.now
        event: Event = {
            "Type": kind,
            "Action": action,
            "Actor": {"ID": object_id, "Attributes": attributes},
            "scope": scope,
            "time": int(now),
            "timeNano": int(now * 1e9),
        }
        if scope == "swarm":
            nodes = [n.meta.id for n in self.store.nodes.values() if n.role == "manager" and n.up]
        else:
            nodes = [self._node_of(event)]
        self.events.emit(event, nodes)

    def _node_of(self, event: Event) -> str:
        attributes = event["Actor"]["Attributes"]
        if node := attributes.get(NODE):
            return str(node)
        container = attributes.get("container") or event["Actor"]["ID"]
        for task in self.store.tasks.values():
            if task.container == container and task.node is not None:
                return task.node.meta.id
        return ""


def documents(swarm: SimSwarm, kind: str) -> dict[str, Document]:
    """All objects of a kind (``services``, ``networks`` ...) as documents, by id, in the order of lists."""
    store = swarm.store
    if kind == "tasks":
        return {i: store.tasks[i].document(store.networks) for i in sorted(store.tasks)}
    table: dict[str, Any] = getattr(store, kind)
    return {i: table[i].document() for i in sorted(table)}
