"""The database goes away and comes back, and callers are cancelled: what follows works, and what happened is said."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import anyio
import psycopg
import pytest
from anyio.lowlevel import checkpoint
from psycopg import errors, sql

from controller.kit import clock
from controller.postgres.connecting import connection_string, session
from controller.postgres.database import Database as Connections
from controller.postgres.database import DatabaseUnavailable
from controller.records import Intent, Key
from controller.store import state
from deploy.postgres import Server, ensure
from reconcilers.outcomes import TransientError
from tests.store.conftest import Database, Tenant
from tests.store.leading import leader, process

pytestmark = pytest.mark.anyio

SECRET = "hunter2"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def own_server() -> Iterator[Server]:
    """A server that this module may stop."""
    server = ensure(f"outage-{os.getpid()}", durable=False)
    yield server
    server.destroy()
    server.cluster.folder.with_suffix(".lock").unlink()


@pytest.fixture
def own(own_server: Server) -> Iterator[Database]:
    own_server.start()
    own_server.create_database("outage")
    database = Database(own_server, "outage")
    yield database
    database.close()
    own_server.start()
    own_server.drop_database("outage")


async def settled(one: Connections) -> None:
    """Until a statement is answered again, on the lease's connection too."""
    for apart in (False, True):
        with anyio.fail_after(20):
            while True:
                try:
                    await one.fetch("SELECT 1", apart=apart)
                except DatabaseUnavailable:
                    continue
                break


async def backends(one: Connections) -> set[int]:
    """The server's processes behind the connections that are in use."""
    return {(await one.fetch("SELECT pg_backend_pid()"))[0][0] for _ in range(8)}


async def test_a_stopped_server_is_said_so_and_found_again(own: Database) -> None:
    async with leader(own) as one:
        was_up = one.connections.up
        own.server.stop("fast")
        with pytest.raises(DatabaseUnavailable, match="PostgreSQL does not answer") as refused:
            await one.store.load(Key("environment", str(uuid4())))
        assert isinstance(refused.value, TransientError)
        assert "\n" not in refused.value.message
        is_up = one.connections.up
        assert (was_up, is_up) == (True, False)
        own.server.start()
        await settled(one.connections)
        assert await one.lease.renew(), "the lease outlived the restart"
        await one.store.announce(Key("environment", str(uuid4())), None, [])


async def test_a_server_that_never_was_there_is_said_so_too(own: Database) -> None:
    own.server.stop("immediate")
    async with process(own) as one:
        with pytest.raises(DatabaseUnavailable):
            await one.lease.acquire()
        own.server.start()
        await settled(one.connections)
        assert await one.lease.acquire()


async def test_a_connection_that_the_server_ends_costs_one_answer(database: Database) -> None:
    async with leader(database) as one:
        database.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE usename = 'controller' AND datname = current_database()",
            role="postgres",
        )
        await settled(one.connections)
        assert await one.lease.renew()


async def test_a_cancelled_caller_leaves_a_usable_connection_and_no_statement_behind(database: Database) -> None:
    async with leader(database) as one:
        with anyio.fail_after(10):
            while len(pids := await backends(one.connections)) < 2:  # the pool begins with two, one after the other
                await checkpoint()
        for _ in range(5):
            with anyio.move_on_after(0.01) as scope:
                await one.connections.fetch("SELECT pg_sleep(0.05)")
                await checkpoint()
            assert scope.cancelled_caught
        after = await backends(one.connections)
    assert pids <= after, "connections were thrown away"
    running = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%%' AND state = 'active'"
    assert database.one(running, role="postgres") == 0


async def test_a_write_whose_caller_is_cancelled_is_done_when_the_caller_learns_of_it(database: Database) -> None:
    async with leader(database) as one:
        with anyio.CancelScope() as scope:
            scope.cancel()
            await one.connections.fetch("UPDATE skypanel.lease SET holder = 'done'")
        assert database.one("SELECT holder FROM skypanel.lease") == "done"


