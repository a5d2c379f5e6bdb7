"""What a test of the store needs of a database, simulated or real: somebody who declares rows, somebody who may look
into every table, and processes of the controller."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Protocol
from uuid import UUID

from controller.loop.identity import Register
from controller.loop.ports import Store
from controller.records import Holdings, Key, Loaded, Loss
from controller.store.lease import Lease
from specs.vulnerabilities import VulnerabilityReport
from tests.sim.database import documents

NAME = "blue"
APP = "shop"


class Declarer(Protocol):
    """Declares rows as the panel does; each call is a transaction, or a part of the one that ``late`` keeps open."""

    def organization(self, slug: str) -> Key: ...
    def environment(self, organization: Key, name: str, **columns: Any) -> Key: ...
    def process(self, environment: Key, type_: str, **columns: Any) -> None: ...
    def domain(self, environment: Key, hostname: str) -> None: ...
    def config(self, environment: Key, values: Mapping[str, bytes], files: Collection[str] = ()) -> None:
        """Have exactly these config vars set for an environment, sealed by ``tests.sim.database.config.VAULT``."""

    def name_release(self, environment: Key, version: int | None) -> None:
        """Have it run the content of a release; None: what is declared."""

    def scan(self, report: VulnerabilityReport) -> bool:
        """Hand in a vulnerability report; whether it is newer than what is there."""

    def change(self, key: Key, **columns: Any) -> None: ...
    def delete(self, key: Key) -> None: ...
    def take_back(self, key: Key) -> None: ...
    def drop(self, key: Key) -> None: ...
    def log(self, *keys: Key) -> None:
        """Put keys into the change log, one row each."""

    def pause(self, scope: str, key: Key | None = None, *, reason: str = "") -> None:
        """Stop the work on an object, an organization (by its key) or everything."""

    def resume(self, scope: str, key: Key | None = None) -> None: ...
    def ask(self, key: Key, token: str) -> None:
        """Ask for a look now."""

    def late(self) -> AbstractContextManager[Declarer]:
        """One transaction, that commits at the end; taken back when the block raises."""

    def hints(self) -> AbstractContextManager[Callable[[], int]]:
        """Listen; what is yielded counts the notifications so far."""


class Tables(Protocol):
    """Looks into the tables, past the store, and sets what a test cannot wait for."""

    def inventory(self) -> dict[tuple[str, str], dict[str, Any]]:
        """(type, name) -> owner, and the row's other columns by their names."""

    def statuses(self) -> dict[Key, dict[str, Any]]:
        """Key -> the row's columns; ``finalized`` for finalized_at."""

    def events(self) -> list[tuple[Key, str, str, int]]:
        """(object, reason, message, count) in the order of their ids."""

    def subnets(self) -> dict[str, tuple[str | None, str]]:
        """Subnet -> (organization, state)."""

    def fuse(self) -> tuple[float, int] | None:
        """(since, live objects); None when it has not tripped."""

    def losses(self) -> dict[Key, Loss]:
        """What waits for a confirmation, or was confirmed and is not gone yet."""

    def lease(self) -> tuple[str, int, float]:
        """(holder, epoch, seconds left)."""

    def logged(self) -> int:
        """Rows of the change log."""

    def written(self) -> Any:
        """Another value after every write of a row, also of one that says the same; leases aside."""

    def run_out(self) -> None:
        """Let the lease run out now."""

    def lose(self, key: Key) -> None:
        """The row is not there any more, and no trigger has seen it go."""

    def lose_tenant(self, organization: Key) -> None:
        """The panel's own row of an organization is not there any more; ours are."""

    def age_events(self, minutes: float) -> None:
        """Make all events older."""

    def confirm_fuse(self, *owners: Key) -> None:
        """As ``skypanel gc --confirm``, of these or all."""

    def earlier(self) -> AbstractContextManager[Callable[[Key], Awaitable[Loaded]]]:
        """Answers of ``load`` as of now, also after later writes."""

    def open_write(self) -> AbstractContextManager[None]:
        """A leader's write is under way, where writes take time."""


def lives(*owners: Key) -> Holdings:
    """One object of each."""
    return Holdings(dict.fromkeys(owners, 1))


@dataclass(frozen=True, slots=True)
class Contender:
    """One controller's side of the database."""

    lease: Lease
    store: Store
    register: Register


@dataclass(frozen=True, slots=True)
class StoreWorld:
    """One database and those who use it."""

    declare: Declarer
    tables: Tables
    ledger: Ledger
    start: Callable[[float], AbstractAsyncContextManager[Contender]]

    def process(self, seconds: float = 30.0) -> AbstractAsyncContextManager[Contender]:
        """A process that does not hold the lease."""
        return self.start(seconds)

    @asynccontextmanager
    async def leader(self) -> AsyncIterator[Contender]:
        """A process that holds the lease."""
        async with self.process() as one:
            assert await one.lease.acquire()
            yield one


@dataclass(slots=True)
class Ledger:
    """What was declared so far, by columns, and which documents that makes; ids are counted."""

    slugs: dict[Key, str] = field(default_factory=dict)
    organizations: dict[Key, dict[str, Any]] = field(default_factory=dict)
    environments: dict[Key, dict[str, Any]] = field(default_factory=dict)
    owner: dict[Key, Key] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def next_id(self) -> str:
        """A UUID that no row has."""
        return str(UUID(int=next(self.numbers)))

    def add_organization(self, slug: str) -> Key:
        """A new one; its app's id is ``app_id``."""
        key = Key("organization", self.next_id())
        self.slugs[key], self.organizations[key] = slug, {}
        return key

    def add_environment(self, organization: Key, name: str, columns: dict[str, Any]) -> Key:
        """A new one in the organization's app."""
        key = Key("environment", self.next_id())
        self.slugs[key], self.environments[key], self.owner[key] = name, dict(columns), organization
        return key

    @staticmethod
    def app_id(organization: Key) -> str:
        """Each organization has one app."""
        return str(UUID(int=UUID(organization.id).int + (1 << 64)))

    def of(self, organization: Key) -> list[Key]:
        """Its environments."""
        return [key for key, owner in self.owner.items() if owner == organization]

    def change(self, key: Key, columns: dict[str, Any]) -> None:
        """Remember changed columns."""
        (self.organizations if key in self.organizations else self.environments)[key].update(columns)

    def attach(self, environment: Key, part: str, row: dict[str, Any], order: str) -> None:
        """Add a process or a domain in the order of the view."""
        rows = self.environments[environment].setdefault(part, [])
        rows.append(row)
        rows.sort(key=lambda attached: attached[order])

    def forget(self, key: Key) -> None:
        """It is gone for good."""
        self.owner.pop(key, None)

    def document(self, key: Key) -> dict[str, Any]:
        """What the snapshot view should give."""
        if key.kind == "organization":
            return documents.organization(key, self.slugs[key], **self.organizations[key])
        owner = self.owner[key]
        columns = dict(self.environments[key])
        columns["suspended"] = bool(columns.get("suspended") or self.organizations[owner].get("suspended"))
        app = (self.app_id(owner), APP)
        return documents.environment(key, (owner, self.slugs[owner]), app, self.slugs[key], **columns)
