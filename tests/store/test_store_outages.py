"""The database goes away and comes back, and callers are cancelled: what follows works, and what happened is said."""

from __future__ import annotations

import os
from collections.abc import Iterator
from uuid import uuid4

import anyio
import pytest
from anyio.lowlevel import checkpoint
from psycopg import errors, sql

from controller.records import Key
from controller.store.database import Database as Connections
from controller.store.database import DatabaseUnavailable, connection_string
from deploy.postgres import Server, ensure
from reconcilers.outcomes import TransientError
from tests.store.conftest import Database
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
    """Until a statement is answered again."""
    with anyio.fail_after(20):
        while True:
            try:
                await one.fetch("SELECT 1")
            except DatabaseUnavailable:
                continue
            return


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
    assert after <= pids, "connections were thrown away"
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


# -- the connection string -------------------------------------------------------------------------------------------


def test_a_connection_string_gets_time_outs_and_keeps_what_it_says_itself() -> None:
    made = connection_string(
        "postgresql://skypanel@db.example.com/panel?connect_timeout=60&application_name=mine", "skypanel"
    )
    assert "connect_timeout=60" in made
    assert "application_name=mine" in made
    assert "tcp_user_timeout=" in made
    assert "statement_timeout" in made


def test_what_is_no_connection_string_is_refused_without_repeating_it() -> None:
    with pytest.raises(ValueError, match="postgresql://user:password@host") as refused:
        connection_string(f"postgresql://skypanel:{SECRET}@db.example.com:port:x/%zz", "skypanel")
    assert SECRET not in str(refused.value)
    assert refused.value.__cause__ is None
