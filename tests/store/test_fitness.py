"""A database that cannot be led on is waited for, with words: the wrong schema, a pooler that shares sessions."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from controller.actions.doctor import database as database_checks
from controller.kit import clock
from controller.postgres.connecting import connection_string
from controller.postgres.database import Database as Connections
from controller.schema import fitness
from controller.schema.fitness import Fitness, UnfitDatabase, hears, schema_refusal
from controller.settings import Settings
from controller.store.lease import Lease
from controller.store.state import StateStore
from reconcilers.outcomes import TransientError
from tests.store.conftest import Database
from tests.store.pooler import pooler

pytestmark = pytest.mark.anyio

NEWER = 9001


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Connections]:
    connections = Connections(url, connections=3)
    await connections.open()
    try:
        yield connections
    finally:
        await connections.close()


async def test_the_database_of_this_version_is_fit(database: Database) -> None:
    async with connected(database.dsn("controller")) as connections:
        fit = Fitness(connections)
        await fit.check()
        assert fit.refused == ""


async def test_a_role_without_the_rights_waits_with_words_and_one_with_too_many_is_named_once(
    database: Database,
) -> None:
    async with connected(database.dsn("panel")) as connections:
        with pytest.raises(UnfitDatabase, match="may not write status: use a login that has skypanel_controller"):
            await Fitness(connections).check()
    async with connected(database.dsn("skypanel_owner")) as connections:
        fit = Fitness(connections)
        with capture_logs() as said:
            await fit.check()
            fit._until = 0.0
            await fit.check()
        assert [line["event"] for line in said].count("database.role") == 1


async def test_a_newer_schema_is_refused_with_words_until_it_is_no_newer(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(clock, "monotonic", lambda: now)
    database.execute(
        "INSERT INTO skypanel.schema_migrations (version, name, checksum) VALUES (%s, 'from_the_future', 'x')", NEWER
    )
    async with connected(database.dsn("controller")) as connections:
        fit = Fitness(connections)
        with capture_logs() as said:
            for _ in range(3):
                with pytest.raises(UnfitDatabase, match="9001_from_the_future, which this version lacks") as refused:
                    await fit.check()
                now += 6
        assert refused.value.reason == "SchemaTooNew"
        assert [line["event"] for line in said if line["log_level"] == "error"] == ["database.unfit"], "once"
        assert "9001" in fit.refused
        database.execute("DELETE FROM skypanel.schema_migrations WHERE version = %s", NEWER)
        await fit.check()
        assert fit.refused == ""


async def test_an_older_schema_is_refused_with_words(database: Database, empty: Database) -> None:
    database.execute("DELETE FROM skypanel.schema_migrations WHERE version = 12")
    async with connected(database.dsn("controller")) as connections:
        with pytest.raises(UnfitDatabase, match=r"lacks migration 0012_.*run `skypanel migrate`"):
            await Fitness(connections).check()
    async with connected(empty.dsn("controller")) as connections:
        with pytest.raises(TransientError, match="run `skypanel migrate`"):
            await Fitness(connections).check()


def test_every_known_migration_is_needed_and_no_other() -> None:
    whole = {migration.version: migration.name for migration in fitness._known()}
    assert schema_refusal(whole) is None
    assert str(getattr(schema_refusal({}), "reason", "")) == "SchemaOutdated"


async def test_a_pooler_that_shares_sessions_is_refused_with_words(database: Database) -> None:
    with pooler(database, "transaction") as url:
        async with connected(url) as connections:
            with capture_logs(), pytest.raises(UnfitDatabase, match="pooler in transaction or statement mode"):
                await Fitness(connections).check()


def test_doctor_finds_a_pooler_that_shares_sessions(database: Database) -> None:
    with pooler(database, "transaction") as url:
        found = database_checks.session_check(Settings(database_url=SecretStr(url)))
    assert "transaction or statement mode" in found.message
    direct = database_checks.session_check(Settings(database_url=SecretStr(database.dsn("controller"))))
    assert direct.message == "notifications arrive"


def test_doctor_names_a_transaction_that_stays_open(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_checks, "_OLD_TRANSACTIONS", 100)
    with database.connect() as dump, database.connect() as asking:
        assert database_checks.transaction_check(asking).message == "none has been open for long"
        dump.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        dump.execute("SELECT 1")
        for _ in range(101):
            database.execute("SELECT pg_current_xact_id()")
        found = database_checks.transaction_check(asking)
        assert f"process {dump.info.backend_pid} of role skypanel_owner has held one open" in found.message
        assert "pg_terminate_backend" in found.mend


async def test_a_pooler_with_sessions_of_ones_own_is_as_good_as_none(database: Database) -> None:
    with pooler(database, "session") as url:
        assert await hears(connection_string(url, "skypanel"))
        async with connected(url) as connections:
            await Fitness(connections).check()
            lease = Lease(connections, "blue", 30)
            assert await lease.acquire()
            store = StateStore(connections, lease, kinds=("organization", "environment"))
            assert await store.consume() == ([], False)
            ((limit,),) = await connections.fetch("SHOW statement_timeout")
            assert limit == "12s", "time-outs hold, though the pooler refuses them as start-up options"
