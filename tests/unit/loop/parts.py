"""A store and a Swarm that are only tables, for the tests of the manager and its workers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import anyio
from pydantic import BaseModel

from controller.changes import Change, ChangeSet, Succession
from controller.kit import clock
from controller.loop.config import LoopConfig
from controller.loop.manager import Manager
from controller.loop.outside import Outside
from controller.loop.trace import Recorder
from controller.records import (
    Assessment,
    Changed,
    DesiredObject,
    Fingerprint,
    Holdings,
    Intent,
    InventoryRow,
    InventoryUpdate,
    Key,
    Loaded,
    Loss,
    Report,
)
from controller.vault.sealed import SealedLogin, SealedSet
from reconcilers.helper import Helper
from reconcilers.jobs import Job, JobProgress
from reconcilers.objects import Objects, Service, SpecDocument
from reconcilers.outcomes import Outcome
from reconcilers.ports import Context, Live, Options, Routers, ServiceProgress, Suspect
from reconcilers.registry import Reconciler
from specs.releases import Release
from specs.vulnerabilities import VulnerabilityReport


class Thing(BaseModel):
    """What a thing should be: nothing in particular."""


@dataclass
class Table:
    """The store: rows by key, a change log, and what was reported."""

    rows: dict[Key, Loaded] = field(default_factory=dict)
    log: list[Changed] = field(default_factory=list)
    reports: list[Report] = field(default_factory=list)
    leads: bool = True

    @property
    def database_time(self) -> tuple[float, float]:
        return clock.wall(), clock.wall()

    def declare(self, key: Key, organization: str) -> None:
        """A row, and that it changed."""
        self.rows[key] = Loaded(key, organization, 1, deleted=False, document={}, declared=True)
        self.log.append(Changed(key, organization, dependent=False))

    async def load(self, key: Key) -> Loaded:
        return self.rows.get(key) or Loaded(key, None, 0, deleted=False, document=None)

    async def index(self) -> list[tuple[DesiredObject, bool, bool]]:
        return [
            (DesiredObject(row.key, row.organization_id or "", row.generation, row.deleted), False, False)
            for row in self.rows.values()
        ]

    async def leftovers(self, kinds: Any) -> list[Key]:
        return []

    async def consume(self, *, anew: bool = False) -> tuple[list[Changed], bool]:
        taken, self.log[:2000] = self.log[:2000], []
        return taken, len(taken) == 2000

    async def config_values(self, environment_id: str, digest: str) -> SealedSet:
        return SealedSet(None)

    async def sealed_login(self, login_id: str) -> SealedLogin | None:
        return None

    async def image_reports(self, digests: Any) -> list[VulnerabilityReport]:
        return []

    async def make_release(self, environment_id: str, generation: int, release: Release) -> int | None:
        return 1

    async def release_deployed(self, environment_id: str, version: int) -> None:
        pass

    async def release_command_begins(self, environment_id: str, version: int, tries: int) -> bool:
        return True

    async def release_command_ended(
        self, environment_id: str, version: int, tries: int, exit_code: int | None, failure: str
    ) -> None:
        pass

    async def release_command_again(self, environment_id: str, version: int, tries: int) -> None:
        pass

    async def dependents(self, key: Key) -> list[Key]:
        return []

    async def pauses(self) -> dict[str, int]:
        return {}

    async def affirm(self) -> None:
        pass

    async def announce(self, key: Key, organization_id: str | None, intents: Sequence[Intent]) -> list[str]:
        return []

    async def report(self, report: Report) -> None:
        self.reports.append(report)

    async def prune(self, what: str, days: int, most: int) -> int:
        return 0

    async def write_row(self, table: str, where: Mapping[str, object], values: Mapping[str, object]) -> None:
        pass

    async def allocate_subnet(
        self, organization_id: str, pool: str, prefix: int, taken: Sequence[str], quarantine_seconds: float
    ) -> str | None:
        return None

    async def adopt_subnet(self, organization_id: str, subnet: str, instead_of: str | None) -> str | None:
        return None

    async def release_subnet(self, organization_id: str) -> None:
        pass

    async def assess_losses(self, holdings: Holdings) -> Assessment:
        return Assessment(tripped=False, hidden="", recorded=0, lost={})

    async def record_losses(self, waiting: Mapping[Key, Loss], *, tripped: bool, live: int) -> None:
        pass


class Nothing:
    """A Swarm on which nothing lives."""

    live: Live
    helper: Helper
    synced = True
    silent_seconds: float | None = 0.0

    def plan(
        self, key: Key, declared: Objects, inventory: Sequence[InventoryRow], serving: Sequence[str] = ()
    ) -> ChangeSet:
        raise AssertionError("nothing is planned here")

    def succeed(self, key: Key, wanted: Objects, serving: Sequence[str], settle_seconds: float) -> Succession:
        raise AssertionError("nothing is planned here")

    async def write(self, change: Change, row: InventoryRow | None) -> tuple[InventoryUpdate, ...]:
        raise AssertionError("nothing is done here")

    async def service_progress(self, services: Sequence[Service], blocked: Mapping[str, str]) -> list[ServiceProgress]:
        return []

    async def last_words(self, found: Suspect) -> str:
        return ""

    async def starting_seconds(self, found: ServiceProgress) -> Sequence[float]:
        return [0.0 for _ in found.starting]

    async def job_progress(self, jobs: Sequence[Job]) -> list[JobProgress]:
        return []

    async def lives(self, key: Key, row: InventoryRow) -> bool:
        return False

    async def routers(self, key: Key, names: Sequence[str]) -> Routers:
        return Routers()

    async def refresh(self, key: Key, inventory: Sequence[InventoryRow]) -> None:
        pass

    async def refresh_all(self) -> None:
        pass

    def owners(self) -> dict[Key, int]:
        return {}

    def amounts(self) -> tuple[int, int, int]:
        return 0, 0, 0

    async def holdings(self) -> Holdings:
        return Holdings({})

    def prompts(self, progress: Iterable[ServiceProgress]) -> ChangeSet:
        return ChangeSet()

    def fingerprint(self, key: Key, organization_id: str) -> Fingerprint:
        return None

    def versions(self, key: Key) -> dict[str, int]:
        return {}

    def documents(self, key: Key) -> dict[str, SpecDocument]:
        return {}

    def counts(self) -> dict[str, int]:
        return {}

    async def stopping(self, key: Key) -> int:
        return 0

    async def short_of_tasks(self) -> list[Key]:
        return []

    async def hints(self, on_owners: Callable[[Iterable[Key]], Awaitable[None]]) -> None:
        await anyio.sleep_forever()


def thing(body: Callable[[Context, Any], Awaitable[Outcome]], *, concurrency: int) -> Reconciler:
    """A kind that does only ``body``."""
    return Reconciler("thing", Thing, body, lambda *_: Objects(), concurrency=concurrency)


def manager(store: Any, swarm: Any, reconciler: Reconciler, **settings: Any) -> Manager:
    """The real manager of one kind, without timers that fire within a test."""
    tuning = LoopConfig(hints=False, resync_seconds=3600, poll_seconds=0.01, task_poll_seconds=3600)
    return Manager(
        {reconciler.kind: reconciler},
        outside=Outside(store, swarm),
        recorder=Recorder(),
        options=Options("test"),
        tuning=replace(tuning, **settings),
    )
