"""The live services and jobs, held as the bytes that the engine sent, packed, and decoded when somebody looks.

Ten thousand decoded documents are 100 MB and more, all of which the garbage collector walks through; their bytes are a
quarter of that, and packed, as one is much like another, a twentieth of it. Those that were looked at last are kept
decoded, as a reconcile looks several times.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Hashable, Iterator, Mapping
from itertools import chain
from typing import Any

import orjson

from controller.swarm.losses import serves
from controller.swarm.object_cache import Owned, OwnerKey
from controller.swarm.packing import Packed, Packing
from controller.swarm.service_list import Counts
from reconcilers import labels
from reconcilers.jobs import is_job
from reconcilers.ports import LiveJob, LiveService
from reconcilers.references import ids

_KEPT_DECODED = 256


class _Held:
    __slots__ = (
        "contents",
        "hosts",
        "name",
        "networks",
        "object_type",
        "owner",
        "packed",
        "role",
        "runs",
        "said",
        "version",
    )

    def __init__(self, service: LiveService, owner: OwnerKey, data: Packed, said: int) -> None:
        name, version = service.name, service.version
        self.runs, self.hosts = serves(service.spec)
        self.role = service.labels.get(labels.PROCESS) or service.id
        self.name = name
        self.object_type = service.object_type
        self.networks = networks_of(service)
        self.contents = tuple(ids(service.spec) | service.previous)
        self.version = version
        self.owner = owner
        self.packed = data
        self.said = said


class ServiceCache:
    """Services and jobs by id, and by name: the engine has both in one list, where a name is one's alone."""

    def __init__(self) -> None:
        self._held: dict[str, _Held] = {}
        self._packing = Packing()
        self._ids: dict[str, str] = {}
        self._on: defaultdict[str, set[str]] = defaultdict(set)
        """By id of a network, a secret or a config: ids of the services that are on it, or refer to it."""
        self._decoded: dict[str, LiveService] = {}
        self._roles: Counter[Hashable] = Counter()
        self._running: Counter[Hashable] = Counter()
        self._routed: Counter[Hashable] = Counter()
        self._counted_ends: dict[str, tuple[int, ...]] = {}
        """By id of what may end: its tasks as they were counted last."""
        self._owned = {each.object_type: Owned() for each in (LiveService, LiveJob)}

    def __len__(self) -> int:
        return len(self._held)

    def __iter__(self) -> Iterator[str]:
        """Ids."""
        return iter(self._held)

    def __contains__(self, service_id: object) -> bool:
        return service_id in self._held

    def get(self, service_id: str) -> LiveService | None:
        """The service with this id."""
        found = self._decoded.get(service_id)
        if found is None:
            held = self._held.get(service_id)
            if held is None:
                return None
            found = service_of(orjson.loads(held.packed.unpacked()))
            self._keep(found)
        return found

    def named(self, name: str) -> LiveService | None:
        """The service of this name."""
        return self.get(self._ids.get(name, ""))

    def owned(self, object_type: str) -> Owned:
        """Those of one type, by owner."""
        return self._owned[object_type]

    def astir(self, counts: Mapping[str, Counts], lost: Mapping[str, int]) -> list[str]:
        """Ids of those whose tasks should be looked at: a service has more or fewer than it should; a job, or a
        service whose tasks may end, others than when they were counted last.

        Args:
            counts: by id.
            lost: by id, how many of those that run are on nodes that are down.
        """
        found = []
        for service_id, (running, desired, completed) in counts.items():
            gone = lost.get(service_id, 0)
            before = self._counted_ends.get(service_id)
            if before is None:
                if running - gone != desired:
                    found.append(service_id)
            elif before != (running, completed, gone):
                self._counted_ends[service_id] = running, completed, gone
                found.append(service_id)
        return found

    def version(self, service_id: str) -> int:
        """Its version; 0 when it is not held."""
        held = self._held.get(service_id)
        return held.version if held is not None else 0

    def owner(self, service_id: str) -> OwnerKey | None:
        """Whose it is."""
        held = self._held.get(service_id)
        return held.owner if held is not None else None

    def same(self, service_id: str, data: bytes) -> bool:
        """Whether exactly these bytes are held: 64 bits of a keyed hash (SipHash) say so."""
        held = self._held.get(service_id)
        return held is not None and held.said == hash(data)

    def put(self, service: LiveService, owner: OwnerKey, data: bytes) -> None:
        """Hold it; ``data`` is what ``service`` was decoded from."""
        self._leave(service.id)
        held = self._held[service.id] = _Held(service, owner, self._packing.packed(data), hash(data))
        self._owned[held.object_type].put(service.id, owner)
        if held.object_type == LiveJob.object_type or _may_end(service):
            self._counted_ends[service.id] = ()
        for counter, found in self._counted(held):
            counter.update(found)
        for used in (*held.networks, *held.contents):
            self._on[used].add(service.id)
        self._ids[service.name] = service.id
        self._decoded.pop(service.id, None)
        self._keep(service)

    def amounts(self) -> tuple[int, int, int]:
        """How many roles there are, how many processes have tasks, how many host names lead to one.

        A process that two services bear while one takes over from the other counts once.
        """
        return len(self._roles), len(self._running), len(self._routed)

    def _counted(self, held: _Held) -> tuple[tuple[Counter[Hashable], Collection[Hashable]], ...]:
        runs = [(held.owner, held.runs)] if held.runs else []
        return (self._roles, [(held.owner, held.role)]), (self._running, runs), (self._routed, held.hosts)

    def serving(self) -> Iterator[tuple[OwnerKey, str, frozenset[str]]]:
        """Of each service: whose it is, its process when it runs (else empty), and the hosts that lead to it."""
        for held in self._held.values():
            yield held.owner, held.runs, held.hosts

    def drop(self, service_id: str) -> OwnerKey | None:
        """Hold it no longer; whose it was."""
        self._leave(service_id)
        held = self._held.pop(service_id, None)
        if held is None:
            return None
        self._decoded.pop(service_id, None)
        self._owned[held.object_type].drop(service_id, held.owner)
        self._counted_ends.pop(service_id, None)
        if self._ids.get(held.name) == service_id:
            del self._ids[held.name]
        return held.owner

    def using(self, object_id: str) -> list[str]:
        """Names of the services that are attached to a network, or refer to a secret or a config, sorted."""
        return sorted(self._held[i].name for i in self._on.get(object_id, ()))

    def _leave(self, service_id: str) -> None:
        held = self._held.get(service_id)
        if held is None:
            return
        for counter, found in self._counted(held):
            counter.subtract(found)
            for each in found:
                if not counter[each]:
                    del counter[each]
        for used in (*held.networks, *held.contents):
            self._on[used].discard(service_id)
            if not self._on[used]:
                del self._on[used]

    def _keep(self, service: LiveService) -> None:
        if len(self._decoded) >= _KEPT_DECODED:
            del self._decoded[next(iter(self._decoded))]
        self._decoded[service.id] = service


