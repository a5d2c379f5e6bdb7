"""Bad rows are refused by a constraint whose name says which rule it was."""

from __future__ import annotations

import threading

import psycopg
import pytest
from psycopg import sql

from tests.store.conftest import Database, Tenant, make_tenant


@pytest.mark.parametrize(
    ("table", "column", "value", "constraint"),
    [
        ("paas_apps", "slug", "Upper", "paas_apps_slug_form"),
        ("paas_apps", "slug", "-edge", "paas_apps_slug_form"),
        ("paas_apps", "slug", "x" * 64, "paas_apps_slug_form"),
        ("paas_environments", "name", "has space", "paas_environments_name_form"),
        ("paas_environments", "image_ref", None, "paas_environments_image_ref_given"),
        ("paas_environments", "image_ref", "", "paas_environments_image_ref_bounded"),
        ("paas_environments", "image_ref", "a b", "paas_environments_image_ref_bounded"),
        ("paas_environments", "deploy_mode", "magic", "paas_environments_deploy_mode_known"),
        ("paas_environments", "port", 0, "paas_environments_port_range"),
        ("paas_environments", "port", 65536, "paas_environments_port_range"),
        ("paas_environments", "instances", -1, "paas_environments_instances_range"),
        ("paas_environments", "instances", 1001, "paas_environments_instances_range"),
        ("paas_environments", "memory_mb", 3, "paas_environments_memory_mb_at_least_4"),
        ("paas_environments", "cpu_limit", 0, "paas_environments_cpu_limit_positive"),
        ("paas_environments", "stop_grace_seconds", 3601, "paas_environments_stop_grace_seconds_range"),
        ("paas_environments", "entrypoint", [], "paas_environments_entrypoint_bounded"),
        ("paas_environments", "cmd", ["a", None], "paas_environments_cmd_bounded"),
        ("paas_environments", "tmpfs_paths", ["tmp"], "paas_environments_tmpfs_paths_absolute"),
        ("paas_environments", "tmpfs_paths", ["/a/../etc"], "paas_environments_tmpfs_paths_absolute"),
        ("paas_environments", "tmpfs_paths", ["/"], "paas_environments_tmpfs_paths_absolute"),
        ("paas_environments", "run_as", "root", "paas_environments_run_as_bounded"),
        ("paas_environments", "ports", '{"a": 1}', "paas_environments_ports_list"),
        ("paas_environments", "healthcheck", "{}", "paas_environments_healthcheck_bounded"),
        ("paas_environments", "healthcheck", '{"command": "ls"}', "paas_environments_healthcheck_bounded"),
        ("paas_environments", "healthcheck", '{"command": []}', "paas_environments_healthcheck_bounded"),
        ("paas_environments", "healthcheck", '{"command": [1]}', "paas_environments_healthcheck_bounded"),
        ("paas_environments", "healthcheck", "null", "paas_environments_healthcheck_bounded"),
        ("paas_processes", "type", "web-2", "paas_processes_type_form"),
        ("paas_processes", "type", "x" * 21, "paas_processes_type_form"),
        ("paas_processes", "port", 0, "paas_processes_port_range"),
        ("paas_domains", "hostname", "UPPER.example", "paas_domains_hostname_form"),
        ("paas_domains", "hostname", "localhost", "paas_domains_hostname_form"),
        ("paas_domains", "hostname", "*.shop.example", "paas_domains_hostname_form"),
        ("paas_domains", "hostname", "10.0.0.1", "paas_domains_hostname_form"),
        ("paas_domains", "hostname", "a`) || Host(`b.example", "paas_domains_hostname_form"),
        ("paas_domains", "hostname", "b.example\n", "paas_domains_hostname_form"),
        ("paas_domains", "hostname", ".".join(["a" * 60] * 5), "paas_domains_hostname_form"),
        ("paas_plans", "memory_mb", 3, "paas_plans_memory_mb_at_least_4"),
        ("paas_organizations", "network_prefix", 29, "paas_organizations_network_prefix_range"),
    ],
)
def test_a_bad_value_is_refused_by_a_named_rule(
    standing: Database, table: str, column: str, value: object, constraint: str
) -> None:
    query = sql.SQL("UPDATE {} SET {} = %s").format(sql.Identifier(table), sql.Identifier(column))
    with standing.connect("panel") as conn, pytest.raises(psycopg.errors.CheckViolation) as refused:
        conn.execute(query, [value])
    assert refused.value.diag.constraint_name == constraint


