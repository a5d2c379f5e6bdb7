"""What goes with time, what stays, and that what was removed is not read again."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, LiteralString

import psycopg
import pytest

from controller.loop.retention import STEPS
from controller.postgres.statements import statement
from controller.records import Key, Report, Rest
from reconcilers.conditions import Condition, Status
from tests.store.conftest import Database, Tenant
from tests.store.leading import Contender, leader

pytestmark = pytest.mark.anyio
OVER = (Condition("Ready", "False", "Deleted", "all of it was removed"),)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@contextmanager
def unseen(database: Database) -> Iterator[psycopg.Connection]:
    """A connection whose writes no trigger sees."""
    with database.connect("postgres") as conn:
        conn.execute("SET session_replication_role = replica")
        yield conn


def age(database: Database) -> None:
    """Let forty days go by."""
    with unseen(database) as conn:
        for table, columns in (
            ("paas_environments", ("deleted_at", "removed_at")),
            ("paas_organizations", ("deleted_at", "removed_at")),
            ("paas_apps", ("deleted_at",)),
            ("paas_processes", ("deleted_at",)),
            ("paas_domains", ("deleted_at",)),
            ("skypanel.config_vars", ("deleted_at",)),
            ("skypanel.object_status", ("finalized_at", "updated_at")),
            ("skypanel.reconcile_controls", ("updated_at",)),
            ("skypanel.tombstones", ("deleted_at",)),
        ):
            aged = ", ".join(f"{column} = {column} - interval '40 days'" for column in columns)
            conn.execute(f"UPDATE {table} SET {aged}".encode())


async def prune(one: Contender) -> dict[str, int]:
    gone = {step: await one.store.prune(step, 30, 100) for step in STEPS}
    return {step: count for step, count in gone.items() if count}


async def removed(one: Contender, kind: str, object_id: object) -> None:
    """Nothing lives of it any more."""
    key = Key(kind, str(object_id))
    await one.store.report(Report(key, None, [Status(*key, None, 99, OVER, {}, True)], rest=Rest(OVER, True)))


def fill(database: Database, tenant: Tenant) -> None:
    run = database.execute
    run("INSERT INTO paas_processes (environment_id, type) VALUES (%s, 'web')", tenant.environment, role="panel")
    run(
        "INSERT INTO paas_domains (environment_id, hostname) VALUES (%s, 'a.example')", tenant.environment, role="panel"
    )
    run(
        "INSERT INTO skypanel.config_vars (environment_id, name, ciphertext, key_id) VALUES (%s, 'A', '\\x00', 'k1')",
        tenant.environment,
        role="panel",
    )


async def test_everything_of_a_removed_organization_goes_after_its_time(database: Database, tenant: Tenant) -> None:
    fill(database, tenant)
    database.execute(
        "INSERT INTO skypanel.reconcile_controls (scope, kind, id, reconcile_token)"
        " VALUES ('object', 'environment', %s, 'x')",
        tenant.environment,
        role="panel",
    )
    database.execute("UPDATE paas_organizations SET deleted_at = now()", role="panel")
    async with leader(database) as one:
        await removed(one, "environment", tenant.environment)
        await removed(one, "organization", tenant.organization)
        assert await prune(one) == {"removals": 1}, "they are not old"
        age(database)
        gone = {"domains": 1, "environments": 1, "apps": 1, "organizations": 1, "statuses": 2, "controls": 1}
        assert await prune(one) == gone
        age(database)
        assert await prune(one) == {"tombstones": 2}
        assert await prune(one) == {}
    for table in ("paas_organizations", "paas_environments", "paas_apps", "paas_domains", "skypanel.object_status"):
        ((left,),) = database.session("skypanel_owner").execute(f"SELECT count(*) FROM {table}".encode()).fetchall()
        assert left == 0, table
    assert database.one("SELECT count(*) FROM organizations") == 1, "the panel's own row is the panel's"


@pytest.mark.parametrize(
    "held",
    [
        (
            "INSERT INTO skypanel.inventory (object_type, name, owner_kind, owner_id, state, epoch)"
            " SELECT 'service', 'x', 'environment', id, 'present', 1 FROM paas_environments"
        ),
        (
            "WITH plan AS (INSERT INTO paas_addon_plans (type, tier) VALUES ('postgres', 'small') RETURNING id)"
            " INSERT INTO paas_addons (environment_id, type, name, plan_id)"
            " SELECT e.id, 'postgres', 'db', plan.id FROM paas_environments e, plan"
        ),
        "UPDATE skypanel.object_status SET finalized_at = NULL",
        "UPDATE paas_environments SET deleted_at = NULL",
    ],
    ids=["something lives", "an addon has data", "it is not removed", "it was taken back"],
)
async def test_what_may_still_be_needed_stays(database: Database, tenant: Tenant, held: LiteralString) -> None:
    database.execute("UPDATE paas_environments SET deleted_at = now()", role="panel")
    async with leader(database) as one:
        await removed(one, "environment", tenant.environment)
        database.execute(held)
        await prune(one)
        age(database)
        assert "environments" not in await prune(one)
    assert database.one("SELECT count(*) FROM paas_environments") == 1


async def test_a_volume_that_nobody_deleted_keeps_its_organization(database: Database, tenant: Tenant) -> None:
    database.execute(
        "INSERT INTO paas_volumes (organization_id, name, size_gb) VALUES (%s, 'data', 1)", tenant.organization
    )
    database.execute("UPDATE paas_organizations SET deleted_at = now()", role="panel")
    async with leader(database) as one:
        await removed(one, "environment", tenant.environment)
        await removed(one, "organization", tenant.organization)
        await prune(one)
        age(database)
        await prune(one)
    assert database.execute("SELECT name FROM paas_volumes") == [("data",)]


async def test_parts_deleted_long_ago_go_without_a_word_to_their_environment(
    database: Database, tenant: Tenant
) -> None:
    fill(database, tenant)
    for table in ("paas_processes", "paas_domains", "skypanel.config_vars"):
        database.session("panel").execute(f"UPDATE {table} SET deleted_at = now()".encode())
    age(database)
    before = database.one("SELECT generation FROM paas_environments")
    async with leader(database) as one:
        assert await prune(one) == {"domains": 1, "processes": 1, "config_vars": 1}
    assert database.one("SELECT generation FROM paas_environments") == before
    assert database.one("SELECT count(*) FROM skypanel.config_vars") == 0, "its ciphertext as well"


async def test_a_row_that_somebody_holds_waits_for_the_next_time(database: Database, tenant: Tenant) -> None:
    database.execute("UPDATE paas_environments SET deleted_at = now()", role="panel")
    async with leader(database) as one:
        await removed(one, "environment", tenant.environment)
        with database.connect("panel") as other, other.transaction():
            other.execute("SELECT FROM paas_environments FOR UPDATE")
            assert await prune(one) == {}
        assert await prune(one) == {"removals": 1}


@pytest.mark.parametrize("role", ["panel", "reader"])
def test_only_the_controller_prunes(standing: Database, role: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        standing.execute("SELECT skypanel.prune('environments', 0, 1)", role=role)


async def test_a_hundred_thousand_removed_rows_are_not_read_at_each_comparison(
    database: Database, tenant: Tenant
) -> None:
    with unseen(database) as conn:
        conn.execute(
            "INSERT INTO paas_environments (app_id, name, swarm_name, image_ref, deleted_at, removed_at)"
            " SELECT %s, 'e' || n, 'e' || n, 'web:1', now(), now() FROM generate_series(1, 100000) n",
            [tenant.app],
        )
        conn.execute("ANALYZE paas_environments")
        (plan,) = conn.execute("EXPLAIN (ANALYZE, FORMAT json) " + statement("store/loop/index")).fetchone() or ({},)
        scans = list(_scans(plan[0]["Plan"]))
        assert sum(rows for name, rows in scans if name == "paas_environments") <= 1, scans
        begun = time.perf_counter()
        assert len(conn.execute(statement("store/loop/index")).fetchall()) == 2
        assert time.perf_counter() - begun < 0.5


def _scans(node: dict[str, Any]) -> Iterator[tuple[str, int]]:
    """Table and rows read, those that a filter took out included."""
    if "Relation Name" in node:
        read = node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
        yield node["Relation Name"], read * node["Actual Loops"]
    for child in node.get("Plans", []):
        yield from _scans(child)


async def test_a_piece_is_a_short_statement(database: Database, tenant: Tenant) -> None:
    with unseen(database) as conn:
        conn.execute(
            "INSERT INTO paas_environments (app_id, name, swarm_name, image_ref, deleted_at, removed_at)"
            " SELECT %s, 'e' || n, 'e' || n, 'web:1', now() - interval '40 days', now() - interval '40 days'"
            " FROM generate_series(1, 2000) n",
            [tenant.app],
        )
        conn.execute(
            "INSERT INTO paas_domains (environment_id, hostname, deleted_at)"
            " SELECT id, name || '.example', deleted_at FROM paas_environments WHERE deleted_at IS NOT NULL"
        )
    async with leader(database) as one:
        begun = time.perf_counter()
        assert await one.store.prune("environments", 30, 250) == 250
        assert time.perf_counter() - begun < 3.0
    assert database.one("SELECT count(*) FROM paas_environments") == 1751