async def test_a_statement_that_takes_too_long_is_given_up(database: Database) -> None:
    async with leader(database) as one:
        with anyio.fail_after(5), pytest.raises(DatabaseUnavailable):
            await one.connections.fetch("SELECT pg_sleep(60)", seconds=0.05)
        assert await one.lease.renew()


async def test_an_older_schema_is_answered_with_what_to_do(empty: Database) -> None:
    async with process(empty) as one:
        with pytest.raises(TransientError, match="run `skypanel migrate`") as refused:
            await one.lease.acquire()
    assert refused.value.reason == "SchemaOutdated"


async def test_a_missing_right_is_answered_with_what_to_do(database: Database) -> None:
    async with leader(database) as one:
        with pytest.raises(TransientError, match="grant it skypanel_controller") as refused:
            await one.connections.fetch("DELETE FROM paas_apps")
    assert refused.value.reason == "PrivilegeMissing"


async def test_a_wrong_statement_is_no_outage(database: Database) -> None:
    async with leader(database) as one:
        with pytest.raises(errors.DivisionByZero):
            await one.connections.fetch(sql.SQL("SELECT 1/0").format())
        assert one.connections.up


@contextmanager
def read_only(database: Database) -> Iterator[None]:
    """As behind a name that leads to a replica: no session of the controller's role can write any more."""
    database.execute("ALTER ROLE controller SET default_transaction_read_only = on", role="postgres")
    try:
        end_sessions(database)
        yield
    finally:
        database.execute("ALTER ROLE controller RESET default_transaction_read_only", role="postgres")


def end_sessions(database: Database) -> None:
    database.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'controller'", role="postgres"
    )


async def test_a_server_that_cannot_be_written_to_is_one_that_is_away(own: Database) -> None:
    async with leader(own) as one:
        with read_only(own):
            for ask in (
                one.lease.renew,
                one.lease.acquire,
                lambda: one.store.announce(Key("a", str(uuid4())), None, []),
            ):
                with pytest.raises(DatabaseUnavailable):
                    await ask()
            is_up = one.connections.up
        assert not is_up
        await settled(one.connections)
        assert await one.lease.renew(), "it is writable again, and nobody had to do anything"


async def test_a_session_that_has_become_read_only_is_thrown_away(database: Database) -> None:
    async with leader(database) as one:
        for _ in range(20):  # whichever connection of the pool it is
            await one.connections.fetch("SELECT set_config('default_transaction_read_only', 'on', false)")
        with pytest.raises(DatabaseUnavailable, match="read-only transaction"):
            await one.store.announce(Key("environment", str(uuid4())), None, [Intent("service", "web", "applying")])
        with anyio.fail_after(20):
            while True:
                try:
                    await one.store.announce(
                        Key("environment", str(uuid4())), None, [Intent("service", "web", "applying")]
                    )
                except DatabaseUnavailable:
                    continue
                break


async def test_what_the_server_cannot_do_now_is_an_outage_whatever_psycopg_calls_it(database: Database) -> None:
    async with leader(database) as one:
        for state in ("25006", "53100", "57P03", "58030", "XX000", "72000", "0A000", "26000", "42P05"):
            with pytest.raises(DatabaseUnavailable):
                await one.connections.fetch(f"DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{state}'; END $$")
        for state in ("22003", "23505", "42601", "54000", "P0001"):
            with pytest.raises(psycopg.Error) as raised:
                await one.connections.fetch(f"DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{state}'; END $$")
            assert raised.value.sqlstate == state
        with pytest.raises(psycopg.DataError, match="NUL"):
            await one.connections.fetch("SELECT %(text)s", {"text": "a\0b"})


async def test_the_lease_is_kept_while_every_other_connection_is_busy(database: Database) -> None:
    async with leader(database) as one, anyio.create_task_group() as tasks:
        for _ in range(12):
            tasks.start_soon(one.connections.fetch, "SELECT pg_sleep(0.5)")
        with anyio.fail_after(0.4):
            assert await one.lease.renew()


