"""What the panel reads of each object: true while somebody vouches for it, unknown when nobody does."""

from __future__ import annotations

import json
from typing import Any, LiteralString

import pytest

from controller.declared import reader
from controller.records import Key, Report, Rest
from reconcilers.conditions import Condition, Status, paused, progressing, ready
from tests.store.conftest import Database, Tenant
from tests.store.leading import NAME, Contender, leader

pytestmark = pytest.mark.anyio
LONG_AGO: LiteralString = "clock_timestamp() - interval '2 minutes'"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def parts(database: Database, tenant: Tenant) -> dict[str, str]:
    """A process and a domain of the environment, by kind."""
    insert: dict[str, LiteralString] = {
        "process": "INSERT INTO paas_processes (environment_id, type) VALUES (%s, 'web') RETURNING id",
        "domain": "INSERT INTO paas_domains (environment_id, hostname) VALUES (%s, 'a.example') RETURNING id",
    }
    return {kind: str(database.one(query, tenant.environment, role="panel")) for kind, query in insert.items()}


async def say(
    one: Contender, database: Database, tenant: Tenant, parts: dict[str, str], conditions: tuple[Condition, ...]
) -> None:
    """Say the same of the environment, in the generation that is, and of its parts."""
    key = Key("environment", str(tenant.environment))
    generation = database.one("SELECT generation FROM paas_environments")
    of_parts = [Status(kind, part, None, 1, conditions, {}) for kind, part in parts.items()]
    await one.store.report(
        Report(key, None, [Status(*key, None, generation, conditions, {}), *of_parts], rest=Rest(conditions, True))
    )


def status(database: Database, kind: str = "environment") -> tuple[Any, ...]:
    (row,) = database.execute("SELECT ready, reason FROM skypanel.status WHERE kind = %s", kind, role="panel")
    return row


async def test_true_is_said_while_a_controller_is_alive_and_reaches_the_engine(
    database: Database, tenant: Tenant, parts: dict[str, str]
) -> None:
    async with leader(database) as one:
        assert status(database) == ("False", "Pending")
        await say(one, database, tenant, parts, ready("Deployed", "1 runs"))
        assert await one.lease.renew(0.0)
        for kind in ("environment", "process", "domain"):
            assert status(database, kind) == ("True", "Deployed")
        fresh = "SELECT as_of > statement_timestamp() - interval '5 seconds' AND controller_alive FROM skypanel.status"
        assert set(database.execute(fresh + " WHERE kind <> 'organization'", role="reader")) == {(True,)}


@pytest.mark.parametrize(
    ("lost", "reason", "message"),
    [
        ("renewed_at = {0}, expires_at = {0} + interval '9 seconds'", "ControllerAway", "no controller has been alive"),
        ("engine_seen_at = {0}", "EngineAway", "the controller has not reached the engine since"),
    ],
    ids=["the controller is away", "the engine is away"],
)
async def test_what_was_true_is_unknown_when_nobody_vouches_for_it(
    database: Database, tenant: Tenant, parts: dict[str, str], lost: str, reason: str, message: str
) -> None:
    async with leader(database) as one:
        await say(one, database, tenant, parts, ready("Deployed", "1 runs"))
        assert await one.lease.renew(0.0)
        database.session("skypanel_owner").execute(f"UPDATE skypanel.lease SET {lost.format(LONG_AGO)}".encode())
        for kind in ("environment", "process", "domain"):
            assert status(database, kind) == ("Unknown", reason)
        (said,) = database.execute(
            "SELECT message, as_of < statement_timestamp() - interval '1 minute' FROM skypanel.status"
            " WHERE kind = 'environment'",
            role="panel",
        )
        assert message in said[0]
        assert said[0].endswith("; until then Deployed: 1 runs")
        assert said[1]
        with database.connect("panel") as conn:
            (app,) = reader.objects(conn, "App", ("acme", "shop"))
            (environment,) = reader.objects(conn, "Environment", ("acme", "shop", "production"))
        assert (environment.status.ready, environment.status.unknown, environment.status.reason) == (
            False,
            True,
            reason,
        )
        assert (app.status.ready, app.status.unknown, app.status.reason) == (False, True, reason)


