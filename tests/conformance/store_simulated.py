"""The simulated half of the store's conformance suite."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from itertools import count
from typing import Any

import orjson

from controller.records import Key, Loaded, Loss
from specs.vulnerabilities import VulnerabilityReport
from tests.conformance.store_world import NAME, Contender, Declarer, Ledger, StoreWorld
from tests.sim.database import config, documents, scans
from tests.sim.database.database import SimDatabase
from tests.sim.database.identity import SimRegister
from tests.sim.database.lease import SimLease
from tests.sim.database.link import now
from tests.sim.database.releases import pinned
from tests.sim.database.store import SimStore
from tests.sim.database.transaction import Transaction


def simulated() -> StoreWorld:
    """An empty simulated database."""
    database, ledger, holders = SimDatabase(), Ledger(), count(1)

    @asynccontextmanager
    async def start(seconds: float) -> AsyncIterator[Contender]:
        lease = SimLease(database, NAME, seconds, holder=f"process-{next(holders)}")
        yield Contender(lease, SimStore(database, lease), SimRegister(database, lease))

    return StoreWorld(SimulatedDesk(database, database, ledger), SimulatedTables(database), ledger, start)


class SimulatedDesk:
    """Declares rows by their documents; what PostgreSQL's cascades and triggers pass on is passed on here."""

    def __init__(self, database: SimDatabase, rows: SimDatabase | Transaction, ledger: Ledger) -> None:
        self._database = database
        self._rows = rows
        self._ledger = ledger

    def organization(self, slug: str) -> Key:
        key = self._ledger.add_organization(slug)
        self._put(key)
        return key

    def environment(self, organization: Key, name: str, **columns: Any) -> Key:
        key = self._ledger.add_environment(organization, name, columns)
        with self._transaction() as rows:
            rows.put(key, organization.id, self._ledger.document(key))
            rows.depends(key, organization)
        return key

    def process(self, environment: Key, type_: str, **columns: Any) -> None:
        row = documents.process(self._ledger.next_id(), type_, **columns)
        self._ledger.attach(environment, "processes", row, "type")
        self._put(environment)

    def domain(self, environment: Key, hostname: str) -> None:
        row = documents.domain(self._ledger.next_id(), hostname)
        self._ledger.attach(environment, "domains", row, "hostname")
        self._put(environment)

    def config(self, environment: Key, values: Mapping[str, bytes], files: Collection[str] = ()) -> None:
        owner = self._ledger.owner[environment].id
        self._ledger.change(
            environment, {"config": config.put(self._database, environment, owner, values, files=files)}
        )
        self._put(environment)

    def name_release(self, environment: Key, version: int | None) -> None:
        self.change(environment, pinned=None if version is None else pinned(self._database, environment, version))

    def scan(self, report: VulnerabilityReport) -> bool:
        return scans.put(self._database, report)

    def change(self, key: Key, **columns: Any) -> None:
        self._ledger.change(key, columns)
        passed_on = self._ledger.of(key) if "suspended" in columns else []
        self._put(key, *passed_on)

    def delete(self, key: Key) -> None:
        with self._transaction() as rows:
            for each in (key, *self._ledger.of(key)):
                rows.mark_deleted(each)

    def take_back(self, key: Key) -> None:
        with self._transaction() as rows:
            for each in (key, *self._ledger.of(key)):
                rows.take_back(each)

    def drop(self, key: Key) -> None:
        with self._transaction() as rows:
            rows.drop(key)
            for each in self._ledger.of(key):
                rows.drop(each, cascaded=True)
                self._ledger.forget(each)
        self._ledger.forget(key)

    def log(self, *keys: Key) -> None:
        with self._transaction() as rows:
            for key in keys:
                rows.touch(key)

    def pause(self, scope: str, key: Key | None = None, *, reason: str = "") -> None:
        self._database.pause(scope, key, reason=reason)

    def resume(self, scope: str, key: Key | None = None) -> None:
        self._database.resume(scope, key)

    def ask(self, key: Key, token: str) -> None:
        self._database.ask(key, token)

    @contextmanager
    def late(self) -> Iterator[Declarer]:
        with self._database.transaction() as rows:
            yield SimulatedDesk(self._database, rows, self._ledger)

    @contextmanager
    def hints(self) -> Iterator[Callable[[], int]]:
        heard: list[None] = []
        self._database.listeners.append(lambda: heard.append(None))
        yield lambda: len(heard)
        self._database.listeners.pop()

    @contextmanager
    def _transaction(self) -> Iterator[Transaction]:
        if isinstance(self._rows, Transaction):
            yield self._rows
        else:
            with self._rows.transaction() as rows:
                yield rows

    def _put(self, *keys: Key) -> None:
        with self._transaction() as rows:
            for key in keys:
                rows.put(key, self._ledger.owner.get(key, key).id, self._ledger.document(key))