async def test_changes_whose_answer_is_lost_come_with_the_next_look(
    database: Database, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server has done it, and the connection is gone before it could say so."""
    fetch, lost = Connections.fetch, 0

    async def cut(self: Connections, *arguments: Any, **options: Any) -> Any:
        nonlocal lost
        rows = await fetch(self, *arguments, **options)
        if "change_log" in arguments[0] and lost < 1:
            lost += 1
            raise DatabaseUnavailable(OSError("connection reset"))
        return rows

    key = Key("environment", str(tenant.environment))
    async with leader(database) as one:
        await one.store.consume()
        database.execute("UPDATE paas_environments SET instances = 3")
        monkeypatch.setattr(Connections, "fetch", cut)
        with pytest.raises(DatabaseUnavailable):
            await one.store.consume()
        changes, _ = await one.store.consume()
        assert key in {change.key for change in changes}
        database.execute("UPDATE paas_environments SET instances = 4")
        lost = 0
        with pytest.raises(DatabaseUnavailable):
            await one.store.consume()
        changes, _ = await one.store.consume()
        assert key in {change.key for change in changes}, "also when what was given before was taken off meanwhile"
        await one.store.consume()
    assert database.one("SELECT count(*) FROM skypanel.change_log") == 0


async def test_a_change_that_commits_late_is_found_by_the_timer_however_many_came_since(
    database: Database, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looks on a hint pass over old rows, which dead ones of a transaction that stays open would make slow."""
    monkeypatch.setattr(state, "_LATE", 3)
    now = 1000.0
    monkeypatch.setattr(clock, "monotonic", lambda: now)
    async with leader(database) as one:
        await one.store.consume()
        with database.connect("panel") as slow, slow.transaction():
            slow.execute("UPDATE paas_environments SET instances = 3 WHERE id = %s", [tenant.environment])
            database.execute(
                "INSERT INTO skypanel.change_log (kind, id, op)"
                " SELECT 'environment', gen_random_uuid(), 'U' FROM generate_series(1, 5)"
            )
            await one.store.consume()
        assert await one.store.consume() == ([], False)
        now += 5
        changes, _ = await one.store.consume()
    assert [change.key for change in changes] == [Key("environment", str(tenant.environment))]


# -- the connection string -------------------------------------------------------------------------------------------


def test_a_connection_string_gets_time_outs_and_keeps_what_it_says_itself() -> None:
    made = connection_string(
        "postgresql://skypanel@db.example.com/panel?connect_timeout=60&application_name=mine", "skypanel"
    )
    assert "connect_timeout=60" in made
    assert "application_name=mine" in made
    assert "tcp_user_timeout=" in made
    assert "options" not in made, "poolers refuse them"
    assert "target_session_attrs" not in made


def test_a_process_that_writes_looks_for_a_server_that_can_be_written_to() -> None:
    assert "target_session_attrs=read-write" in connection_string("host=a,b", "skypanel", writes=True)
    asked = connection_string("host=a,b target_session_attrs=any", "skypanel", writes=True)
    assert "target_session_attrs=any" in asked


def test_a_session_is_set_up_but_for_what_the_url_sets_itself() -> None:
    assert "'statement_timeout', '12s'" in session("host=a")
    own = session("postgresql://a/b?options=-c%20statement_timeout%3D90s")
    assert "statement_timeout" not in own
    assert "'lock_timeout'" in own


def test_what_is_no_connection_string_is_refused_without_repeating_it() -> None:
    with pytest.raises(ValueError, match="postgresql://user:password@host") as refused:
        connection_string(f"postgresql://skypanel:{SECRET}@db.example.com:port:x/%zz", "skypanel")
    assert SECRET not in str(refused.value)
    assert refused.value.__cause__ is None