async def test_what_was_not_true_stays_so_when_nobody_vouches_for_it(
    database: Database, tenant: Tenant, parts: dict[str, str]
) -> None:
    async with leader(database) as one:
        await say(one, database, tenant, parts, progressing("RollingOut", "0/1 run"))
    database.execute(
        "UPDATE skypanel.lease SET renewed_at = now() - interval '1 hour', expires_at = now() - interval '1 hour'"
    )
    assert status(database) == ("False", "RollingOut")


async def test_a_leader_that_never_saw_the_engine_keeps_what_the_last_one_saw(
    database: Database, tenant: Tenant, parts: dict[str, str]
) -> None:
    async with leader(database) as one:
        await say(one, database, tenant, parts, ready("Deployed", "1 runs"))
        assert await one.lease.renew(200.0)
        assert status(database) == ("Unknown", "EngineAway")
        assert await one.lease.renew(None)
        assert status(database) == ("Unknown", "EngineAway")
        assert await one.lease.renew(0.0)
        assert status(database) == ("True", "Deployed")
        database.execute("UPDATE skypanel.lease SET engine_seen_at = NULL")
        assert status(database) == ("True", "Deployed"), "a controller of an earlier version does not say"


async def test_a_pending_row_says_that_no_controller_is_alive(database: Database, tenant: Tenant) -> None:
    query = "SELECT message FROM skypanel.status WHERE kind = 'environment'"
    assert "no controller has ever been alive" in database.one(query, role="panel")
    async with leader(database):
        assert database.one(query, role="panel") == "generation 1 was not looked at yet"
    database.execute(
        "UPDATE skypanel.lease SET renewed_at = now() - interval '1 hour', expires_at = now() - interval '1 hour'"
        " WHERE name = %s",
        NAME,
    )
    assert "no controller has been alive since" in database.one(query, role="panel")


async def test_an_older_generation_and_a_pause_are_not_true(
    database: Database, tenant: Tenant, parts: dict[str, str]
) -> None:
    async with leader(database) as one:
        await say(one, database, tenant, parts, paused("ada looks into it"))
        assert status(database) == ("Unknown", "Paused")
        await say(one, database, tenant, parts, ready("Deployed", "1 runs"))
        database.execute("UPDATE paas_environments SET instances = 2", role="panel")
        assert status(database) == ("False", "Pending")


@pytest.mark.parametrize(
    "going",
    [
        "UPDATE paas_environments SET deleted_at = now()",
        "UPDATE paas_apps SET deleted_at = now()",
        "UPDATE paas_organizations SET deleted_at = now()",
    ],
)
async def test_what_is_to_be_deleted_is_never_ready_nor_are_its_parts(
    database: Database, tenant: Tenant, parts: dict[str, str], going: LiteralString
) -> None:
    key = Key("environment", str(tenant.environment))
    async with leader(database) as one:
        await say(one, database, tenant, parts, ready("Deployed", "1 runs"))
        database.execute(going, role="panel")
        for kind in ("environment", "process", "domain"):
            assert status(database, kind) == ("False", "Deleting")
        over = (Condition("Ready", "False", "Deleted", "all of it was removed"),)
        await one.store.report(Report(key, None, [Status(*key, None, 9, over, {}, True)], rest=Rest(over, True)))
        for kind in ("environment", "process", "domain"):
            assert status(database, kind) == ("False", "Deleted")


async def test_the_query_of_the_reference_never_shows_what_is_gone_as_ready(
    database: Database, tenant: Tenant, parts: dict[str, str]
) -> None:
    key = Key("environment", str(tenant.environment))
    over = (Condition("Ready", "False", "Deleted", "all of it was removed"),)
    async with leader(database) as one:
        await say(one, database, tenant, parts, ready("Deployed", "1 runs"))
        database.execute("DELETE FROM paas_environments", role="panel")
        await one.store.report(Report(key, None, [Status(*key, None, 9, over, {}, True)], rest=Rest(over, True)))
    assert database.execute("SELECT kind FROM skypanel.object_status WHERE ready") == []
    assert database.execute("SELECT kind FROM skypanel.status WHERE kind <> 'organization'", role="panel") == []


def test_a_look_at_one_status_reads_by_key(database: Database, tenant: Tenant) -> None:
    database.execute("SET enable_seqscan = off")
    plan = database.one(
        "EXPLAIN (FORMAT json) SELECT ready FROM skypanel.status WHERE kind = 'environment' AND id = %s",
        tenant.environment,
    )
    text = json.dumps(plan)
    assert "paas_processes" not in text
    assert "paas_environments_pkey" in text
