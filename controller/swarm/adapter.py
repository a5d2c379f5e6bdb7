"""One Docker Swarm, as the engine sees it: the live view, planning, applying, tasks and hints put together.

What a reconcile asks for, plan, write and progress, is its part's own method: there is no hall before it. The rest is
about all that lives, or one owner's part of it.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Sequence

from anyio.lowlevel import checkpoint

from controller.records import Fingerprint, Holdings, InventoryRow, Key
from controller.swarm.apply import Applier
from controller.swarm.client import EngineClient
from controller.swarm.errors import NotFound, outcomes
from controller.swarm.feed import Feed
from controller.swarm.healthlogs import HealthLogs
from controller.swarm.helper.engine import EngineHelper
from controller.swarm.hints import Hints
from controller.swarm.job_progress import JobCounts
from controller.swarm.liveview import LiveView
from controller.swarm.own_writes import OwnWrites
from controller.swarm.plan import Planner
from controller.swarm.routers import EdgeRouters, Read
from controller.swarm.task_counts import TaskCounts
from controller.swarm.types import BY_NAME, TYPES
from reconcilers import labels
from reconcilers.objects import SpecDocument
from reconcilers.ports import Routers
from specs.kinds import SERVING

_SLICE = 1000
"""Owners or services that are gone through before everything else gets its turn."""
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class SwarmAdapter:
    """Reads and writes one Swarm for one installation."""

    def __init__(self, client: EngineClient, installation: str, *, edge: Read | None = None) -> None:
        self._client = client
        own = OwnWrites()
        self._hints = Hints(client, own)
        self.live = LiveView(installation, self._hints.changed)
        self._feed = Feed(client, self.live)
        self.helper = EngineHelper(client, self.live, self._feed, own)
        self._applier = Applier(client, self.live, self._feed, own)
        self.write = self._applier.write
        planner = Planner(self.live)
        self.plan, self.succeed, self.prompts = planner.plan, planner.succeed, planner.prompts
        self._routers = EdgeRouters(edge, self._hints.changed)
        self._tasks = TaskCounts(client, self.live, own)
        self.service_progress = self._tasks.of_services
        logs = HealthLogs(client)
        self.last_words, self.starting_seconds = logs.last_words, logs.starting_seconds
        self.job_progress = JobCounts(self._tasks, self.live).of_jobs

    # -- what is asked of one object -----------------------------------------------------------------------------

    async def lives(self, key: Key, row: InventoryRow) -> bool:
        """Whether the object of an inventory row is on the engine and ``key``'s; one that is comes into the live view.

        The owner label decides, not the id on record: the answer to a create, or the report after it, may be lost.
        """
        async with outcomes():
            try:
                document = await BY_NAME[row.object_type].read(self._client, row.name)
            except NotFound:
                return False
            found = (document.get("Spec") or document).get("Labels") or {}
            mine = found.get(labels.INSTALLATION) == self.live.installation
            if not mine or found.get(labels.OWNER) != labels.owner_key(*key):
                return False
            await self._feed.refresh(row.object_type, row.name)
            return self.live.find(row.object_type, row.name) is not None  # a service may have the name of a job

    async def routers(self, key: Key, names: Sequence[str]) -> Routers:
        """What the edge says of its routers; the owner of ``names`` is named by ``hints`` when that changes."""
        return await self._routers.routers(key, names)

    # -- what is asked of all ------------------------------------------------------------------------------------

    @property
    def synced(self) -> bool:
        """Whether everything was listed once."""
        return self.live.synced

    @property
    def silent_seconds(self) -> float | None:
        """For how long the engine has not answered; 0 while it does, None when it never has."""
        return self._client.silent_seconds

    async def refresh(self, key: Key, inventory: Sequence[InventoryRow]) -> None:
        """Read everything of one owner anew: what the view shows, and what the inventory knows."""
        async with outcomes():
            for each in reversed(TYPES):
                known = {row.name for row in inventory if row.object_type == each.name}
                for name in sorted(known | {live.name for live in self.live.owned(each.name, key)}):
                    await self._feed.refresh(each.name, name, tell=False)
            await self._feed.refresh_edge(tell=False)

    async def refresh_all(self) -> None:
        """List everything anew."""
        async with outcomes():
            await self._feed.refresh_all()

    def owners(self) -> dict[Key, int]:
        """Owners of live objects, and how many each has."""
        return {Key(*owner): count for owner, count in self.live.owners().items()}

    def amounts(self) -> tuple[int, int, int]:
        """How much lives, in the measures of the fuse, at once."""
        return self.live.amounts()

    async def holdings(self) -> Holdings:
        """What lives, in the measures of the fuse; what nobody could own is nobody's. It yields at times."""
        owners: dict[Key, int] = {}
        for number, (owner, count) in enumerate(self.live.owners().items()):
            if not number % _SLICE:
                await checkpoint()
            if _UUID.fullmatch(owner[1]):
                owners[Key(*owner)] = count
        processes: dict[tuple[str, str], None] = {}
        hosts: dict[tuple[str, str], None] = {}
        for number, (owner, process, led) in enumerate(list(self.live.serving())):
            if not number % _SLICE:
                await checkpoint()
            if owner not in owners or owner[0] not in SERVING:
                continue
            if process:
                processes[owner[1], process] = None
            for host in led:
                hosts[owner[1], host] = None
        return Holdings(owners, list(processes), list(hosts))

    def fingerprint(self, key: Key, organization_id: str) -> Fingerprint:
        """Equal as long as nothing live that ``key`` depends on changed."""
        return self.live.fingerprint(key, organization_id), self._routers.fingerprint(key)

    def versions(self, key: Key) -> dict[str, int]:
        """Versions of the live services of ``key``, by name."""
        return {service.name: service.version for service in self.live.owned_services(key)}

    def documents(self, key: Key) -> dict[str, SpecDocument]:
        """Specs of the live services of ``key``, by name."""
        return {service.name: dict(service.spec) for service in self.live.owned_services(key)}

    def counts(self) -> dict[str, int]:
        """Live objects of ours by type."""
        return self.live.counts()

    async def stopping(self, key: Key) -> int:
        """Tasks of ``key`` that still run although nothing wants them to, those of removed services too."""
        return await self._tasks.stopping(f"{labels.OWNER}={labels.owner_key(*key)}")

    async def short_of_tasks(self) -> list[Key]:
        """Owners of services with fewer or more running tasks than they should have, and of jobs that went on."""
        async with outcomes():
            short = [Key(*owner) for owner in await self._feed.count_tasks()]
        await self._routers.look()
        return short

    async def hints(self, on_owners: Callable[[Iterable[Key]], Awaitable[None]]) -> None:
        """Follow the engine's events and name the owners whose objects changed, until cancelled."""
        await self._hints.follow(self.live, self._feed, self._routers, on_owners)
