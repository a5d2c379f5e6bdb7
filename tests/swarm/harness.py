"""One installation on a real engine: what it wants, what it does, and somebody's hands."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import uuid4

import anyio

from controller.changes import Change, ChangeSet
from controller.records import InventoryRow, InventoryUpdate, Key
from controller.swarm.adapter import SwarmAdapter
from controller.swarm.client import EngineClient
from deploy.engine import IMAGE_PREFIX, EngineApi, Lab
from reconcilers import labels, organization
from reconcilers.environment.ahead import preview
from reconcilers.objects import HomeNetwork, Objects, Service
from reconcilers.outcomes import ConflictError
from reconcilers.ports import LiveService, LookAhead, Options
from specs.snapshots import EnvironmentSnapshot, OrganizationSnapshot

T = TypeVar("T")
WEB, PAUSE = f"{IMAGE_PREFIX}/web:1", f"{IMAGE_PREFIX}/pause:1"
_numbers = itertools.count(2, 2)  # a network around one range touches no other


async def until(check: Callable[[], Awaitable[T]], *, seconds: float = 30.0) -> T:
    """The first true answer; fails when there is none in time."""
    last: Any = None
    with anyio.move_on_after(seconds):
        while not (last := await check()):  # noqa: ASYNC110 - the engine does not call back
            await anyio.sleep(0.02)
    assert last, f"not within {seconds} s; last: {last!r}"
    return last  # type: ignore[no-any-return] # what check gave


@dataclass
class SwarmHarness:
    """An organization with one environment; ``number`` keeps its names and addresses apart from other tests'."""

    number: int
    api: EngineApi
    client: EngineClient
    cluster: SwarmAdapter
    options: Options
    learned: list[InventoryUpdate] = field(default_factory=list)
    organization_id: str = field(default_factory=lambda: str(uuid4()))
    environment_id: str = field(default_factory=lambda: str(uuid4()))
    app_id: str = field(default_factory=lambda: str(uuid4()))

    @property
    def slug(self) -> str:
        return f"org{self.number}"

    @property
    def subnet(self) -> str:
        return f"10.64.{self.number}.0/24"

    @property
    def home(self) -> Key:
        return Key("organization", self.organization_id)

    @property
    def key(self) -> Key:
        return Key("environment", self.environment_id)

    @property
    def network_name(self) -> str:
        """What the organization's network is called when it is made."""
        return organization.network_name_of(self._organization(), self.options)

    # -- what is wanted ------------------------------------------------------------------------------------------

    def _organization(self) -> OrganizationSnapshot:
        document = {"id": self.organization_id, "slug": self.slug, "name": "Acme", "network_prefix": 24}
        return OrganizationSnapshot.model_validate(document | {"suspended": False})

    def network(self, **changes: Any) -> Objects:
        """The organization's objects; the pin is attached by id to a network that is live."""
        live = self.cluster.live.network_of(self.organization_id)
        home = HomeNetwork(live.id, live.name) if live else None
        render = {"subnet": self.subnet, "edge_node": self.cluster.live.edge_node(), "home": home, **changes}
        return organization.render(self._organization(), self.options, **render)

    def services(self, **changes: Any) -> Objects:
        """The environment's objects; a network that is not live is named by the name that it is made with."""
        document = {
            "id": self.environment_id,
            "name": "production",
            "swarm_name": f"{self.slug}-shop-production",
            "organization": {"id": self.organization_id, "slug": self.slug},
            "app": {"id": self.app_id, "slug": "shop"},
            "image_ref": WEB,
            "port": 8080,
            "instances": 0,
            "memory_mb": 16,
            "cpu_limit": 0.1,
            "by_tag": True,  # nothing is in front of its program, and no registry is asked
            **changes,
        }
        snapshot = EnvironmentSnapshot.model_validate(document)
        return preview(snapshot, LookAhead(self.options, self.cluster.live))

    # -- what is done --------------------------------------------------------------------------------------------

    async def apply(self, key: Key, wanted: Objects, rows: Sequence[InventoryRow] = ()) -> ChangeSet:
        """Plan and do it; what was planned."""
        changes = self.cluster.plan(key, wanted, rows)
        await self.do(changes, rows)
        return changes

    async def converge(self, key: Key, wanted: Objects, rows: Sequence[InventoryRow] = ()) -> None:
        """As the queue does: again after a conflict, as Swarm raises a version itself when it allocates something."""
        with anyio.fail_after(10):
            while True:
                try:
                    await self.apply(key, wanted, rows)
                except ConflictError:
                    continue
                return

    async def do(self, changes: ChangeSet, rows: Sequence[InventoryRow] = ()) -> list[Change]:
        """Do it; what was done."""
        known = {(row.object_type, row.name): row for row in rows}
        done: list[Change] = []
        for change in changes.changes:
            self.learned += await self.cluster.write(change, known.get((change.object_type, change.name)))
            done.append(change)
        return done

    async def stand(self, **changes: Any) -> tuple[Service, LiveService]:
        """Have the network, and the environment's one service on it; as wanted and as live."""
        await self.apply(self.home, self.network(edge_node=None))
        wanted = self.services(**changes)
        await self.apply(self.key, wanted)
        return wanted.services[0], self.live(wanted.services[0].name)

    def live(self, name: str) -> LiveService:
        found = self.cluster.live.service(name)
        assert found is not None, f"no live service {name}"
        return found

    async def complete(self, wanted: Objects) -> None:
        """Until all tasks run."""

        async def all_run() -> bool:
            return all(r.complete for r in await self.cluster.service_progress(wanted.services, {}))

        await until(all_run)

    # -- somebody's hands ----------------------------------------------------------------------------------------

    def stored(self, name: str) -> dict[str, Any]:
        return dict(self.api.get(f"/services/{name}"))

    def change(self, name: str, change: Callable[[dict[str, Any]], object]) -> None:
        """``docker service update`` of any field."""
        service = self.stored(name)
        change(service["Spec"])
        self.api.post(f"/services/{service['ID']}/update", service["Spec"], version=service["Version"]["Index"])

    def edge(self) -> str:
        filters = {"label": ["com.docker.swarm.service.name=skypanel-edge"], "status": ["running"]}
        return str(self.api.get("/containers/json", filters=filters)[0]["Id"])

    def clean(self) -> None:
        """Remove the services, so that the node stays free; the networks go with the lab."""
        label = f"{labels.INSTALLATION}={self.options.installation}"
        for service in self.api.get("/services", filters={"label": [label]}):
            self.api.delete(f"/services/{service['ID']}")


