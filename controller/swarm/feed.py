"""Feeds the live view: asks the engine, and puts its answers in.

Lists replace what is known and are asked for at the beginning, after a gap in the events, and on a timer. Single reads
follow an event or a write. An answer that is missing is not an answer: only what the engine says is absent is dropped,
and when it does not answer at all everything that is known stays.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import orjson
from anyio.lowlevel import checkpoint

from controller.kit.batcher import Batcher
from controller.swarm import service_list
from controller.swarm.client import Document, EngineClient
from controller.swarm.errors import EngineUnavailable, NotFound
from controller.swarm.liveview import LiveView
from controller.swarm.object_cache import OwnerKey
from controller.swarm.service_cache import service_of
from controller.swarm.service_list import Counts
from controller.swarm.types import BY_NAME, TYPES
from controller.swarm.types.base import ObjectType
from controller.swarm.types.service import SERVICE
from reconcilers import labels

_READ_TOGETHER = 50
_SLICE = 200
"""Objects of a list that are looked at before everything else gets its turn."""


class _Listed(NamedTuple):
    """What a list of services brought: owners of those that changed, and by id how many tasks run and should."""

    changed: set[OwnerKey]
    counts: dict[str, Counts]


class Feed:
    """Keeps one live view fresh.

    Args:
        client: the engine.
        live: the view.
    """

    def __init__(self, client: EngineClient, live: LiveView) -> None:
        self._client = client
        self._live = live
        self._reads: Batcher[str, Document | None] = Batcher(self._read_services, limit=_READ_TOGETHER)

    # -- everything ----------------------------------------------------------------------------------------------

    async def refresh_all(self) -> None:
        """List all objects and the edge's containers; tell every owner whose objects changed.

        What is listed replaces what is held, also where its version went back: an older copy of the Swarm is the Swarm.
        """
        changed = (await self._list_services(replace=True)).changed
        for each in TYPES:
            if each.decoded:
                changed |= await self._list(each)
        await self._find_edge()
        changed |= await self._look_at_edge()
        self._live.synced = True
        self._live.tell(changed)

    async def count_tasks(self) -> list[OwnerKey]:
        """List our services with their tasks' counts; owners of those whose tasks should be looked at."""
        listed = await self._list_services(status=True)
        changed = listed.changed
        if self._live.edge_view.services:  # a task of it on another node makes no event here
            changed |= await self._look_at_edge()
        self._live.tell(changed)
        lost = await self._lost_tasks()
        return [owner for i in self._live.astir(listed.counts, lost) if (owner := self._live.owner_of(i)) is not None]

    async def _lost_tasks(self) -> Counter[str]:
        """Service id -> tasks on nodes that are down: the engine goes on counting them as running (moby's
        ``ServiceStatus`` looks only at the state that a task was last seen in).
        """
        down = [str(d["ID"]) for d in await self._client.nodes() if d["Status"]["State"] == "down"]
        tasks = await self._client.tasks({"node": down}) if down else []
        return Counter(str(d["ServiceID"]) for d in tasks if d["Status"]["State"] == "running")

    # -- lists ---------------------------------------------------------------------------------------------------

    async def _list(self, type_: ObjectType) -> set[OwnerKey]:
        """List a type that is kept as it is parsed; owners of what changed."""
        changed: set[OwnerKey] = set()
        listed: set[str] = set()
        with self._live.answers.asking() as as_of:
            found = await type_.listed(self._client, self._live.installation)
            try:
                for number, live in enumerate(map(type_.parse, found), 1):
                    listed.add(live.id)
                    changed |= self._live.put(type_.name, live, as_of)
                    if not number % _SLICE:
                        await checkpoint()
            except ValueError as error:
                raise EngineUnavailable(0, f"{self._client.host}: the list of {type_.name}s: {error}") from error
            changed |= self._live.keep_listed(type_.name, listed, as_of)
        self._live.answers.forget()
        return changed

    async def _list_services(self, *, status: bool = False, replace: bool = False) -> _Listed:
        """List our services, with the counts of those that have tasks or should when ``status`` is asked for."""
        label = f"{labels.INSTALLATION}={self._live.installation}"
        with self._live.answers.asking() as as_of:
            data = await self._client.services(label, status=status)
            try:
                try:
                    found = await self._take(service_list.elements(data), as_of, counted=status, replace=replace)
                except ValueError:  # an element with something inside that looks like the end of one
                    found = await self._take(service_list.decoded(data), as_of, counted=status, replace=replace)
            except ValueError as error:
                raise EngineUnavailable(0, f"{self._client.host}: the list of services is not JSON: {error}") from error
        self._live.answers.forget()
        return found

    async def _take(self, found: Iterator[bytes], as_of: int, *, counted: bool, replace: bool) -> _Listed:
        changed: set[OwnerKey] = set()
        listed: set[str] = set()
        counts: dict[str, Counts] = {}
        for number, element in enumerate(found, 1):
            data, count = service_list.without_counts(element) if counted else (element, service_list.NONE)
            service_id = service_list.id_of(data)
            if service_id is None or not self._live.holds(service_id, data):
                service = service_of(orjson.loads(data))
                service_id = service.id
                changed |= self._live.put_service(service, data, as_of, replace=replace)
            listed.add(service_id)
            if any(count):
                counts[service_id] = count
            if not number % _SLICE:
                await checkpoint()
        for each in TYPES:
            if not each.decoded:
                changed |= self._live.keep_listed(each.name, listed, as_of)
        return _Listed(changed, counts)

    # -- single objects ------------------------------------------------------------------------------------------

    async def refresh(self, object_type: str, id_or_name: str, *, tell: bool = True) -> None:
        """Read one object; ``tell`` its owner when it changed."""
        type_ = BY_NAME[object_type]
        with self._live.answers.asking() as as_of:
            try:
                document = await type_.read(self._client, id_or_name)
            except NotFound:
                changed = self._live.absent(object_type, id_or_name, as_of)
            else:
                changed = self._put(type_, document, as_of)
        if tell:
            self._live.tell(changed)

    async def read_back(self, service_id: str) -> None:
        """Read a service that was just written, with others that are read at the same time, in one call.

        It is in the view before the write is said to be done: the next plan for its owner, which may begin at once,
        must not find what was before. Nobody is told, as whoever wrote knows.
        """
        with self._live.answers.asking() as as_of:
            document = await self._reads.submit(service_id)
            if document is not None:
                self._put(SERVICE, document, as_of)
            else:
                self._live.absent(SERVICE.name, service_id, as_of)

    async def _read_services(self, ids: Sequence[str]) -> list[Document | None]:
        found = {d["ID"]: d for d in await self._client.services_by_id(sorted(set(ids)))}
        return [found.get(i) for i in ids]

    def _put(self, type_: ObjectType, document: Document, as_of: int) -> set[OwnerKey]:
        if type_.decoded:
            live = type_.parse(document)
            changed, object_id = self._live.put(type_.name, live, as_of), live.id
        else:
            service = service_of(document)
            # Copied: orjson shrinks a large buffer in place, and what it leaves of the heap between two fits nothing.
            data = bytes(memoryview(orjson.dumps(document)))
            changed, object_id = self._live.put_service(service, data, as_of), service.id
        self._live.answers.learned(object_id)  # a list that was asked for earlier may not have it yet
        return changed

    # -- the edge ------------------------------------------------------------------------------------------------

    async def refresh_edge_services(self) -> None:
        """Read which services are the edge, and their containers when that changed."""
        if await self._find_edge():
            await self.refresh_edge()

    async def refresh_edge(self, *, tell: bool = True) -> None:
        """Read which networks the edge containers of this engine are on."""
        changed = await self._look_at_edge()
        if tell:
            self._live.tell(changed)

    async def _find_edge(self) -> bool:
        return self._live.edge_view.found(frozenset(await self._client.edge_services()), self._client.node_id)

    async def _look_at_edge(self) -> set[OwnerKey]:
        number, services = self._live.edge_view.asking(), sorted(self._live.edge_view.services)
        containers = [d for i in services for d in await self._client.service_containers(i)]
        filters = {"service": services, "desired-state": ["running"]}
        tasks = await self._client.tasks(filters) if services else []
        return self._live.take_edge(number, containers, tasks)
