"""The live view: what is known of what the engine has. It asks nobody; ``controller.swarm.feed`` puts in what it reads.

Reads never block. Correctness does not depend on freshness: an update carries the version it was planned on, a create
runs into the name, and a full list comes round on a timer. What must hold all the same is that the view never goes
back: an object that was written here after a list had been asked for is not undone by that list's older answer, and
what is gone is brought back by no answer that was asked for before that was learned. So whatever is put in says as of
when it was asked for; see ``controller.swarm.answers``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from controller.swarm.answers import Answers
from controller.swarm.edge_view import Document, EdgeView
from controller.swarm.hosts import Hosts
from controller.swarm.object_cache import Cache, ObjectCache, OwnerKey
from controller.swarm.service_cache import ServiceCache, TypeCache
from controller.swarm.service_list import Counts
from controller.swarm.types import TYPES
from controller.swarm.types.network import NETWORK
from controller.swarm.types.service import SERVICE
from reconcilers import labels
from reconcilers.ports import EdgePlace, LiveNetwork, LiveObject, LiveService
from reconcilers.routes import hostnames_of
from specs.kinds import TENANT_WORD


class LiveView:
    """What one engine has, for one installation.

    Args:
        installation: only services with this installation label are held; networks are held all, for their subnets.
        on_change: called with the owner of every object that came, changed or went.
    """

    def __init__(self, installation: str, on_change: Callable[[Iterable[OwnerKey]], None]) -> None:
        self.installation = installation
        self._on_change = on_change
        self._services = ServiceCache()
        self._objects = {each.name: ObjectCache() for each in TYPES if each.decoded}
        running = {each.name: TypeCache(self._services, each.name) for each in TYPES if not each.decoded}
        self._caches: Mapping[str, Cache] = {**self._objects, **running}
        self._named = running[SERVICE.name].named
        self._networks = self._objects[NETWORK.name]
        self.hosts = Hosts(on_change)
        """Host names by owner of the live rules."""
        self.edge_view = EdgeView()
        """Where the edge is."""
        self.answers = Answers()
        """In which order what is put in was asked for."""
        self.synced = False
        """Whether everything was listed once: before that, what is not here is not known to be absent."""

    # -- reads ---------------------------------------------------------------------------------------------------

    def service(self, name: str) -> LiveService | None:
        """Our service of exactly this name."""
        return self._named(name)

    def service_by_id(self, service_id: str) -> LiveService | None:
        """Our service or job with this id."""
        return self._services.get(service_id)

    def find(self, object_type: str, name: str) -> LiveObject | None:
        """The object of a type and of exactly this name: ours, or a network whoever owns it."""
        return self._caches[object_type].named(name)

    def id_of(self, object_type: str, name: str) -> str | None:
        """Its id."""
        found = self.find(object_type, name)
        return found.id if found is not None else None

    def owned(self, object_type: str, owner: OwnerKey) -> list[LiveObject]:
        """Objects of a type whose owner label names ``owner``, by name."""
        cache = self._caches[object_type]
        found = [cache.get(i) for i in cache.owned.of(owner)]
        return sorted((each for each in found if each is not None), key=lambda each: each.name)

    def owned_services(self, owner: OwnerKey) -> list[LiveService]:
        """Services whose owner label names ``owner``, by name."""
        found = [self._services.get(i) for i in self._services.owned(SERVICE.name).of(owner)]
        return sorted((s for s in found if s is not None), key=lambda s: s.name)

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

    def subnets(self) -> list[tuple[str, str]]:
        """(name, subnet) of all networks that have one."""
        found = (_network(each) for each in self._networks.values())
        return [(network.name, network.subnet) for network in found if network is not None and network.subnet]

    @property
    def edge(self) -> Mapping[str, frozenset[str]]:
        """Edge containers on this engine: container id -> names of the networks they are on."""
        return self.edge_view.containers

    def edge_node(self) -> str | None:
        """This engine's node when there is an edge; its containers on other nodes cannot be joined from here."""
        return self.edge_view.node

    def edge_place(self) -> EdgePlace:
        """Where the edge's tasks run."""
        return self.edge_view.place

    def edge_is_on(self, network: str) -> bool:
        """Whether there are edge tasks and each of them is on the network of this name."""
        return self.edge_view.is_on(network)

    # -- reads of all of it --------------------------------------------------------------------------------------

    def owner_of(self, service_id: str) -> OwnerKey | None:
        """Whose a service of ours is."""
        return self._services.owner(service_id)

    def owner(self, object_type: str, object_id: str) -> OwnerKey | None:
        """Whose an object of ours is; None for one that is not held."""
        found = self._caches[object_type].get(object_id)
        return None if found is None else self._owner_of(found.labels)

    def astir(self, counts: Mapping[str, Counts], lost: Mapping[str, int]) -> list[str]:
        """Ids of services and jobs whose tasks should be looked at; see ``ServiceCache.astir``."""
        return self._services.astir(counts, lost)

    def owners(self) -> dict[OwnerKey, int]:
        """Every owner that has live objects, and how many of them count."""
        found: dict[OwnerKey, int] = {}
        for each in TYPES:
            for owner, ids in self._caches[each.name].owned.all().items():
                found[owner] = found.get(owner, 0) + (len(ids) if each.counted else 0)
        return found

    def amounts(self) -> tuple[int, int, int]:
        """How many objects are ours, how many processes have tasks, and how many host names lead to one."""
        roles, running, routed = self._services.amounts()
        others = sum(len(self._objects[each.name].owned) for each in TYPES if each.counted and each.decoded)
        return roles + others, running, routed

    def serving(self) -> Iterator[tuple[OwnerKey, str, frozenset[str]]]:
        """Of each service: whose it is, its process when it runs (else empty), and the hosts that lead to it."""
        return self._services.serving()

    def counts(self) -> dict[str, int]:
        """Objects of ours by type."""
        return {each.name: len(self._caches[each.name].owned) for each in TYPES}

    def fingerprint(self, owner: OwnerKey, organization_id: str) -> tuple[Any, ...]:
        """Changes whenever something live that ``owner`` depends on does; equal fingerprints mean nothing to do."""
        version = self._services.version
        own = tuple(sorted((i, version(i)) for cache in self._caches.values() for i in cache.owned.of(owner)))
        home = self._networks.owned.of((TENANT_WORD, organization_id))
        names = [network.name for i in home if (network := self._networks.get(i)) is not None]
        return own, tuple(sorted(home)), self.edge_place(), all(self.edge_is_on(name) for name in names)

    # -- what is learned -----------------------------------------------------------------------------------------

    def put(self, object_type: str, fresh: LiveObject, as_of: int) -> set[OwnerKey]:
        """Hold an object of a type that is kept as it was parsed; the owners concerned."""
        if self.answers.is_outdated(fresh.id, as_of):
            return set()
        cache = self._objects[object_type]
        if cache.get(fresh.id) == fresh:
            return set()
        before = self._drop(object_type, fresh.id)
        owner = self._owner_of(fresh.labels)
        cache.put(fresh, owner)
        return before if owner is None else before | {owner}

    def put_service(self, fresh: LiveService, data: bytes, as_of: int, *, replace: bool = False) -> set[OwnerKey]:
        """Hold a service that was decoded from ``data``; the owners concerned.

        Args:
            fresh: the service.
            data: what is held of it.
            as_of: of the question.
            replace: also where a newer version is held: a Swarm that was restored counts from an older one.
        """
        if self.answers.is_outdated(fresh.id, as_of):
            return set()
        known = self._services.version(fresh.id)
        before = self._services.owner(fresh.id)
        owner = self._owner_of(fresh.labels)
        if known == fresh.version or (known > fresh.version and not replace):
            # An equal version may come with another state of its update, which nobody needs to be told of.
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
        self.hosts.put(fresh.id, owner, hostnames_of(fresh.labels))
        return owners

    def holds(self, service_id: str, data: bytes) -> bool:
        """Whether a service is held by exactly these bytes: then there is nothing to decode, and nothing to put."""
        return self._services.same(service_id, data)

    def keep_listed(self, object_type: str, listed: Collection[str], as_of: int) -> set[OwnerKey]:
        """Hold nothing of a type but the ids ``listed``; the owners of the others.

        What was made here since the list was asked for is not on it, and lives.
        """
        gone = [i for i in self._caches[object_type] if i not in listed and not self.answers.is_outdated(i, as_of)]
        return {owner for each in gone for owner in self._gone(object_type, each)}

    def absent(self, object_type: str, id_or_name: str, as_of: int) -> set[OwnerKey]:
        """The engine has no such object; its owner, if one was held."""
        cache = self._caches[object_type]
        known = cache.get(id_or_name) or cache.named(id_or_name)
        gone = id_or_name if known is None else known.id  # a list may be on its way that has what is not held yet
        return set() if self.answers.is_outdated(gone, as_of) else self._gone(object_type, gone)

    def removed(self, object_type: str, object_id: str) -> None:
        """A removal of ours was confirmed."""
        self._gone(object_type, object_id)

    def take_edge(self, number: int, containers: Sequence[Document], tasks: Sequence[Document]) -> set[OwnerKey]:
        """Take in where the edge is, see ``EdgeView.take``; the owners of networks that are concerned."""
        moved = self.edge_view.take(number, containers, tasks)
        concerned = (each for each in self._networks.values() if moved.place or each.name in moved.networks)
        return {owner for each in concerned if (owner := self._owner_of(each.labels)) is not None}

    def tell(self, owners: Collection[OwnerKey]) -> None:
        """Have these owners look at what is live of theirs."""
        if owners:
            self._on_change(owners)

    def _gone(self, object_type: str, object_id: str) -> set[OwnerKey]:
        """It is no more, and has an id that no other gets: no answer that was asked for before brings it back."""
        self.answers.learned(object_id)
        return self._drop(object_type, object_id)

    def _drop(self, object_type: str, object_id: str) -> set[OwnerKey]:
        if object_type not in self._objects:
            self.hosts.drop(object_id)
        owner = self._caches[object_type].drop(object_id)
        return set() if owner is None else {owner}

    def _owner_of(self, found: Mapping[str, str]) -> OwnerKey | None:
        if found.get(labels.INSTALLATION) != self.installation:
            return None
        return labels.parse_owner(found.get(labels.OWNER, ""))


def _network(live: LiveObject | None) -> LiveNetwork | None:
    return live if isinstance(live, LiveNetwork) else None