class Notified:
    """Who was told that something live of theirs changed."""

    def __init__(self) -> None:
        self.keys: set[Key] = set()
        self._news = anyio.Event()

    async def __call__(self, owners: Iterable[Key]) -> None:
        self.keys |= set(owners)
        self._news.set()
        self._news = anyio.Event()

    async def wait_for(self, key: Key, *, seconds: float = 20.0) -> None:
        with anyio.fail_after(seconds):
            while key not in self.keys:
                await self._news.wait()


@asynccontextmanager
async def scene(lab: Lab, *, installation: str | None = None) -> AsyncIterator[SwarmHarness]:
    """An installation, a new one unless one is named, that has looked at the engine once."""
    number = next(_numbers)
    options = Options(installation=installation or f"i{number}", pin_image=PAUSE, monitor_seconds=0.5)
    client = EngineClient.at(lab.docker_host)
    made = SwarmHarness(number, lab.api(), client, SwarmAdapter(client, options.installation), options)
    try:
        await client.check()
        await made.cluster.refresh_all()
        yield made
    finally:
        made.clean()
        client.close()


@asynccontextmanager
async def hints(here: SwarmHarness) -> AsyncIterator[Notified]:
    """The scene's cluster following the engine's events."""
    told = Notified()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(here.cluster.hints, told)
        yield told
        tasks.cancel_scope.cancel()