def test_a_good_health_check_and_host_name_are_taken(database: Database, tenant: Tenant) -> None:
    check = '{"command": ["wget", "-q", "http://127.0.0.1/"], "interval_seconds": 10, "retries": 3}'
    database.execute("UPDATE paas_environments SET healthcheck = %s", check, role="panel")
    for name in ("hello.localhost", "xn--bcher-kva.example", "a-b.c1.example"):
        database.execute(
            "INSERT INTO paas_domains (environment_id, hostname) VALUES (%s, %s)",
            tenant.environment,
            name,
            role="panel",
        )


def test_names_that_read_the_same_do_not_stop_another_tenant(database: Database) -> None:
    make_tenant(database, organization="acme", app="shop-eu")
    make_tenant(database, organization="acme-shop", app="eu")
    assert database.execute("SELECT swarm_name FROM paas_environments") == [("acme-shop-eu-production",)] * 2


def test_renaming_an_organization_never_fails_because_of_another(database: Database) -> None:
    make_tenant(database, organization="acme", app="shop-eu")
    make_tenant(database, organization="globex", app="eu")
    database.execute("UPDATE organizations SET slug = 'acme-shop' WHERE slug = 'globex'", role="panel")
    assert database.execute("SELECT swarm_name FROM paas_environments") == [("acme-shop-eu-production",)] * 2


def test_a_host_name_belongs_to_one_environment_of_all(database: Database, tenant: Tenant) -> None:
    other = make_tenant(database, organization="globex")
    add = "INSERT INTO paas_domains (environment_id, hostname) VALUES (%s, 'a.example')"
    database.execute(add, tenant.environment, role="panel")
    with pytest.raises(psycopg.errors.UniqueViolation, match="paas_domains_hostname_unique"):
        database.execute(add, other.environment, role="panel")


def test_an_environment_has_one_primary_release_at_most(database: Database, tenant: Tenant) -> None:
    add = (
        "INSERT INTO paas_releases (environment_id, version, image_ref, is_primary) VALUES (%s, %s, 'web@sha256:0', %s)"
    )
    database.execute(add, tenant.environment, 1, True, role="controller")
    database.execute(add, tenant.environment, 2, False, role="controller")
    with pytest.raises(psycopg.errors.UniqueViolation, match="paas_releases_one_primary"):
        database.execute("UPDATE paas_releases SET is_primary = true", role="controller")


def test_the_swarm_name_follows_every_rename(database: Database, tenant: Tenant) -> None:
    for change in (
        "UPDATE organizations SET slug = 'acme-inc'",
        "UPDATE paas_apps SET slug = 'store'",
        "UPDATE paas_environments SET name = 'live'",
    ):
        database.execute(change, role="panel")
    database.execute("UPDATE paas_environments SET swarm_name = 'someone-elses'")
    assert database.one("SELECT swarm_name FROM paas_environments") == "acme-inc-store-live"


def test_an_environment_inserted_during_a_rename_gets_the_new_name(database: Database, tenant: Tenant) -> None:
    with database.connect("panel") as renamer, database.connect("panel") as inserter:
        thread = threading.Thread(
            target=inserter.execute,
            args=(
                "INSERT INTO paas_environments (app_id, name, image_ref) VALUES (%s, 'staging', 'w:1')",
                [tenant.app],
            ),
        )
        with renamer.transaction():
            renamer.execute("UPDATE organizations SET slug = 'acme-inc'")
            thread.start()
            wait_for_lock(database, inserter)
        thread.join()
    names = database.execute("SELECT swarm_name FROM paas_environments ORDER BY 1")
    assert names == [("acme-inc-shop-production",), ("acme-inc-shop-staging",)]


def test_an_app_without_a_slug_gets_one_from_its_name(database: Database, tenant: Tenant) -> None:
    add = "INSERT INTO paas_apps (organization_id, name) VALUES (%s, %s) RETURNING slug"
    assert database.one(add, tenant.organization, "My  First_App!", role="panel") == "my-first-app"
    assert len(database.one(add, tenant.organization, "日本", role="panel")) == 8


def wait_for_lock(database: Database, conn: psycopg.Connection) -> None:
    """Until that connection waits for a lock; asks the server, which sleeps between its looks."""
    for _ in range(1000):
        blocked = database.execute(
            "SELECT cardinality(pg_blocking_pids(%s)) > 0, pg_sleep(0.01)::text", conn.info.backend_pid
        )
        if blocked[0][0]:
            return
    pytest.fail("the statement did not wait for the lock")
