"""The fuse with a whole process on PostgreSQL: what a restore, row-level security and ten thousand owners do to it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import anyio
import anyio.to_thread
import pytest

from controller.cli.application import main
from controller.cli.errors import ExitCode
from controller.loop.gates.fuse import Fuse, FuseTrippedError
from controller.postgres.database import Database as Connections
from controller.records import Holdings, Key
from controller.store.lease import Lease
from controller.store.state import StateStore
from reconcilers.registry import registered
from tests.store.conftest import Database, Tenant
from tests.store.owners_swarm import OwnersSwarm, controller
from tests.unit.loop.parts import Nothing

pytestmark = pytest.mark.anyio
WATCHED_SECONDS = 2.0
ANSWER_SECONDS = 5.0
"""Idle it is a third of one; ten when tables are gone through for each row."""
CONFIRMS_IN_ANSWERS = 20
"""It writes as many rows, twice: idle as long as 2 answers, busy as 12, and far more when tables are gone through for
each row."""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def until(true: Callable[[], object], what: str, *, seconds: float = 60.0) -> None:
    with anyio.move_on_after(seconds):
        while not true():  # noqa: ASYNC110 - it is another process that decides
            await anyio.sleep(0.02)
    assert true(), what


def environments(database: Database, tenant: Tenant, count: int) -> list[Key]:
    rows = database.execute(
        "INSERT INTO paas_environments (app_id, name, image_ref)"
        " SELECT %s, 'e' || n, 'web:1' FROM generate_series(1, %s) n RETURNING id::text",
        tenant.app,
        count,
        role="panel",
    )
    return [Key("environment", row[0]) for row in rows]


def lose(database: Database, table: str) -> None:
    """As a restore that lacks the table."""
    connection = database.session("postgres")
    with connection.transaction():
        connection.execute("SET LOCAL session_replication_role = replica")
        connection.execute(f"DELETE FROM {table}".encode())


def reasons(database: Database) -> set[str]:
    return {row[0] for row in database.execute("SELECT reason FROM skypanel.object_status")}


@pytest.mark.parametrize("how", ["row-level security", "a lost row of the organization"])
async def test_what_hides_documents_takes_nothing_away(database: Database, tenant: Tenant, how: str) -> None:
    shelf = OwnersSwarm(environments(database, tenant, 20))
    if how == "row-level security":
        for what in ("ENABLE", "FORCE"):
            database.execute(f"ALTER TABLE organizations {what} ROW LEVEL SECURITY", role="postgres")
    else:
        lose(database, "organizations")
    assert database.one("SELECT count(*) FROM skypanel.objects WHERE NOT deleted") == 22
    assert database.one("SELECT count(*) FROM skypanel.snapshot_environment", role="controller") == 0
    async with controller(database, shelf):
        await until(lambda: "SnapshotMissing" in reasons(database), "it says so")
        await anyio.sleep(WATCHED_SECONDS)
    assert shelf.removed == []


async def test_while_rows_of_a_table_may_be_hidden_nothing_at_all_is_taken_away(
    database: Database, tenant: Tenant, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf = OwnersSwarm(environments(database, tenant, 3))
    database.execute("DROP POLICY skypanel_everybody ON paas_processes", role="postgres")
    async with controller(database, shelf) as process:
        await until(lambda: process.manager is not None and process.manager.synced, "it has looked once")
        database.execute("DELETE FROM paas_environments", role="panel")
        await anyio.sleep(WATCHED_SECONDS)
        assert shelf.removed == []
        monkeypatch.setenv("DATABASE_URL", database.dsn("skypanel_owner"))
        await anyio.to_thread.run_sync(main, ["doctor"])
        assert "ALTER ROLE skypanel_owner BYPASSRLS" in capsys.readouterr().out
        database.execute("ALTER TABLE paas_processes DISABLE ROW LEVEL SECURITY", role="postgres")
        await until(lambda: len(shelf.removed) == 3, "it goes on when nothing is hidden any more", seconds=60)


async def test_writing_some_rows_back_lets_nothing_else_go_also_after_a_restart(
    database: Database, tenant: Tenant
) -> None:
    keys = environments(database, tenant, 60)
    shelf = OwnersSwarm(keys)
    database.execute("CREATE TABLE kept AS SELECT * FROM paas_environments")
    lose(database, "paas_environments")
    async with controller(database, shelf):
        await until(lambda: database.one("SELECT count(*) FROM skypanel.fuse_losses") == 60, "all wait")
        database.execute("ALTER TABLE kept DROP COLUMN generation, DROP COLUMN swarm_name")
        columns = database.one(
            "SELECT string_agg(attname, ', ') FROM pg_attribute"
            " WHERE attrelid = 'kept'::regclass AND attnum > 0 AND NOT attisdropped"
        )
        database.execute(
            f"INSERT INTO paas_environments ({columns}) SELECT {columns} FROM kept LIMIT 46",
        )
        await anyio.sleep(WATCHED_SECONDS)
        assert shelf.removed == []
    async with controller(database, shelf, resync_seconds=1.0):
        await anyio.sleep(2 * WATCHED_SECONDS)
        assert shelf.removed == []
        assert database.one("SELECT tripped_at IS NOT NULL FROM skypanel.fuse")
        await until(lambda: database.one("SELECT count(*) FROM skypanel.fuse_losses") <= 15, "what came back is off")


@dataclass
class Routed(Nothing):
    """A Swarm on which so many host names lead to each environment."""

    environments: list[Key]
    hosts: int

    async def holdings(self) -> Holdings:
        named = [(key.id, host(key, n)) for key in self.environments for n in range(self.hosts)]
        return Holdings(dict.fromkeys(self.environments, 1), (), named)

    def amounts(self) -> tuple[int, int, int]:
        return len(self.environments), 0, self.hosts * len(self.environments)


def host(environment: Key, number: int) -> str:
    return f"h{number}.{environment.id}.example"


@pytest.mark.parametrize(
    "how", ["a restore without the table", "DELETE of all rows", "deleted_at in all rows", "an old copy of the table"]
)
async def test_host_names_of_many_environments_stay_routed_when_their_rows_go_at_once(
    database: Database, tenant: Tenant, how: str
) -> None:
    every = environments(database, tenant, 6)
    routed = Routed(every, 3)
    for key in every:
        for number in range(routed.hosts):
            database.execute(
                "INSERT INTO paas_domains (environment_id, hostname) VALUES (%s, %s)", key.id, host(key, number)
            )
    connections = Connections(database.dsn("controller"), connections=2)
    await connections.open()
    try:
        lease = Lease(connections, "skypanel", 10)
        assert await lease.acquire()
        store = StateStore(connections, lease, kinds=registered())

        def leader() -> Fuse:
            return Fuse(store, routed, share=0.25, minimum=10)

        await leader().reduction(every[0])  # nothing is lost
        match how:
            case "a restore without the table":
                lose(database, "paas_domains")
            case "DELETE of all rows":
                database.execute("DELETE FROM paas_domains", role="panel")
            case "deleted_at in all rows":
                database.execute("UPDATE paas_domains SET deleted_at = now()", role="panel")
            case _:
                lose(database, "paas_domains WHERE hostname NOT LIKE 'h0.%'")
        judge = leader()
        for key in every:
            with pytest.raises(FuseTrippedError, match="skypanel gc"):
                await judge.reduction(key)
        assert database.one("SELECT tripped_at IS NOT NULL FROM skypanel.fuse")
        lost = 2 if how == "an old copy of the table" else 3
        waiting = database.execute("SELECT owner_id::text, hosts FROM skypanel.fuse_losses ORDER BY 1")
        assert [tuple(row) for row in waiting] == sorted((key.id, lost) for key in every)

        back = [host(key, number) for key in every[2:] for number in range(routed.hosts)]
        database.execute("DELETE FROM paas_domains WHERE hostname = ANY(%s)", back)
        for key in every[2:]:
            for number in range(routed.hosts):
                database.execute(
                    "INSERT INTO paas_domains (environment_id, hostname) VALUES (%s, %s)", key.id, host(key, number)
                )
        judge = leader()  # another one leads now
        with pytest.raises(FuseTrippedError):
            await judge.reduction(every[0])
        await judge.reduction(every[2])
        database.execute("UPDATE skypanel.fuse_losses SET confirmed_at = now() WHERE owner_id = %s", every[0].id)
        judge.changed()
        await judge.reduction(every[0])
        with pytest.raises(FuseTrippedError):
            await judge.reduction(every[1])
        assert database.one("SELECT tripped_at IS NOT NULL FROM skypanel.fuse")
    finally:
        await connections.close()


@pytest.mark.long
async def test_with_ten_thousand_owners_the_leader_leads_on_and_gc_answers(
    database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keys = [Key("environment", str(UUID(int=(4 << 124) + number))) for number in range(10_000)]
    shelf = OwnersSwarm(keys)
    database.execute(
        "INSERT INTO skypanel.inventory (object_type, name, owner_kind, owner_id, engine_id, state, epoch)"
        " SELECT 'service', 's' || n, 'environment', i, 'x', 'present', 1"
        " FROM unnest(%s::uuid[]) WITH ORDINALITY AS k(i, n)",
        [key.id for key in keys],
    )
    database.execute("ANALYZE", role="postgres")  # with nothing held back yet: so it is known to the planner
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", database.dsn("controller"))

    def gc(*arguments: str) -> tuple[int, float]:
        started = time.perf_counter()
        return main(["gc", *arguments]), time.perf_counter() - started

    async with controller(database, shelf) as process:
        await until(lambda: database.one("SELECT count(*) FROM skypanel.fuse_losses") == len(keys), "all wait")
        epoch = process.recorder.epoch
        await anyio.sleep(12.0)  # longer than the lease lasts, with all of them looked at
        assert process.manager is not None
        assert process.recorder.epoch == epoch, "it lost the lease meanwhile"
        found = [await anyio.to_thread.run_sync(gc) for _ in range(3)]
        code, seconds = min(found)  # the quickest: what else this machine does is not the answer's
        assert code == ExitCode.CHANGES
        assert "and 9900 more owners" in capsys.readouterr().out
        assert seconds < ANSWER_SECONDS
        assert shelf.removed == []
        code, seconds = await anyio.to_thread.run_sync(lambda: gc("--confirm"))
        assert code == ExitCode.OK
        assert seconds < CONFIRMS_IN_ANSWERS * max(took for _, took in found)  # by this machine at this time
        await until(lambda: len(shelf.removed) > 100, "what was confirmed goes")
    assert database.one("SELECT epoch FROM skypanel.lease") == epoch
