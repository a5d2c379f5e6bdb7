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
from controller.swarm.metrics import EDGE_SERVICES, EDGE_TASKS
from controller.swarm.object_cache import ObjectCache
from controller.swarm.service_cache import OwnerKey, ServiceCache, service_of
from controller.swarm.types import BY_NAME, TYPES
from controller.swarm.types.base import ObjectType
from controller.swarm.types.network import NETWORK
from controller.swarm.types.service import SERVICE
from reconcilers import labels
from reconcilers.ports import EdgePlace, LiveNetwork, LiveObject, LiveService
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
        self._caches = {each.name: ObjectCache() for each in TYPES if each.decoded}
        self._networks = self._caches[NETWORK.name]
        self._owned: dict[str, defaultdict[OwnerKey, set[str]]] = {each.name: defaultdict(set) for each in TYPES}
        """Ids of our objects by type and owner."""
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

    def find(self, object_type: str, name: str) -> LiveObject | None:
        """The object of a type and of exactly this name: ours, or a network whoever owns it."""
        cache = self._caches.get(object_type)
        return self._services.named(name) if cache is None else cache.named(name)

    def id_of(self, object_type: str, name: str) -> str | None:
        """Its id."""
        found = self.find(object_type, name)
        return found.id if found is not None else None

    def owned(self, object_type: str, owner: OwnerKey) -> list[LiveObject]:
        """Objects of a type whose owner label names ``owner``, by name."""
        kept = self._caches.get(object_type, self._services)
        found = [kept.get(i) for i in self._owned[object_type].get(owner, ())]
        return sorted((each for each in found if each is not None), key=lambda each: each.name)

    def is_ours(self, live: LiveObject) -> bool:
        """Whether this installation made it."""
        return live.labels.get(labels.INSTALLATION) == self.installation

    def network(self, name: str) -> LiveNetwork | None:
        """The network of exactly this name, whoever owns it."""
        return _network(self._networks.named(name))

    def network_of(self, organization_id: str) -> LiveNetwork | None:
        """The network of an organization, by its owner label; of several, the one that most services are on."""
        owned = self.owned(NETWORK.name, (TENANT_WORD, organization_id))
        found = [network for each in owned if (network := _network(each)) is not None]
        return min(found, key=lambda n: (not n.usable, -len(self.on_network(n.id)), n.name)) if found else None

    def on_network(self, network_id: str) -> list[str]:
        """Names of our services that are attached to a network, sorted."""
        return self._services.using(network_id)

    def referring(self, content_id: str) -> list[str]:
        """Names of our services whose spec, or the one before, refers to a secret or a config, sorted."""
        return self._services.using(content_id)

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
        found = (_network(each) for each in self._networks.values())
        return [(network.name, network.subnet) for network in found if network is not None and network.subnet]

    def owned_services(self, owner: OwnerKey) -> list[LiveService]:
        """Services whose owner label names ``owner``, by name."""
        found = [self._services.get(i) for i in self._owned[SERVICE.name].get(owner, ())]
        return sorted((s for s in found if s is not None), key=lambda s: s.name)

    def owners(self) -> dict[OwnerKey, int]:
        """Every owner that has live objects, and how many of them count."""
        found: dict[OwnerKey, int] = {}
        for each in TYPES:
            for owner, ids in self._owned[each.name].items():
                found[owner] = found.get(owner, 0) + (len(ids) if each.counted else 0)
        return found

    def amounts(self) -> tuple[int, int, int]:
        """How many objects are ours, how many processes have tasks, and how many host names lead to one."""
        roles, running, routed = self._services.amounts()
        others = sum(self._count(each.name) for each in TYPES if each.counted and each.decoded)
        return roles + others, running, routed

    def serving(self) -> Iterator[tuple[OwnerKey, str, frozenset[str]]]:
        """Of each service: whose it is, its process when it runs (else empty), and the hosts that lead to it."""
        return self._services.serving()

    def counts(self) -> dict[str, int]:
        """Objects of ours by type."""
        return {each.name: self._count(each.name) for each in TYPES}

    def _count(self, object_type: str) -> int:
        return sum(map(len, self._owned[object_type].values()))

    def fingerprint(self, owner: OwnerKey, organization_id: str) -> tuple[Any, ...]:
        """Changes whenever something live that ``owner`` depends on does; equal fingerprints mean nothing to do."""
        version = self._services.version
        own = tuple(sorted((i, version(i)) for owned in self._owned.values() for i in owned.get(owner, ())))
        home = self._owned[NETWORK.name].get((TENANT_WORD, organization_id), ())
        names = [network.name for i in home if (network := self._networks.get(i)) is not None]
        return own, tuple(sorted(home)), self.edge_place(), all(self.edge_is_on(name) for name in names)

    # -- refresh -------------------------------------------------------------------------------------------------

    async def refresh_all(self) -> None:
        """List all objects and the edge's containers; tell every owner whose objects changed.

        What is listed replaces what is held, also where its version went back: an older copy of the Swarm is the Swarm.
        """
        changed, _ = await self._list_services(replace=True)
        for each in TYPES:
            if each.decoded:
                as_of = self._counter
                changed |= self._take(each, await each.listed(self._client, self.installation), as_of)
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

    async def refresh(self, object_type: str, id_or_name: str, *, tell: bool = True) -> None:
        """Read one object; ``tell`` its owner when it changed."""
        type_, as_of = BY_NAME[object_type], self._counter
        try:
            document = await type_.read(self._client, id_or_name)
        except NotFound:
            kept = self._caches.get(object_type, self._services)
            known = kept.get(id_or_name) or kept.named(id_or_name)
            if known is not None and self._touched.get(known.id, 0) <= as_of:
                self._tell(self._drop(object_type, known.id), tell=tell)
            return
        if type_.decoded:
            live = type_.parse(document)
            self._tell(self._put(object_type, live, as_of), tell=tell)
            self._touch(live.id)
        else:
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
            self._drop(SERVICE.name, service_id)

    async def _read_services(self, ids: Sequence[str]) -> list[Document | None]:
        found = {d["ID"]: d for d in await self._client.services_by_id(sorted(set(ids)))}
        return [found.get(i) for i in ids]

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

    def removed(self, object_type: str, object_id: str) -> None:
        """A removal of ours was confirmed."""
        self._touch(object_id)
        self._drop(object_type, object_id)

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
            changed |= self._drop(SERVICE.name, gone)
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
            self._drop(SERVICE.name, fresh.id)
        if owner is None:
            # Somebody took our labels away: the name is still ours by the inventory, so its owner must look at it.
            return owners
        self._services.put(fresh, owner, data)
        self._owned[SERVICE.name][owner].add(fresh.id)
        self.hosts.put(fresh.id, owner, hostnames_of(fresh.labels))
        return owners

    def _put_document(self, document: Document, as_of: int) -> set[OwnerKey]:
        # Copied: orjson shrinks a large buffer in place, and what it leaves of the heap between two fits nothing.
        return self._put_service(service_of(document), bytes(memoryview(orjson.dumps(document))), as_of)

    def _drop(self, object_type: str, object_id: str) -> set[OwnerKey]:
        cache = self._caches.get(object_type)
        if cache is None:
            owner = self._services.drop(object_id)
            self.hosts.drop(object_id)
            self._new.discard(object_id)
        else:
            known = cache.drop(object_id)
            owner = self._owner_of(known.labels) if known is not None else None
        if owner is None:
            return set()
        owned = self._owned[object_type]
        owned[owner].discard(object_id)
        if not owned[owner]:
            del owned[owner]
        return {owner}

    def _take(self, type_: ObjectType, documents: Sequence[Document], as_of: int) -> set[OwnerKey]:
        """Hold what a list has, and nothing else of its type."""
        changed: set[OwnerKey] = set()
        listed = set()
        for live in map(type_.parse, documents):
            listed.add(live.id)
            changed |= self._put(type_.name, live, as_of)
        for gone in [i for i in self._caches[type_.name] if i not in listed and self._touched.get(i, 0) <= as_of]:
            changed |= self._drop(type_.name, gone)
        self._forget_touches(as_of)
        return changed

    def _put(self, object_type: str, fresh: LiveObject, as_of: int) -> set[OwnerKey]:
        """Hold what was parsed; the owners concerned."""
        if self._touched.get(fresh.id, 0) > as_of:
            return set()
        cache = self._caches[object_type]
        known = cache.get(fresh.id)
        if known == fresh:
            return set()
        before = self._drop(object_type, fresh.id) if known is not None else set()
        cache.put(fresh)
        owner = self._owner_of(fresh.labels)
        if owner is None:
            return before
        self._owned[object_type][owner].add(fresh.id)
        return before | {owner}

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


def _network(live: LiveObject | None) -> LiveNetwork | None:
    return live if isinstance(live, LiveNetwork) else None


def _place(task: Document) -> tuple[str, str]:
    container = task["Status"].get("ContainerStatus") or {}
    return str(task.get("NodeID") or ""), str(container.get("ContainerID") or "")
