"""What the managers agree on: all objects under one index, which every change of any of them raises.

Changes are told to the event rings of the engines that are managers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from tests.sim.swarm.base import Agenda, Refusal, container_id, object_id
from tests.sim.swarm.objects import Content, Document, Meta, Network, Node, Service, Task

T = TypeVar("T")
Emit = Callable[[str, str, str, dict[str, str], str], None]


class Store:
    """All objects.

    Args:
        agenda: for the time.
        emit: gets each event: type, action, id, attributes, scope.
    """

    def __init__(self, agenda: Agenda, emit: Emit) -> None:
        self.agenda = agenda
        self.index = 10
        self.moves = 0
        """Changes but for those of tasks that fail for ever."""
        self.services: dict[str, Service] = {}
        self.networks: dict[str, Network] = {}
        self.secrets: dict[str, Content] = {}
        self.configs: dict[str, Content] = {}
        self.nodes: dict[str, Node] = {}
        self.tasks: dict[str, Task] = {}
        self.copies: dict[tuple[str, str], Network] = {}
        """Networks that have reached a node, by the node's and their own id; also of some that are gone."""
        self.by_service: dict[str, list[Task]] = {}
        """Tasks by the service's id, in the order of their making; also of services that are gone."""
        self._emit = emit
        self._numbers = 0

    # -- ids and versions ------------------------------------------------------------------------------------------

    def meta(self, kind: str, *, quiet: bool = False) -> Meta:
        """The head of a new object."""
        self._numbers += 1
        now = self.agenda.stamp()
        self.index += 1
        self.moves += not quiet
        return Meta(object_id(kind, self._numbers), self.index, now, now)

    def container(self) -> str:
        """The id of a new container."""
        self._numbers += 1
        return container_id(self._numbers)

    def touch(self, meta: Meta, *, quiet: bool = False) -> None:
        """An object changed; ``quiet`` for what goes on for ever."""
        self.index += 1
        self.moves += not quiet
        meta.version = self.index
        meta.updated = self.agenda.stamp()

    def swap(self, meta: Meta, version: int) -> None:
        """An object changes, if it is still at ``version``."""
        if meta.version != version:
            raise Refusal(500, "rpc error: code = Unknown desc = update out of sequence")
        self.touch(meta)

    # -- finding ---------------------------------------------------------------------------------------------------

    def service(self, asked: str) -> Service:
        """By id, name or the beginning of an id, as the engine looks for all objects."""
        return _find(self.services, asked, "service", lambda s: s.name)

    def node(self, asked: str) -> Node:
        """A node."""
        return _find(self.nodes, asked, "node", lambda n: n.hostname)

    def content(self, asked: str, *, secret: bool) -> Content:
        """A secret or a config."""
        table, kind = (self.secrets, "secret") if secret else (self.configs, "config")
        return _find(table, asked, kind, lambda c: c.name)

    def network(self, asked: str, *, status: int = 404) -> Network:
        """A network; ``status`` is what the engine says when there is none."""
        try:
            return _find(self.networks, asked, "network", lambda n: n.name)
        except Refusal as refusal:
            raise Refusal(status if refusal.status == 404 else refusal.status, refusal.message) from None

    def tasks_of(self, service: Service) -> list[Task]:
        """Tasks of a service, oldest first."""
        return self.by_service.get(service.meta.id, [])

    # -- tasks -----------------------------------------------------------------------------------------------------

    def add_task(self, task: Task) -> None:
        """A new task."""
        self.tasks[task.meta.id] = task
        self.by_service.setdefault(task.service.meta.id, []).append(task)

    def drop_task(self, task: Task) -> None:
        """Forget a task, and give its addresses back."""
        if self.tasks.pop(task.meta.id, None) is None:
            return
        self.index += 1
        siblings = self.by_service[task.service.meta.id]
        siblings.remove(task)
        if not siblings:
            del self.by_service[task.service.meta.id]
        if task.step is not None:
            task.step.cancel()
        self.free(task)

    def free(self, task: Task) -> None:
        """Give a task's addresses back."""
        for network_id in task.addresses:
            network = self.networks.get(network_id)
            if network is not None:
                network.addresses.pop(task.meta.id, None)

    # -- events ----------------------------------------------------------------------------------------------------

    def tell(self, kind: str, action: str, object_id: str, name: str, **attributes: str) -> None:
        """An event of the Swarm."""
        self._emit(kind, action, object_id, {"name": name, **attributes}, "swarm")

    def tell_local(self, kind: str, action: str, object_id: str, attributes: dict[str, str]) -> None:
        """An event of one engine."""
        self._emit(kind, action, object_id, attributes, "local")

    def update_service(
        self, service: Service, *, before: tuple[int | None, Document | None], told: bool = True
    ) -> None:
        """Tell of an update; ``before`` has the replicas and the update status that were."""
        if not told:
            return
        attributes: dict[str, str] = {}
        replicas, status = before
        if replicas is not None and service.replicas is not None and replicas != service.replicas:
            attributes |= {"replicas.old": str(replicas), "replicas.new": str(service.replicas)}
        old, new = (status or {}).get("State", ""), (service.status or {}).get("State", "")
        if new and new != old:
            attributes["updatestate.new"] = new
            if old:
                attributes["updatestate.old"] = old
        self.tell("service", "update", service.meta.id, service.name, **attributes)


def _find(table: dict[str, T], asked: str, kind: str, name_of: Callable[[T], str]) -> T:
    found = table.get(asked)
    if found is not None:
        return found
    matches: Iterable[T] = [item for item in table.values() if name_of(item) == asked]
    matches = list(matches) or [item for key, item in table.items() if asked and key.startswith(asked)]
    if not matches:
        raise Refusal(404, f"{kind} {asked} not found")
    if len(matches) > 1:
        raise Refusal(400, f"{kind} {asked} is ambiguous ({len(matches)} matches found)")
    return matches[0]
