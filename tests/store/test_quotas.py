"""Quotas of an organization: what would exceed one is refused at its commit, whoever writes and how many at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, LiteralString
from uuid import UUID

import psycopg
import pytest
from psycopg import sql
from psycopg.errors import CheckViolation, SerializationFailure

from reconcilers.environment.resources import DEFAULT_CPU_CORES, DEFAULT_MEMORY_MB
from tests.store.conftest import Database, Tenant, make_tenant

ADD_APP: LiteralString = "INSERT INTO paas_apps (organization_id, name, slug) VALUES (%s, %s, %s)"
ADD_ENVIRONMENT: LiteralString = "INSERT INTO paas_environments (app_id, name, image_ref) VALUES (%s, %s, 'web:1')"
ADD_PROCESS: LiteralString = "INSERT INTO paas_processes (environment_id, type, instances) VALUES (%s, %s, %s)"
ADD_DOMAIN: LiteralString = "INSERT INTO paas_domains (environment_id, hostname) VALUES (%s, %s)"
ADD_VAR: LiteralString = (
    "INSERT INTO skypanel.config_vars (environment_id, name, ciphertext, key_id) VALUES (%s, %s, 'x', 'panel')"
)
ADD_VAR_OF_APP: LiteralString = (
    "INSERT INTO skypanel.config_vars (app_id, name, ciphertext, key_id) VALUES (%s, %s, 'x', 'panel')"
)
ADD_VAR_OF_ORGANIZATION: LiteralString = (
    "INSERT INTO skypanel.config_vars (organization_id, name, ciphertext, key_id) VALUES (%s, %s, 'x', 'panel')"
)


@pytest.fixture
def panel(database: Database) -> Iterator[psycopg.Connection]:
    with database.connect("panel") as conn:
        yield conn


def allow(database: Database, tenant: Tenant, **quotas: int | None) -> None:
    """Sets quotas, with the role that writes what is declared."""
    assignments = sql.SQL(", ").join(
        sql.SQL("{} = {}").format(sql.Identifier(f"quota_{q}"), n) for q, n in quotas.items()
    )
    database.session("panel").execute(
        sql.SQL("UPDATE paas_organizations SET {} WHERE organization_id = {}").format(assignments, tenant.organization)
    )


def used(database: Database, tenant: Tenant) -> dict[str, Decimal]:
    return dict(
        database.execute("SELECT quota, used FROM skypanel.quotas WHERE organization_id = %s", tenant.organization)
    )


def refused(conn: psycopg.Connection, query: LiteralString, *values: object) -> str:
    """The message with which a statement is refused."""
    with pytest.raises(CheckViolation) as error:
        conn.execute(query, values or None)
    assert error.value.diag.constraint_name == "paas_organizations_quota"
    return str(error.value.diag.message_primary)


def add_environment(database: Database, app: UUID, name: str) -> UUID:
    found = database.one(
        "INSERT INTO paas_environments (app_id, name, image_ref) VALUES (%s, %s, 'web:1') RETURNING id", app, name,
        role="panel",
    )  # fmt: skip
    assert isinstance(found, UUID)
    return found


def values(tenant: Tenant, *kinds: str) -> list[Any]:
    """Ids and texts for the placeholders of a statement."""
    return [getattr(tenant, kind, kind) for kind in kinds]


@pytest.mark.parametrize(
    ("quotas", "query", "given", "said"),
    [
        ({"apps": 1}, ADD_APP, ("organization", "B", "b"), "may have 1 app, this would be 2"),
        ({"apps": 0}, ADD_APP, ("organization", "B", "b"), "may have 0 apps, this would be 2"),
        ({"environments": 1}, ADD_ENVIRONMENT, ("app", "b"), "may have 1 environment, this would be 2"),
        ({"tasks": 1}, ADD_ENVIRONMENT, ("app", "b"), "may have 1 task, this would be 2"),
        ({"cores": 1}, "UPDATE paas_environments SET instances = 5", (), "may have 1 core, this would be 1.25"),
        ({"cores": 1}, "UPDATE paas_environments SET cpu_limit = 1.5", (), "may have 1 core, this would be 1.5"),
        ({"cores": 0}, ADD_PROCESS, ("environment", "web", 2), "may have 0 cores, this would be 0.5"),
        ({"memory_mb": 64}, ADD_ENVIRONMENT, ("app", "b"), "may have 64 MiB of memory, this would be 320"),
        ({"memory_mb": 64}, "UPDATE paas_environments SET plan_id = NULL", (), "64 MiB of memory, this would be 256"),
        ({"tasks": 2}, ADD_PROCESS, ("environment", "web", 3), "may have 2 tasks, this would be 3"),
        ({"domains": 0}, ADD_DOMAIN, ("environment", "a.example"), "may have 0 domains, this would be 1"),
        ({"config_vars": 0}, ADD_VAR, ("environment", "A"), "may have 0 config vars, this would be 1"),
        ({"config_vars": 0}, ADD_VAR_OF_APP, ("app", "A"), "may have 0 config vars, this would be 1"),
        ({"config_vars": 0}, ADD_VAR_OF_ORGANIZATION, ("organization", "A"), "may have 0 config vars, this would be 1"),
        (
            {"environments": 1, "tasks": 1, "domains": 0},
            ADD_ENVIRONMENT,
            ("app", "b"),
            "may have 1 environment, this would be 2; 1 task, this would be 2",
        ),
    ],
)  # fmt: skip
def test_what_exceeds_a_quota_is_refused_with_both_numbers(
    database: Database,
    tenant: Tenant,
    panel: psycopg.Connection,
    quotas: dict[str, int],
    query: LiteralString,
    given: tuple[object, ...],
    said: str,
) -> None:
    allow(database, tenant, **quotas)
    message = refused(panel, query, *(getattr(tenant, str(kind), kind) for kind in given))
    assert message.startswith("organization acme ")
    assert said in message
    allow(database, tenant, **dict.fromkeys(quotas, 1000))
    panel.execute(query, [getattr(tenant, str(kind), kind) for kind in given] or None)


def test_what_is_used_is_what_services_are_limited_to(database: Database, tenant: Tenant) -> None:
    other = add_environment(database, tenant.app, "staging")
    database.execute(ADD_PROCESS, other, "web", 2, role="panel")
    database.execute(ADD_PROCESS, other, "worker", 1, role="panel")
    database.execute(ADD_DOMAIN, other, "a.example", role="panel")
    database.execute("UPDATE paas_environments SET suspended = true", role="panel")
    assert used(database, tenant) == {
        "apps": 1,
        "environments": 2,
        "tasks": 1 + 3,
        "cores": Decimal("0.25") + 3 * Decimal(str(DEFAULT_CPU_CORES)),
        "memory_mb": 64 + 3 * DEFAULT_MEMORY_MB,
        "domains": 1,
        "config_vars": 0,
    }


def test_deleted_things_are_not_counted_and_count_as_new_when_they_come_back(
    database: Database, tenant: Tenant, panel: psycopg.Connection
) -> None:
    database.execute(ADD_DOMAIN, tenant.environment, "a.example", role="panel")
    panel.execute("UPDATE paas_apps SET deleted_at = now()")
    assert set(used(database, tenant).values()) == {0}
    allow(database, tenant, apps=1)
    panel.execute(ADD_APP, values(tenant, "organization", "B", "b"))
    assert "1 app, this would be 2" in refused(panel, "UPDATE paas_apps SET deleted_at = NULL WHERE slug = 'shop'")
    allow(database, tenant, apps=None, domains=0)
    assert "0 domains, this would be 1" in refused(panel, "UPDATE paas_apps SET deleted_at = NULL WHERE slug = 'shop'")
    allow(database, tenant, domains=1)
    panel.execute("UPDATE paas_apps SET deleted_at = NULL")


def test_an_organization_that_comes_back_brings_all_of_it_back(
    database: Database, tenant: Tenant, panel: psycopg.Connection
) -> None:
    panel.execute("UPDATE paas_organizations SET deleted_at = now()")
    allow(database, tenant, tasks=0)
    assert "0 tasks" in refused(panel, "UPDATE paas_organizations SET deleted_at = NULL")
    allow(database, tenant, tasks=1)
    panel.execute("UPDATE paas_organizations SET deleted_at = NULL")
    assert used(database, tenant)["tasks"] == 1


def test_the_end_of_a_transaction_counts_and_not_its_steps(
    database: Database, tenant: Tenant, panel: psycopg.Connection
) -> None:
    allow(database, tenant, apps=1, environments=1, tasks=1, domains=1)
    database.execute(ADD_DOMAIN, tenant.environment, "a.example", role="panel")
    with panel.transaction():
        panel.execute(ADD_APP, values(tenant, "organization", "B", "b"))
        panel.execute("UPDATE paas_apps SET deleted_at = now() WHERE slug = 'shop'")
    with panel.transaction():
        panel.execute("DELETE FROM paas_apps WHERE slug = 'b'")
        panel.execute(
            "INSERT INTO paas_apps (organization_id, name, slug) VALUES (%s, 'B', 'b')", [tenant.organization]
        )
    panel.execute("BEGIN")
    panel.execute(ADD_APP, values(tenant, "organization", "C", "c"))
    panel.execute(ADD_APP, values(tenant, "organization", "D", "d"))
    panel.execute("DELETE FROM paas_apps WHERE slug = 'c'")
    assert "1 app, this would be 2" in refused(panel, "COMMIT")
    assert used(database, tenant)["apps"] == 1


def test_names_and_everything_else_may_change_at_the_limit(
    database: Database, tenant: Tenant, panel: psycopg.Connection
) -> None:
    panel.execute(ADD_PROCESS, [tenant.environment, "web", 3])
    panel.execute(ADD_DOMAIN, [tenant.environment, "a.example"])
    allow(database, tenant, apps=0, environments=0, tasks=0, cores=0, memory_mb=4, domains=0, config_vars=0)
    for query in (
        "UPDATE paas_apps SET slug = 'other', suspended = true",
        "UPDATE paas_environments SET name = 'other', image_ref = 'web:2', suspended = true, cpu_limit = 0.25",
        "UPDATE paas_processes SET port = 8080",
        "UPDATE paas_domains SET hostname = 'b.example'",
        "UPDATE paas_processes SET instances = 2",
        "UPDATE paas_environments SET cpu_limit = 0.1, memory_mb = 32, instances = 0",
        "UPDATE paas_organizations SET suspended = true",
        "UPDATE paas_apps SET suspended = false",
        "UPDATE paas_processes SET deleted_at = now()",
        "UPDATE paas_domains SET deleted_at = now()",
        "DELETE FROM paas_processes",
        "UPDATE paas_environments SET deleted_at = now()",
        "DELETE FROM paas_apps",
    ):
        panel.execute(query)


def test_conflicts_that_write_nothing_new_pass_at_the_limit(
    database: Database, tenant: Tenant, panel: psycopg.Connection
) -> None:
    allow(database, tenant, apps=1, tasks=1, domains=0)
    panel.execute(ADD_APP + " ON CONFLICT DO NOTHING", values(tenant, "organization", "Shop", "shop"))
    upsert: LiteralString = (
        " ON CONFLICT (environment_id, type) WHERE deleted_at IS NULL DO UPDATE SET instances = excluded.instances"
    )
    panel.execute(ADD_PROCESS + upsert, [tenant.environment, "web", 1])
    panel.execute(ADD_PROCESS + upsert, [tenant.environment, "web", 1])
    assert "1 task, this would be 2" in refused(panel, ADD_PROCESS + upsert, tenant.environment, "web", 2)


def test_over_a_quota_nothing_is_raised_and_everything_may_be_lowered(
    database: Database, tenant: Tenant, panel: psycopg.Connection
) -> None:
    panel.execute("UPDATE paas_environments SET instances = 12")
    allow(database, tenant, tasks=10)
    panel.execute("UPDATE paas_environments SET instances = 11")
    assert "10 tasks, this would be 12" in refused(panel, "UPDATE paas_environments SET instances = 12")
    assert "10 tasks, this would be 12" in refused(panel, ADD_ENVIRONMENT, tenant.app, "b")
    panel.execute(ADD_DOMAIN, [tenant.environment, "a.example"])  # another quota is not concerned
    panel.execute("UPDATE paas_environments SET instances = 9")
    panel.execute(ADD_ENVIRONMENT, [tenant.app, "b"])
    assert used(database, tenant)["tasks"] == 10


def test_a_larger_plan_is_not_refused_and_then_nothing_more_is_taken(
    database: Database, tenant: Tenant, panel: psycopg.Connection
) -> None:
    allow(database, tenant, cores=1)
    panel.execute("UPDATE paas_plans SET cpu_limit = 2")
    panel.execute("UPDATE paas_apps SET suspended = true")
    panel.execute(ADD_DOMAIN, [tenant.environment, "a.example"])
    assert "1 core, this would be 2.5" in refused(panel, ADD_ENVIRONMENT, tenant.app, "b")


def test_the_process_that_an_environment_has_by_itself_counts_again_when_the_last_one_goes(
    database: Database, tenant: Tenant, panel: psycopg.Connection
) -> None:
    allow(database, tenant, tasks=5)
    with panel.transaction():
        panel.execute(ADD_PROCESS, [tenant.environment, "web", 1])
        panel.execute("UPDATE paas_environments SET instances = 100")
    for query in ("DELETE FROM paas_processes", "UPDATE paas_processes SET deleted_at = now()"):
        assert "5 tasks, this would be 100" in refused(panel, query)
    panel.execute("UPDATE paas_environments SET instances = 1")
    panel.execute("DELETE FROM paas_processes")


def test_what_moves_to_another_organization_counts_there(
    database: Database, tenant: Tenant, panel: psycopg.Connection
) -> None:
    other = make_tenant(database, "globex")
    allow(database, other, apps=1, environments=1)
    allow(database, tenant, apps=1, environments=1)
    moved: LiteralString = "UPDATE paas_apps SET organization_id = %s, slug = 'moved' WHERE id = %s"
    assert "globex may have 1 app, this would be 2" in refused(panel, moved, other.organization, tenant.app)
    moved = "UPDATE paas_environments SET app_id = %s, name = 'moved' WHERE id = %s"
    assert "globex may have 1 environment, this would be 2" in refused(panel, moved, other.app, tenant.environment)


def test_checked_at_once_each_statement_is_counted_anew(
    database: Database, tenant: Tenant, panel: psycopg.Connection
) -> None:
    allow(database, tenant, apps=2)
    with panel.transaction():
        panel.execute("SET CONSTRAINTS ALL IMMEDIATE")
        panel.execute(ADD_APP, values(tenant, "organization", "B", "b"))
        with pytest.raises(CheckViolation, match="2 apps, this would be 3"), panel.transaction():
            panel.execute(ADD_APP, values(tenant, "organization", "C", "c"))
        panel.execute("DELETE FROM paas_apps WHERE slug = 'b'")
        panel.execute(ADD_APP, values(tenant, "organization", "C", "c"))


@pytest.mark.parametrize(
    ("quota", "statements"),
    [
        ("apps", [(ADD_APP, ("organization", "B", "b")), (ADD_APP, ("organization", "C", "c"))]),
        ("environments", [(ADD_ENVIRONMENT, ("app", "b")), (ADD_ENVIRONMENT, ("app", "c"))]),
        ("tasks", [(ADD_ENVIRONMENT, ("app", "b")), ("UPDATE paas_environments SET instances = 2", ())]),
        ("domains", [(ADD_DOMAIN, ("environment", "a.example")), (ADD_DOMAIN, ("environment", "b.example"))]),
    ],
)
@pytest.mark.parametrize("waits", [True, False], ids=["after the other", "at once"])
def test_of_two_writers_who_would_exceed_it_together_one_is_refused(
    database: Database, tenant: Tenant, quota: str, statements: list[tuple[LiteralString, tuple[str, ...]]], waits: bool
) -> None:
    allow(database, tenant, **{quota: int(used(database, tenant)[quota]) + 1})
    outcomes: list[str] = []
    both = threading.Barrier(2)
    committed = threading.Event()

    def write(number: int) -> None:
        query, given = statements[number]
        with database.connect("panel") as conn:
            conn.execute("BEGIN")
            if quota == "domains" and number:  # children of one environment come one after another anyway
                committed.wait()
            conn.execute(query, values(tenant, *given) or None)
            if quota != "domains":
                both.wait()
                if waits and number:
                    committed.wait()
            try:
                conn.execute("COMMIT")
                outcomes.append("committed")
            except CheckViolation as error:
                outcomes.append(str(error.diag.constraint_name))
            committed.set()

    threads = [threading.Thread(target=write, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(outcomes) == ["committed", "paas_organizations_quota"]
    found = database.execute("SELECT used <= allowed FROM skypanel.quotas WHERE quota = %s", quota)
    assert found == [(True,)]


def test_many_writers_at_once_end_exactly_at_the_limit(database: Database, tenant: Tenant) -> None:
    allow(database, tenant, environments=11)
    outcomes: list[bool] = []

    def write(writer: int) -> None:
        with database.connect("panel") as conn:
            for number in range(5):
                try:
                    conn.execute(ADD_ENVIRONMENT, [tenant.app, f"e{writer}-{number}"])
                    outcomes.append(True)
                except CheckViolation:
                    outcomes.append(False)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert (outcomes.count(True), outcomes.count(False)) == (10, 10)
    assert used(database, tenant)["environments"] == 11


def test_a_transaction_that_cannot_see_the_one_before_it_fails_to_be_run_again(
    database: Database, tenant: Tenant
) -> None:
    allow(database, tenant, apps=2)
    with database.connect("panel") as one, database.connect("panel") as other:
        for conn, slug in ((one, "b"), (other, "c")):
            conn.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
            conn.execute(ADD_APP, values(tenant, "organization", slug, slug))
        one.execute("COMMIT")
        with pytest.raises(SerializationFailure):
            other.execute("COMMIT")
    assert used(database, tenant)["apps"] == 2


def test_a_commit_does_not_wait_for_whoever_has_the_organization(database: Database, tenant: Tenant) -> None:
    """So whoever stops an organization and whoever writes in it do not wait for each other."""
    allow(database, tenant, tasks=5)
    with database.connect("panel") as one, database.connect("panel") as other, one.transaction():
        one.execute("SELECT FROM paas_organizations FOR NO KEY UPDATE")
        other.execute("SET lock_timeout = '5s'")
        other.execute("UPDATE paas_environments SET instances = 2")


def test_nothing_is_counted_where_there_is_no_quota_of_it(
    database: Database, tenant: Tenant, panel: psycopg.Connection
) -> None:
    allow(database, tenant, apps=5)
    panel.execute(ADD_ENVIRONMENT, [tenant.app, "b"])
    assert database.one("SELECT count(*) FROM skypanel.quota_checks") == 0
    panel.execute(ADD_APP, values(tenant, "organization", "B", "b"))
    assert database.one("SELECT checks FROM skypanel.quota_checks") == 1


def test_rows_that_are_made_by_themselves_have_the_quotas_of_the_installation(database: Database) -> None:
    database.execute("ALTER TABLE paas_organizations ALTER COLUMN quota_environments SET DEFAULT 1")
    tenant = make_tenant(database)
    with database.connect("panel") as conn:
        assert "1 environment, this would be 2" in refused(conn, ADD_ENVIRONMENT, tenant.app, "b")


def test_an_organization_with_quotas_can_be_deleted_for_good(database: Database, tenant: Tenant) -> None:
    allow(database, tenant, apps=5)
    database.execute(ADD_APP, *values(tenant, "organization", "B", "b"), role="panel")
    database.execute("DELETE FROM organizations", role="panel")
    assert database.one("SELECT count(*) FROM skypanel.quota_checks") == 0
