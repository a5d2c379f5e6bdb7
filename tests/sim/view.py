"""A read-only view of a simulated world as it is after each step, and what lies a moment back of it.

``SimView.look`` brings it up to date; it reads again only what changed. Whoever decides reads first and writes a moment
later, so a look may be ``blur`` seconds old: ``recently`` and ``ran`` speak of that time. What somebody's hands, a
failing program or a lost node do is no controller's doing: ``disturbed`` says whom it struck.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson

from controller.records import Key
from reconcilers import labels
from specs.image_policies import Scanned
from specs.releases import overlaid
from tests.sim.database import scans
from tests.sim.database.database import SimDatabase
from tests.sim.database.rows import Declared, Said
from tests.sim.facts import NetworkFact, ServiceFact, TaskFact, Wish, network_fact, service_fact
from tests.sim.settings import INSTALLATION
from tests.sim.swarm.objects import RUNNING, Service, Task
from tests.sim.swarm.swarm import SimSwarm, WriteRecord

DISTURBED_SECONDS = 30.0
_FAILED = ("failed", "complete")
_NOTHING = Wish("lost")
_NOBODY = Key("nobody", "")


class SimView:
    """One world.

    Args:
        now: seconds of the world's clock.
        blur: seconds that a controller's look may lie back when it writes.
    """

    def __init__(self, swarm: SimSwarm, database: SimDatabase, now: Callable[[], float], *, blur: float) -> None:
        self.installation = INSTALLATION
        self.services: dict[str, ServiceFact] = {}
        self.networks: dict[str, NetworkFact] = {}
        self.blur = blur
        self.now = now
        self._swarm = swarm
        self._database = database
        self._specs: dict[str, object] = {}
        self._hands: set[str] = set()
        self._wishes: dict[Key, tuple[Declared | None, Wish]] = {}
        self._earlier: dict[Key, deque[tuple[float, Wish]]] = {}
        self._dropped: set[Key] = set()
        self._disturbed: dict[Key | None, float] = {}
        self.served: set[tuple[Key, str]] = set()
        """Owner and host name of what the edge reached a task of, and must go on to."""
        self._jobs: dict[str, tuple[str, Counter[object]]] = {}
        """By name: the run of the tasks that ended well last, and how many did in each place."""
        self._ended: deque[tuple[float, Task]] = deque(maxlen=64)

    # -- what is live --------------------------------------------------------------------------------------------

    def look(self) -> bool:
        """Read services and networks whose documents are others than before; whether there were any."""
        store, changed = self._swarm.store, False
        for live_id, service in store.services.items():
            if self._specs.get(live_id) is not service.spec:
                self._specs[live_id] = service.spec
                self.services[live_id] = service_fact(live_id, service.spec, by_hand=live_id in self._hands)
                changed = True
        for live_id in self.services.keys() - store.services.keys():
            del self.services[live_id], self._specs[live_id]
            changed = True
        for live_id, network in store.networks.items():
            known = self.networks.get(live_id)
            if known is None or known.subnet != network.subnet:
                self.networks[live_id] = network_fact(live_id, network.name, network.labels, network.subnet)
                changed = True
        for live_id in self.networks.keys() - store.networks.keys():
            del self.networks[live_id]
            changed = True
        return changed

    def ours(self) -> Iterator[ServiceFact]:
        """Services of this installation that have an owner."""
        return (s for s in self.services.values() if s.installation == self.installation and s.owner is not None)

    def network_named(self, name: str) -> NetworkFact | None:
        """By name."""
        return next((n for n in self.networks.values() if n.name == name), None)

    def running(self, service_id: str) -> list[TaskFact]:
        """Tasks that run and are wanted."""
        store = self._swarm.store
        service = store.services.get(service_id)
        return [_task(t, service) for t in store.by_service.get(service_id, ()) if _runs(t)]

    def ran(self, service_id: str, seconds: float) -> int:
        """How many tasks had run the present template for so long, without an end, at a moment of the last blur."""
        store = self._swarm.store
        service = store.services.get(service_id)
        if service is None:
            return 0
        alive = [(self.now(), t) for t in store.by_service.get(service_id, ()) if _runs(t)]
        ended = [(at, t) for at, t in self._ended if t.service is service and at >= self.now() - self.blur]
        return sum(
            t.spec == service.spec["TaskTemplate"] and t.running_at is not None and t.running_at <= until - seconds
            for until, t in [*alive, *ended]
        )

    def ended_well(self) -> dict[tuple[str, str, object], int]:
        """How many tasks of a job's run have ended well, by slot or node."""
        return {
            (name, run, place): count for name, (run, places) in self._jobs.items() for place, count in places.items()
        }

    def begun_once(self) -> Counter[str]:
        """By name of what is run once: how many tasks began."""
        return Counter(task.service.name for task in self._swarm.once_begun)

    def edges(self) -> list[frozenset[str]]:
        """For each running container of the edge: ids of the networks that it is on."""
        found = []
        for service in self.services.values():
            if service.edge:
                tasks = self._swarm.store.by_service.get(service.id, ())
                found += [
                    frozenset((t.addresses.keys() | t.joined.keys()) - t.left) for t in tasks if t.state == "running"
                ]
        return found

    def addresses(self, network_id: str) -> list[str]:
        """All that are held on a network, also by what was put on it by hand or by a controller."""
        store = self._swarm.store
        found = list(store.networks[network_id].addresses.values())
        return found + [t.joined[network_id] for t in store.tasks.values() if network_id in t.joined]

    # -- what is declared, and said ------------------------------------------------------------------------------

    def wish(self, key: Key) -> Wish:
        """What is declared of an object now."""
        row = self._database.objects.get(key)
        known = self._wishes.get(key)
        if known is None or known[0] is not row:
            known = self._wishes[key] = row, self._read(key, row)
        return known[1]

    def parent(self, child: Key) -> Key | None:
        """The environment that declares this process or domain; None when no row does any more."""
        return next(
            (key for key in self._database.objects if key.kind == "environment" and child in self.wish(key).children),
            None,
        )

    def recently(self, key: Key) -> Sequence[Wish]:
        """What a controller may believe to be declared: what is, and what was until a moment ago."""
        earlier = self._earlier.get(key, ())
        return [self.wish(key), *(wish for until, wish in earlier if until >= self.now() - self.blur)]

    def scanned(self, image: str) -> Scanned | None:
        """What reports a controller knows of the content of an image; None: one came a moment ago, who knows."""
        found = scans.found(self._database, self.names(image))
        if any(self._database.scanned_at[each.digest] >= self.now() - self.blur for each in found):
            return None
        return Scanned(found, datetime.min.replace(tzinfo=UTC))  # then none is too old: time is not judged

    def names(self, image: str) -> Sequence[str]:
        """Digests that the content of an image goes by, as it was found for a release; its own among them."""
        digest = image.partition("@")[2]
        kept = [each.content for releases in self._database.releases.values() for each in releases]
        listed = [(each.resolved or {}).get("digests") or () for each in kept if each.image.partition("@")[2] == digest]
        return [*next(filter(None, listed), ()), digest]

    def statuses(self) -> Mapping[Key, Said]:
        """What is said now."""
        return self._database.statuses

    def paused(self, key: Key) -> bool:
        """Whether somebody asked to leave it alone."""
        return self._database.controls.pause_of(key, self._database.organization_of(key)) is not None

    def subnets(self) -> list[tuple[str, Any]]:
        """(organization's id, network) of the address plan."""
        return [(s.organization_id or "", s.network) for s in self._database.subnets if s.state == "allocated"]

    def confirmed(self, key: Key) -> bool:
        """Whether an operator confirmed the removal of what the object has."""
        row = self._database.losses.get(key)
        return row is not None and row.confirmed

    @property
    def tripped(self) -> bool:
        """Whether something waits for a confirmation."""
        return any(not row.confirmed for row in self._database.losses.values())

    def _read(self, key: Key, row: Declared | None) -> Wish:
        if row is None:
            return Wish("dropped") if key in self._dropped else _NOTHING
        document = orjson.loads(row.document)
        return Wish(
            "deleted" if row.deleted else "declared",
            row.organization_id,
            row.generation,
            overlaid(document) if isinstance(document, dict) else {},
        )

    # -- what happened -------------------------------------------------------------------------------------------

    def committed(self, rows: Mapping[Key, Declared | None]) -> None:
        """Called with what a transaction is about to make visible."""
        for key, row in rows.items():
            self._earlier.setdefault(key, deque(maxlen=16)).append((self.now(), self.wish(key)))
            (self._dropped.add if row is None else self._dropped.discard)(key)
            self._wishes.pop(key, None)

    def written(self, write: WriteRecord) -> None:
        """Called with an accepted write, before the view looks again."""
        if write.object_type == "service":
            (self._hands.add if write.client == "hands" else self._hands.discard)(write.object_id)
            if write.client == "hands":
                self._jobs.pop(write.name, None)
        if write.client == "hands":
            known = self.services.get(write.object_id)
            if known is not None and not known.edge:
                self.disturb(known.owner or _NOBODY)
            elif known is not None or write.action != "create":
                self.disturb(None)

    def moved(self, task: Task) -> None:
        """Called with a task whose state changed."""
        if task.rank > RUNNING:
            self._ended.append((self.now(), task))
        if task.iteration is not None and task.state == "complete":
            run = task.labels.get(labels.SPEC_HASH, "")
            known, places = self._jobs.get(task.service.name, ("", Counter()))
            places = places if known == run else Counter()
            places[task.slot if task.service.spec["Mode"].get("ReplicatedJob") else task.key] += 1
            self._jobs[task.service.name] = run, places
        elif task.state in _FAILED:
            fact = self.services.get(task.service.meta.id)
            self.disturb(fact.owner if fact is not None and not fact.edge else None)

    def disturb(self, key: Key | None) -> None:
        """Something struck the object; None: everything."""
        self._disturbed[key] = self.now()

    def disturbed(self, key: Key) -> bool:
        """Whether something else than a controller struck what the object has, a short while ago."""
        newest = max(self._disturbed.get(key, 0.0), self._disturbed.get(None, 0.0))
        return newest > self.now() - DISTURBED_SECONDS


def _runs(task: Task) -> bool:
    return task.state == "running" and task.wanted_rank == RUNNING


def _task(task: Task, service: Service | None) -> TaskFact:
    current = service is not None and task.spec == service.spec["TaskTemplate"]
    image = str(task.spec["ContainerSpec"].get("Image") or "")
    return TaskFact(task.meta.id, task.running_at or 0.0, task.addresses, current, image)
