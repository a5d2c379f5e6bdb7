"""The live view: a cache of what the engine has, kept fresh by lists, events and our own writes.

Reads never block. Correctness does not depend on freshness: an update carries the version it was planned on, a create
runs into the name, and a full list comes round on a timer. The order of answers is kept by a counter: an object that
was written here after a list had been asked for is not undone by that list's older answer.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import orjson
from anyio.lowlevel import checkpoint

from controller.kit import clock
from controller.kit.batcher import Batcher
from controller.swarm import service_list
from controller.swarm.client import Document, EngineClient
from controller.swarm.errors import EngineUnavailable, NotFound
from controller.swarm.hosts import Hosts
from controller.swarm.service_cache import OwnerKey, ServiceCache, service_of
from controller.telemetry.metrics import EDGE_SERVICES, EDGE_TASKS
from reconcilers import labels
from reconcilers.ports import EdgePlace, LiveNetwork, LiveService
from reconcilers.routes import hostnames_of
from specs.kinds import TENANT_WORD

_OWN_EVENT_SECONDS = 5.0
_READ_TOGETHER = 50
_SLICE = 200
"""Services of a list that are looked at before everything else gets its turn."""


class LiveView:
    """What one engine has, for one installation.

    Args:
        client: the engine.
        installation: only services with this installation label are held; networks are held all, for their subnets.
        on_change: called with the owner of every object that came, changed or went.
    """

    def __init__(
        self, client: EngineClient, installation: str, on_change: Callable[[Iterable[OwnerKey]], None]
    ) -> None:
        self._client = client
        self.installation = installation
        self._on_change = on_change
        self._services = ServiceCache()
        self.hosts = Hosts(on_change)
        """Host names by owner of the live rules."""
        self._networks: dict[str, LiveNetwork] = {}
        self._network_ids: dict[str, str] = {}
        self._owned: dict[OwnerKey, set[str]] = defaultdict(set)
        self.edge: dict[str, frozenset[str]] = {}
        """Edge containers on this engine: container id -> names of the networks they are on."""
        self.edge_services: frozenset[str] = frozenset()
        """Ids of the services that are the edge."""
        self._edge_tasks: tuple[tuple[str, str], ...] = ()
        """Node and container of each running task of the edge."""
        self._edge_as_of = self._edge_taken = 0
        self._counter = 0
        self._lists: list[int] = []
        """What the counter was when each list that is on its way was asked for."""
        self._touched: dict[str, int] = {}
        self._own_writes: dict[tuple[str, str], list[float]] = {}
        self._new: set[str] = set()
        self._reads: Batcher[str, Document | None] = Batcher(self._read_services, limit=_READ_TOGETHER)
        self.synced = False

    # -- reads ---------------------------------------------------------------------------------------------------

    def service(self, name: str) -> LiveService | None:
        """Our service of exactly this name."""
        return self._services.named(name)

    def service_by_id(self, service_id: str) -> LiveService | None:
        """Our service with this id."""
        return self._services.get(service_id)

    def network(self, name: str) -> LiveNetwork | None:
        """The network of exactly this name, whoever owns it."""
        return self._networks.get(self._network_ids.get(name, ""))

    def network_of(self, organization_id: str) -> LiveNetwork | None:
        """The network of an organization, by its owner label; of several, the one that most services are on."""
        found = self.owned_networks((TENANT_WORD, organization_id))
        return min(found, key=lambda n: (not n.usable, -len(self.on_network(n.id)), n.name)) if found else None

    def on_network(self, network_id: str) -> list[str]:
        """Names of our services that are attached to a network, sorted."""
        return self._services.on_network(network_id)

    def elsewhere(self, owner: OwnerKey, hostnames: Iterable[str]) -> frozenset[str]:
        """Those of ``hostnames`` that another owner of ours has live rules for; ``owner`` is told when that ends."""
        return self.hosts.elsewhere(owner, hostnames)

    def edge_node(self) -> str | None:
        """This engine's node when there is an edge; its containers on other nodes cannot be joined from here."""
        return self._client.node_id if self.edge_services else None

    def edge_place(self) -> EdgePlace:
        """Where the edge's tasks run."""
        nodes = [node for node, _ in self._edge_tasks]
        here = nodes.count(self._client.node_id)
        elsewhere = sorted({node for node in nodes if node != self._client.node_id})
        return EdgePlace(bool(self.edge_services), here, tuple(elsewhere))

    def edge_is_on(self, network: str) -> bool:
        """Whether there are edge tasks and each of them is on the network of this name."""
        return bool(self._edge_tasks) and all(network in self.edge.get(c, ()) for _, c in self._edge_tasks)

    def subnets(self) -> list[tuple[str, str]]:
        """(name, subnet) of all networks that have one."""
        return [(n.name, n.subnet) for n in self._networks.values() if n.subnet]

    def owned_services(self, owner: OwnerKey) -> list[LiveService]:
        """Services whose owner label names ``owner``, by name."""
        found = [self._services.get(i) for i in self._owned.get(owner, ())]
        return sorted((s for s in found if s is not None), key=lambda s: s.name)

    def owned_networks(self, owner: OwnerKey) -> list[LiveNetwork]:
        """Networks whose owner label names ``owner``, by name."""
        found = [self._networks[i] for i in self._owned.get(owner, ()) if i in self._networks]
        return sorted(found, key=lambda n: n.name)

    def owners(self) -> dict[OwnerKey, int]:
        """Every owner that has live objects, and how many."""
        return {owner: len(ids) for owner, ids in self._owned.items() if ids}

    def amounts(self) -> tuple[int, int, int]:
        """How many objects are ours, how many processes have tasks, and how many host names lead to one."""
        roles, running, routed = self._services.amounts()
        return roles + self.counts()["network"], running, routed

    def serving(self) -> Iterator[tuple[OwnerKey, str, frozenset[str]]]:
        """Of each service: whose it is, its process when it runs (else empty), and the hosts that lead to it."""
        return self._services.serving()

    def counts(self) -> dict[str, int]:
        """Objects of ours by type."""
        networks = sum(1 for n in self._networks.values() if self._owner_of(n.labels))
        return {"service": len(self._services), "network": networks}

    def fingerprint(self, owner: OwnerKey, organization_id: str) -> tuple[Any, ...]:
        """Changes whenever something live that ``owner`` depends on does; equal fingerprints mean nothing to do."""
        version = self._services.version
        own = tuple(sorted((i, version(i)) for i in self._owned.get(owner, ())))
        home = [i for i in self._owned.get((TENANT_WORD, organization_id), ()) if i in self._networks]
        names = [self._networks[i].name for i in home]
        return own, tuple(sorted(home)), self.edge_place(), all(self.edge_is_on(name) for name in names)

    # -- refresh -------------------------------------------------------------------------------------------------

    async def refresh_all(self) -> None:
        """List services, networks and edge containers; tell every owner whose objects changed.

        What is listed replaces what is held, also where its version went back: an older copy of the Swarm is the Swarm.
        """
        changed, _ = await self._list_services(replace=True)
        as_of = self._counter
        networks = await self._client.networks()
        changed |= self._take_networks(networks, as_of)
        self.edge_services = frozenset(await self._client.edge_services())
        changed |= await self._refresh_edge()
        self.synced = True
        self._tell(changed)

    async def count_tasks(self) -> list[OwnerKey]:
        """List our services with their tasks' counts; owners of those that are short of running tasks."""
        changed, counts = await self._list_services(status=True)
        if self.edge_services:  # a task of it on another node makes no event here
            changed |= await self._refresh_edge()
        self._tell(changed)
        lost = await self._lost_tasks()
        short = [i for i, (running, desired) in counts.items() if running - lost[i] != desired]
        return [owner for i in short if (owner := self._services.owner(i)) is not None]

    async def _lost_tasks(self) -> Counter[str]:
        """Service id -> tasks on nodes that are down: the engine goes on counting them as running (moby's
        ``ServiceStatus`` looks only at the state that a task was last seen in).
        """
        down = [str(d["ID"]) for d in await self._client.nodes() if d["Status"]["State"] == "down"]
        tasks = await self._client.tasks({"node": down}) if down else []
        return Counter(str(d["ServiceID"]) for d in tasks if d["Status"]["State"] == "running")

    async def refresh_service(self, service_id: str, *, tell: bool = True) -> None:
        """Read one service, by id or name; ``tell`` its owner when it changed."""
        as_of = self._counter
        try:
            document = await self._client.service(service_id)
        except NotFound:
            known = self._services.get(service_id) or self.service(service_id)
            if known is not None and self._touched.get(known.id, 0) <= as_of:
                self._tell(self._drop_service(known.id), tell=tell)
            return
        self._tell(self._put_document(document, as_of), tell=tell)
        self._touch(document["ID"])  # a list that was asked for earlier may not have it yet

    async def read_back(self, service_id: str, *, new: bool) -> None:
        """Read a service that was just written, with others that are read at the same time, in one call.

        Args:
            service_id: the service.
            new: whether it was just created; see ``take_new``.
        """
        as_of = self._counter
        if new:
            self._new.add(service_id)
        document = await self._reads.submit(service_id)
        if document is not None:
            self._put_document(document, as_of)
            self._touch(service_id)
        elif self._touched.get(service_id, 0) <= as_of:
            self._drop_service(service_id)

    async def _read_services(self, ids: Sequence[str]) -> list[Document | None]:
        found = {d["ID"]: d for d in await self._client.services_by_id(sorted(set(ids)))}
        return [found.get(i) for i in ids]

    async def refresh_network(self, network_id: str, *, tell: bool = True) -> None:
        """Read one network, by id or name; ``tell`` its owner when it changed."""
        as_of = self._counter
        try:
            document = await self._client.network(network_id)
        except NotFound:
            known = self._networks.get(network_id) or self.network(network_id)
            if known is not None and self._touched.get(known.id, 0) <= as_of:
                self._tell(self._drop_network(known.id), tell=tell)
            return
        self._tell(self._put_network(document, as_of), tell=tell)
        self._touch(document["Id"])

    async def refresh_edge_services(self) -> None:
        """Read which services are the edge, and their containers when that changed."""
        fresh = frozenset(await self._client.edge_services())
        if fresh != self.edge_services:
            self.edge_services = fresh
            await self.refresh_edge()

    async def refresh_edge(self, *, tell: bool = True) -> None:
        """Read which networks the edge containers of this engine are on."""
        self._tell(await self._refresh_edge(), tell=tell)

    # -- our own writes ------------------------------------------------------------------------------------------

    def wrote(self, known_by: str, action: str) -> None:
        """Remember a write of ours: its event tells nothing new and is not worth a read.

        Args:
            known_by: the name for ``create``, as the event can come before the answer that has the id; else the id.
            action: as the event will name it.
        """
        self._own_writes.setdefault((known_by, action), []).append(clock.monotonic())

    def did_not_write(self, known_by: str, action: str) -> None:
        """Take ``wrote`` back: the next such event is somebody else's."""
        self.is_own_event(known_by, action)

    def is_own_event(self, known_by: str, action: str) -> bool:
        """Whether an event is the echo of ``wrote``; each echo is taken once, and only for some seconds."""
        stamps = self._own_writes.get((known_by, action))
        while stamps:
            stamp = stamps.pop(0)
            if not stamps:
                del self._own_writes[(known_by, action)]
            if clock.monotonic() - stamp < _OWN_EVENT_SECONDS:
                return True
        return False

    def take_new(self, service_id: str) -> bool:
        """Whether this process created the service and nobody has asked since."""
        if service_id not in self._new:
            return False
        self._new.remove(service_id)
        return True

    def removed_service(self, service_id: str) -> None:
        """A removal of ours was confirmed."""
        self._touch(service_id)
        self._drop_service(service_id)

    def removed_network(self, network_id: str) -> None:
        """A removal of ours was confirmed."""
        self._touch(network_id)
        self._drop_network(network_id)

    # -- inside --------------------------------------------------------------------------------------------------

    def _tell(self, owners: set[OwnerKey], *, tell: bool = True) -> None:
        if owners and tell:
            self._on_change(owners)

    def _touch(self, object_id: str) -> None:
        self._counter += 1
        self._touched[object_id] = self._counter

    def _owner_of(self, found: Mapping[str, str]) -> OwnerKey | None:
        if found.get(labels.INSTALLATION) != self.installation:
            return None
        return labels.parse_owner(found.get(labels.OWNER, ""))

    async def _list_services(
        self, *, status: bool = False, replace: bool = False
    ) -> tuple[set[OwnerKey], dict[str, tuple[int, int]]]:
        """List our services; owners of those that changed, and the counts of those that have tasks or should."""
        as_of = self._counter
        self._lists.append(as_of)
        try:
            data = await self._client.services(f"{labels.INSTALLATION}={self.installation}", status=status)
            try:
                found = await self._take_services(service_list.elements(data), as_of, counted=status, replace=replace)
            except ValueError:  # an element with something inside that looks like the end of one
                found = await self._take_services(service_list.decoded(data), as_of, counted=status, replace=replace)
        except ValueError as error:
            raise EngineUnavailable(0, f"{self._client.host}: the list of services is no JSON: {error}") from error
        finally:
            self._lists.remove(as_of)
        self._forget_touches(as_of)
        return found

    async def _take_services(
        self, found: Iterator[bytes], as_of: int, *, counted: bool, replace: bool
    ) -> tuple[set[OwnerKey], dict[str, tuple[int, int]]]:
        changed: set[OwnerKey] = set()
        listed: set[str] = set()
        counts: dict[str, tuple[int, int]] = {}
        for number, element in enumerate(found, 1):
            data, count = service_list.without_counts(element) if counted else (element, (0, 0))
            service_id = service_list.id_of(data)
            if service_id is None or not self._services.same(service_id, data):
                service = service_of(orjson.loads(data))
                service_id = service.id
                changed |= self._put_service(service, data, as_of, replace=replace)
            listed.add(service_id)
            if any(count):
                counts[service_id] = count
            if not number % _SLICE:
                await checkpoint()
        for gone in [i for i in self._services if i not in listed and self._touched.get(i, 0) <= as_of]:
            changed |= self._drop_service(gone)
        return changed, counts

    def _put_service(self, fresh: LiveService, data: bytes, as_of: int, *, replace: bool = False) -> set[OwnerKey]:
        """Hold a service that was decoded from ``data``; the owners concerned. ``replace`` a newer version too."""
        if self._touched.get(fresh.id, 0) > as_of:
            return set()
        known = self._services.version(fresh.id)
        before = self._services.owner(fresh.id)
        owner = self._owner_of(fresh.labels)
        if known == fresh.version or (known > fresh.version and not replace):
            if known == fresh.version and owner is not None and owner == before:
                self._services.put(fresh, owner, data)
            return set()
        owners = {o for o in (owner, before) if o}
        if before is not None:
            self._drop_service(fresh.id)
        if owner is None:
            # Somebody took our labels away: the name is still ours by the inventory, so its owner must look at it.
            return owners
        self._services.put(fresh, owner, data)
        self._owned[owner].add(fresh.id)
        self.hosts.put(fresh.id, owner, hostnames_of(fresh.labels))
        return owners

    def _put_document(self, document: Document, as_of: int) -> set[OwnerKey]:
        # Copied: orjson shrinks a large buffer in place, and what it leaves of the heap between two fits nothing.
        return self._put_service(service_of(document), bytes(memoryview(orjson.dumps(document))), as_of)

    def _drop_service(self, object_id: str) -> set[OwnerKey]:
        owner = self._services.drop(object_id)
        self.hosts.drop(object_id)
        self._new.discard(object_id)
        return self._disown(owner, object_id)

    def _disown(self, owner: OwnerKey | None, object_id: str) -> set[OwnerKey]:
        if owner is None:
            return set()
        self._owned[owner].discard(object_id)
        if not self._owned[owner]:
            del self._owned[owner]
        return {owner}

    def _take_networks(self, documents: list[Document], as_of: int) -> set[OwnerKey]:
        changed: set[OwnerKey] = set()
        listed = set()
        for document in documents:
            listed.add(document["Id"])
            changed |= self._put_network(document, as_of)
        for gone in [i for i in self._networks if i not in listed and self._touched.get(i, 0) <= as_of]:
            changed |= self._drop_network(gone)
        self._forget_touches(as_of)
        return changed

    def _put_network(self, document: Document, as_of: int) -> set[OwnerKey]:
        object_id = document["Id"]
        if self._touched.get(object_id, 0) > as_of:
            return set()
        pools = (document.get("IPAM") or {}).get("Config") or []
        fresh = LiveNetwork(
            id=object_id,
            name=document["Name"],
            driver=document.get("Driver") or "",
            scope=document.get("Scope") or "",
            subnet=pools[0].get("Subnet") if pools else None,
            task_range=(pools[0].get("IPRange") or None) if pools else None,
            attachable=bool(document.get("Attachable")),
            internal=bool(document.get("Internal")),
            labels=document.get("Labels") or {},
            options=document.get("Options") or {},
        )
        known = self._networks.get(object_id)
        if known == fresh:
            return set()
        if known is not None:
            self._drop_network(object_id)
        self._networks[object_id] = fresh
        self._network_ids[fresh.name] = object_id
        owner = self._owner_of(fresh.labels)
        if owner is None:
            return set()
        self._owned[owner].add(object_id)
        return {owner}

    def _drop_network(self, object_id: str) -> set[OwnerKey]:
        known = self._networks.pop(object_id, None)
        if known is None:
            return set()
        if self._network_ids.get(known.name) == object_id:
            del self._network_ids[known.name]
        return self._disown(self._owner_of(known.labels), object_id)

    async def _refresh_edge(self) -> set[OwnerKey]:
        self._edge_as_of += 1
        as_of, services = self._edge_as_of, sorted(self.edge_services)
        documents = [d for i in services for d in await self._client.service_containers(i)]
        filters = {"service": services, "desired-state": ["running"]}
        tasks = await self._client.tasks(filters) if services else []
        if as_of < self._edge_taken:
            return set()  # what was asked for later has come already
        self._edge_taken = as_of
        place = self.edge_place()
        self._edge_tasks = tuple(sorted(_place(task) for task in tasks if task["Status"]["State"] == "running"))
        fresh = {d["Id"]: frozenset((d.get("NetworkSettings") or {}).get("Networks") or {}) for d in documents}
        before, self.edge = self.edge, fresh
        EDGE_SERVICES.set(len(services))
        EDGE_TASKS.labels(where="here").set(self.edge_place().here)
        EDGE_TASKS.labels(where="elsewhere").set(len(self._edge_tasks) - self.edge_place().here)
        moved = place != self.edge_place() or set(before) != set(fresh)
        if before == fresh and not moved:
            return set()
        every = frozenset().union(*before.values(), *fresh.values())
        common_before = frozenset(every).intersection(*before.values()) if before else frozenset()
        common_after = frozenset(every).intersection(*fresh.values()) if fresh else frozenset()
        changed = {
            owner
            for name in (n.name for n in self._networks.values())
            if (name in common_before) != (name in common_after)
            and (network := self.network(name)) is not None
            and (owner := self._owner_of(network.labels)) is not None
        }
        if moved:
            changed |= {o for n in self._networks.values() if (o := self._owner_of(n.labels)) is not None}
        return changed

    def _forget_touches(self, as_of: int) -> None:
        as_of = min(as_of, *self._lists, as_of)  # a list that was asked for earlier may still come
        old = clock.monotonic() - _OWN_EVENT_SECONDS
        self._own_writes = {k: stamps for k, stamps in self._own_writes.items() if stamps[-1] > old}
        self._touched = {i: stamp for i, stamp in self._touched.items() if stamp > as_of}


def _place(task: Document) -> tuple[str, str]:
    container = task["Status"].get("ContainerStatus") or {}
    return str(task.get("NodeID") or ""), str(container.get("ContainerID") or "")
