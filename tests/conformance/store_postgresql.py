"""The real half of the store's conformance suite: rows are written with the panel's role, as the panel does."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from controller.declared import controls, scans, sealing
from controller.declared.sealing import Owner
from controller.postgres.statements import statement
from controller.records import Key, Loaded, Loss
from controller.store import loading
from controller.store.identity import Register
from controller.store.listener import CHANNEL
from specs.vulnerabilities import VulnerabilityReport
from tests.conformance.store_world import APP, NAME, Contender, Declarer, Ledger, StoreWorld
from tests.sim.database import documents
from tests.sim.database.config import VAULT
from tests.store import leading
from tests.store.conftest import Database

_TABLES = {
    "organization": (sql.Identifier("paas_organizations"), sql.Identifier("organization_id")),
    "environment": (sql.Identifier("paas_environments"), sql.Identifier("id")),
}
_ANY = sql.SQL("true")
_END = "conformance_end"


def postgresql(database: Database) -> StoreWorld:
    """A migrated database without rows."""
    ledger = Ledger()

    @asynccontextmanager
    async def start(seconds: float) -> AsyncIterator[Contender]:
        async with leading.process(database, seconds=seconds) as one:
            yield Contender(one.lease, one.store, Register(one.connections, one.lease))

    return StoreWorld(PostgresDesk(database, None, ledger), PostgresTables(database), ledger, start)


class PostgresDesk:
    """Declares rows with SQL."""

    def __init__(self, database: Database, connection: psycopg.Connection | None, ledger: Ledger) -> None:
        self._database = database
        self._own = connection
        self._ledger = ledger

    def organization(self, slug: str) -> Key:
        key = self._ledger.add_organization(slug)
        with self._transaction() as panel:
            panel.execute(
                "INSERT INTO users (id, email, password_hash, name) VALUES (%s, %s, 'x', 'Ops')",
                [key.id, f"ops@{slug}.example"],
            )
            panel.execute(
                "INSERT INTO organizations (id, name, slug, owner_id) VALUES (%s, %s, %s, %s)",
                [key.id, slug, slug, key.id],
            )
            panel.execute(
                "INSERT INTO paas_apps (id, organization_id, name, slug, created_by) VALUES (%s, %s, 'Shop', %s, %s)",
                [self._ledger.app_id(key), key.id, APP, key.id],
            )
        return key

    def environment(self, organization: Key, name: str, **columns: Any) -> Key:
        key = self._ledger.add_environment(organization, name, columns)
        row = {"id": key.id, "app_id": self._ledger.app_id(organization), "name": name, "image_ref": "web:1"}
        self._insert("paas_environments", {**row, **columns})
        return key

    def process(self, environment: Key, type_: str, **columns: Any) -> None:
        row = documents.process(self._ledger.next_id(), type_, **columns)
        self._ledger.attach(environment, "processes", row, "type")
        self._insert("paas_processes", {"id": row["id"], "environment_id": environment.id, "type": type_, **columns})

    def domain(self, environment: Key, hostname: str) -> None:
        row = documents.domain(self._ledger.next_id(), hostname)
        self._ledger.attach(environment, "domains", row, "hostname")
        self._insert("paas_domains", {"id": row["id"], "environment_id": environment.id, "hostname": hostname})

    def config(self, environment: Key, values: Mapping[str, bytes], files: Collection[str] = ()) -> None:
        owner = Owner(self._ledger.owner[environment].id, "environment", environment.id)
        with self._transaction() as panel:
            set_now = panel.execute(
                "SELECT name FROM skypanel.config_vars WHERE environment_id = %s AND deleted_at IS NULL",
                [environment.id],
            )
            sealing.remove(panel, owner, [name for (name,) in set_now if name not in values])
            for name, value in values.items():
                sealing.put(panel, VAULT, owner, name, value, as_file=name in files)

    def name_release(self, environment: Key, version: int | None) -> None:
        self._update(environment, sql.SQL("release = {}").format(sql.Literal(version)))

    def scan(self, report: VulnerabilityReport) -> bool:
        return scans.put(self._database.session("scanner"), report)

    def change(self, key: Key, **columns: Any) -> None:
        self._ledger.change(key, columns)
        assignments = sql.SQL(", ").join(
            sql.SQL("{} = {}").format(sql.Identifier(c), sql.Literal(_adapted(v))) for c, v in columns.items()
        )
        self._update(key, assignments)

    def delete(self, key: Key) -> None:
        self._update(key, sql.SQL("deleted_at = clock_timestamp()"), sql.SQL("deleted_at IS NULL"))

    def take_back(self, key: Key) -> None:
        self._update(key, sql.SQL("deleted_at = NULL"))

    def drop(self, key: Key) -> None:
        table, column = _TABLES[key.kind]
        with self._transaction() as panel:
            panel.execute(sql.SQL("DELETE FROM {} WHERE {} = %s").format(table, column), [key.id])
        for each in (*self._ledger.of(key), key):
            self._ledger.forget(each)

    def log(self, *keys: Key) -> None:
        query = "INSERT INTO skypanel.change_log (kind, id, op) VALUES (%s, %s, 'U')"
        for key in keys:
            self._database.execute(query, *key)

    def pause(self, scope: str, key: Key | None = None, *, reason: str = "") -> None:
        with self._transaction() as panel:
            controls.pause(panel, scope, key, reason)

    def resume(self, scope: str, key: Key | None = None) -> None:
        with self._transaction() as panel:
            controls.resume(panel, scope, key)

    def ask(self, key: Key, token: str) -> None:
        with self._transaction() as panel:
            controls.ask(panel, key, token)

    @contextmanager
    def late(self) -> Iterator[Declarer]:
        with self._database.connect("panel") as connection, connection.transaction():
            yield PostgresDesk(self._database, connection, self._ledger)

    @contextmanager
    def hints(self) -> Iterator[Callable[[], int]]:
        heard: list[str] = []
        with self._database.connect("controller") as listening:
            listening.execute(f"LISTEN {CHANNEL}")
            listening.execute(f"LISTEN {_END}")

            def so_far() -> int:
                # Notifications come in the order of commits: before our own come all that were sent until now.
                self._database.execute(f"NOTIFY {_END}")
                for notification in listening.notifies(timeout=10):
                    if notification.channel == _END:
                        break
                    heard.append(notification.channel)
                return len(heard)

            yield so_far

    @contextmanager
    def _transaction(self) -> Iterator[psycopg.Connection]:
        if self._own is not None:
            yield self._own
        else:
            connection = self._database.session("panel")
            with connection.transaction():
                yield connection

    def _insert(self, table: str, row: dict[str, Any]) -> None:
        query = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
            sql.Identifier(table),
            sql.SQL(", ").join(map(sql.Identifier, row)),
            sql.SQL(", ").join(sql.Placeholder() * len(row)),
        )
        with self._transaction() as panel:
            panel.execute(query, [_adapted(value) for value in row.values()])

    def _update(self, key: Key, assignments: sql.Composable, condition: sql.Composable = _ANY) -> None:
        table, column = _TABLES[key.kind]
        query = sql.SQL("UPDATE {} SET {} WHERE {} = {} AND {}").format(
            table, assignments, column, sql.Literal(key.id), condition
        )
        with self._transaction() as panel:
            panel.execute(query)


class PostgresTables:
    """Looks into the tables with the owner's role."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def inventory(self) -> dict[tuple[str, str], dict[str, Any]]:
        rows = self._database.execute(
            "SELECT object_type, name, owner_kind, owner_id::text, organization_id::text, engine_id, spec_hash,"
            " failed_hash, template_hash, last_good, state, epoch FROM skypanel.inventory"
        )
        columns = (
            "organization_id",
            "engine_id",
            "spec_hash",
            "failed_hash",
            "template_hash",
            "last_good",
            "state",
            "epoch",
        )
        return {
            (row[0], row[1]): {"owner": Key(row[2], row[3]), **dict(zip(columns, row[4:], strict=True))} for row in rows
        }

    def statuses(self) -> dict[Key, dict[str, Any]]:
        rows = self._database.execute(
            "SELECT kind, id::text, organization_id::text, observed_generation, conditions, ready, reason, message,"
            " details, finalized_at IS NOT NULL, epoch FROM skypanel.object_status"
        )
        columns = (
            *("organization_id", "observed_generation", "conditions", "ready", "reason", "message"),
            *("details", "finalized", "epoch"),
        )
        return {Key(row[0], row[1]): dict(zip(columns, row[2:], strict=True)) for row in rows}

    def events(self) -> list[tuple[Key, str, str, int]]:
        rows = self._database.execute(
            "SELECT kind, object_id::text, reason, message, count FROM skypanel.events ORDER BY id"
        )
        return [(Key(row[0], row[1]), *row[2:]) for row in rows]

    def subnets(self) -> dict[str, tuple[str | None, str]]:
        rows = self._database.execute("SELECT subnet::text, organization_id::text, state FROM skypanel.subnets")
        return {subnet: (organization, state) for subnet, organization, state in rows}

    def fuse(self) -> tuple[float, int] | None:
        rows = self._database.execute(
            "SELECT extract(epoch FROM tripped_at)::float, live_count FROM skypanel.fuse WHERE tripped_at IS NOT NULL"
        )
        return (rows[0][0], rows[0][1]) if rows else None

    def losses(self) -> dict[Key, Loss]:
        rows = self._database.execute(
            "SELECT owner_kind, owner_id::text, why, objects, processes, hosts, confirmed_at IS NOT NULL"
            " FROM skypanel.fuse_losses"
        )
        return {Key(kind, i): Loss(*loss) for kind, i, *loss in rows}

    def lease(self) -> tuple[str, int, float]:
        ((holder, epoch, left),) = self._database.execute(
            "SELECT holder, epoch, extract(epoch FROM expires_at - clock_timestamp())::float FROM skypanel.lease"
            " WHERE name = %s",
            NAME,
        )
        return holder, epoch, left

    def logged(self) -> int:
        return int(self._database.one("SELECT count(*) FROM skypanel.change_log"))

    def written(self) -> Any:
        return self._database.execute(
            "SELECT 'status', id::text, xmin::text, ctid::text FROM skypanel.object_status"
            " UNION ALL SELECT 'event', id::text, xmin::text, ctid::text FROM skypanel.events"
            " UNION ALL SELECT 'inventory', name, xmin::text, ctid::text FROM skypanel.inventory"
            " UNION ALL SELECT 'subnet', subnet::text, xmin::text, ctid::text FROM skypanel.subnets"
            " UNION ALL SELECT 'log', seq::text, xmin::text, ctid::text FROM skypanel.change_log"
            " UNION ALL SELECT 'loss', owner_id::text, xmin::text, ctid::text FROM skypanel.fuse_losses"
            " UNION ALL SELECT 'fuse', id::text, xmin::text, ctid::text FROM skypanel.fuse ORDER BY 1, 2"
        )

    def run_out(self) -> None:
        self._database.execute("UPDATE skypanel.lease SET expires_at = clock_timestamp() WHERE name = %s", NAME)

    def lose(self, key: Key) -> None:
        table, column = _TABLES[key.kind]
        self._lose(sql.SQL("DELETE FROM {} WHERE {} = %s").format(table, column), key)

    def lose_tenant(self, organization: Key) -> None:
        self._lose(sql.SQL("DELETE FROM organizations WHERE id = %s"), organization)

    def _lose(self, query: sql.Composed | sql.SQL, key: Key) -> None:
        connection = self._database.session("postgres")
        with connection.transaction():
            connection.execute("SET LOCAL session_replication_role = replica")
            connection.execute(query, [key.id])

    def age_events(self, minutes: float) -> None:
        self._database.execute("UPDATE skypanel.events SET last_at = last_at - make_interval(secs => %s)", minutes * 60)

    def confirm_fuse(self, *owners: Key) -> None:
        shown = {key: loss for key, loss in self.losses().items() if not owners or key in owners}
        columns = {name: [getattr(loss, name) for loss in shown.values()] for name in ("objects", "processes", "hosts")}
        with self._database.connect() as operator:
            operator.execute(
                statement("store/fuse/confirm"),
                {"kinds": [k.kind for k in shown], "ids": [k.id for k in shown], **columns},
            )

    @contextmanager
    def earlier(self) -> Iterator[Callable[[Key], Awaitable[Loaded]]]:
        begin = "BEGIN ISOLATION LEVEL REPEATABLE READ"
        with self._database.connect("controller") as holding, self._database.connect("controller") as reading:
            holding.execute(begin)
            ((snapshot,),) = holding.execute("SELECT pg_export_snapshot()").fetchall()

            async def load(key: Key) -> Loaded:
                with reading.transaction():
                    reading.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
                    reading.execute(sql.SQL("SET TRANSACTION SNAPSHOT {}").format(snapshot))
                    (row,) = reading.execute(loading.load_statement(key.kind), {"ids": [key.id]})
                return loading.loaded(key, *row[1:])

            yield load

    @contextmanager
    def open_write(self) -> Iterator[None]:
        with self._database.connect() as writer, writer.transaction():
            writer.execute("SELECT 1 FROM skypanel.lease WHERE name = %s FOR KEY SHARE", [NAME])
            yield


def _adapted(value: Any) -> Any:
    return Jsonb(value) if isinstance(value, dict) else value