class TypeCache:
    """Those of one type; by id whatever the list has, as an event does not say which type it is of."""

    def __init__(self, services: ServiceCache, object_type: str) -> None:
        self._services = services
        self._type = object_type
        self.owned = services.owned(object_type)

    def __iter__(self) -> Iterator[str]:
        """Ids."""
        return chain.from_iterable(self.owned.all().values())

    def get(self, object_id: str) -> LiveService | None:
        """The service or job with this id."""
        return self._services.get(object_id)

    def named(self, name: str) -> LiveService | None:
        """The one of exactly this name."""
        found = self._services.named(name)
        return found if found is not None and found.object_type == self._type else None

    def drop(self, object_id: str) -> OwnerKey | None:
        """Hold it no longer; whose it was."""
        return self._services.drop(object_id)


def _may_end(service: LiveService) -> bool:
    """Whether tasks of it that ended well are not started again: then it has fewer than it should, and is well."""
    return ((service.spec.get("TaskTemplate") or {}).get("RestartPolicy") or {}).get("Condition") == "on-failure"


def networks_of(service: LiveService) -> tuple[str, ...]:
    """Ids of the networks that a service is attached to."""
    attached = (service.spec.get("TaskTemplate") or {}).get("Networks") or service.spec.get("Networks") or ()
    return tuple(str(a["Target"]) for a in attached)


def service_of(document: Mapping[str, Any]) -> LiveService:
    """A service, or a job, by its document."""
    status = document.get("UpdateStatus") or {}
    spec = document["Spec"]
    known: dict[str, Any] = {
        "id": document["ID"],
        "name": spec["Name"],
        "version": document["Version"]["Index"],
        "spec": spec,
        "update_state": status.get("State") or None,
        "update_message": status.get("Message") or "",
        "has_previous": document.get("PreviousSpec") is not None,
        "previous": ids(document.get("PreviousSpec") or {}),
    }
    if is_job(spec):
        iteration = (document.get("JobStatus") or {}).get("JobIteration") or {}
        return LiveJob(**known, iteration=iteration.get("Index") or 0)
    return LiveService(**known)