class SimulatedTables:
    """Looks into the simulated rows."""

    def __init__(self, database: SimDatabase) -> None:
        self._database = database

    def inventory(self) -> dict[tuple[str, str], dict[str, Any]]:
        return {
            place: {
                "owner": row.owner,
                "organization_id": row.organization_id,
                "engine_id": row.engine_id,
                "spec_hash": row.spec_hash,
                "failed_hash": row.failed_hash,
                "template_hash": row.template_hash,
                "last_good": orjson.loads(row.last_good) if row.last_good is not None else None,
                "state": row.state,
                "epoch": row.epoch,
            }
            for place, row in self._database.inventory.items()
        }

    def statuses(self) -> dict[Key, dict[str, Any]]:
        return {
            key: {
                "organization_id": row.organization_id,
                "observed_generation": row.observed_generation,
                "conditions": orjson.loads(row.conditions),
                "ready": row.ready,
                "reason": row.reason,
                "message": row.message,
                "details": orjson.loads(row.details),
                "finalized": row.finalized_at is not None,
                "epoch": row.epoch,
            }
            for key, row in self._database.statuses.items()
        }

    def events(self) -> list[tuple[Key, str, str, int]]:
        return [(row.key, row.reason, row.message, row.times) for row in self._database.events.values()]

    def subnets(self) -> dict[str, tuple[str | None, str]]:
        return {str(row.network): (row.organization_id, row.state) for row in self._database.subnets}

    def fuse(self) -> tuple[float, int] | None:
        row = self._database.fuse
        return None if row is None or row.tripped_at is None else (row.tripped_at, row.live_count)

    def losses(self) -> dict[Key, Loss]:
        return {key: Loss(*row) for key, row in self._database.losses.items()}

    def lease(self) -> tuple[str, int, float]:
        held = self._database.leases[NAME]
        return held.holder, held.epoch, held.expires_at - now()

    def logged(self) -> int:
        return len(self._database.change_log)

    def written(self) -> Any:
        database = self._database
        tables: tuple[Any, ...] = (database.inventory, database.statuses, database.events, database.subnets)
        tables += (database.fuse, database.losses)
        counted = sum(w.rows for w in database.history.writes if not w.operation.startswith("lease_"))
        return repr(tables), len(database.change_log), counted

    def run_out(self) -> None:
        self._database.run_out(NAME)

    def lose(self, key: Key) -> None:
        self._database.lose(key)

    def lose_tenant(self, organization: Key) -> None:
        rows = self._database.objects
        self._database.hide(*(key for key, row in rows.items() if row.organization_id == organization.id))

    def age_events(self, minutes: float) -> None:
        for number, row in self._database.events.items():
            self._database.events[number] = row._replace(last_at=row.last_at - minutes * 60)

    def confirm_fuse(self, *owners: Key) -> None:
        self._database.confirm_fuse(*owners)

    @contextmanager
    def earlier(self) -> Iterator[Callable[[Key], Awaitable[Loaded]]]:
        seen = {key: versions[-1] for key in self._database.objects if (versions := self._database.versions(key))}
        reader = SimStore(self._database, SimLease(self._database, NAME, 1.0, holder="reader"))

        async def load(key: Key) -> Loaded:
            versions = self._database.versions(key)
            reader.read_back = lambda _: len(versions) - 1 - next(n for n, v in enumerate(versions) if v is seen[key])
            return await reader.load(key)

        yield load

    @contextmanager
    def open_write(self) -> Iterator[None]:
        yield
