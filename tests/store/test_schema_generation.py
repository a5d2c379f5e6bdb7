"""generation and the change log: raised by what matters, by nothing else, and by everything that matters."""

from __future__ import annotations

from typing import LiteralString

import pytest

from tests.store.conftest import Database, Tenant, make_tenant


def generation(database: Database, tenant: Tenant) -> int:
    value = database.one("SELECT generation FROM paas_environments WHERE id = %s", tenant.environment)
    assert isinstance(value, int)
    return value


def consume(database: Database) -> list[tuple[str, str, str]]:
    """Takes the log as the controller does: kind, id, op in the order of writing."""
    rows = database.execute(
        "WITH taken AS (DELETE FROM skypanel.change_log RETURNING *)"
        " SELECT kind, id::text, op::text FROM taken ORDER BY seq",
        role="controller",
    )
    return [(kind, object_id, op) for kind, object_id, op in rows]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE paas_environments SET image_ref = 'web:2' WHERE id = %(environment)s",
        "UPDATE paas_environments SET suspended = true WHERE id = %(environment)s",
        "UPDATE paas_environments SET deleted_at = now() WHERE id = %(environment)s",
        "INSERT INTO paas_processes (environment_id, type) VALUES (%(environment)s, 'worker')",
        "UPDATE paas_processes SET instances = 2 WHERE environment_id = %(environment)s",
        "UPDATE paas_processes SET deleted_at = now() WHERE environment_id = %(environment)s",
        "DELETE FROM paas_processes WHERE environment_id = %(environment)s",
        "INSERT INTO paas_domains (environment_id, hostname) VALUES (%(environment)s, 'www.shop.example')",
        "UPDATE paas_domains SET process_type = 'api' WHERE environment_id = %(environment)s",
        "DELETE FROM paas_domains WHERE environment_id = %(environment)s",
        """
        INSERT INTO skypanel.config_vars (environment_id, name, ciphertext, key_id)
        VALUES (%(environment)s, 'B', '\\x01', 'k1')
        """,
        "UPDATE skypanel.config_vars SET ciphertext = '\\x02' WHERE environment_id = %(environment)s",
        "UPDATE skypanel.config_vars SET deleted_at = now() WHERE environment_id = %(environment)s",
        "DELETE FROM skypanel.config_vars WHERE environment_id = %(environment)s",
        "UPDATE paas_plans SET memory_mb = 128 WHERE id = %(plan)s",
        "UPDATE paas_apps SET slug = 'store' WHERE id = %(app)s",
        "UPDATE paas_apps SET suspended = true WHERE id = %(app)s",
        "UPDATE paas_apps SET deleted_at = now() WHERE id = %(app)s",
        "UPDATE paas_organizations SET suspended = true WHERE organization_id = %(organization)s",
        "UPDATE paas_organizations SET deleted_at = now() WHERE organization_id = %(organization)s",
        "UPDATE organizations SET slug = 'acme-inc' WHERE id = %(organization)s",
    ],
)
def test_what_decides_what_runs_raises_the_generation_and_logs_the_environment(
    database: Database, tenant: Tenant, change: LiteralString
) -> None:
    fill(database, tenant)
    before = generation(database, tenant)
    consume(database)
    with database.connect("panel") as conn:
        conn.execute(change, ids(tenant))
    assert generation(database, tenant) > before
    assert ("environment", str(tenant.environment), "U") in consume(database)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE paas_environments SET image_ref = image_ref, updated_at = now() WHERE id = %(environment)s",
        "UPDATE paas_plans SET price_hourly = 1, description = 'x' WHERE id = %(plan)s",
        "UPDATE paas_apps SET name = 'Other', repo_url = 'https://git.example/x' WHERE id = %(app)s",
        "UPDATE organizations SET name = 'Other' WHERE id = %(organization)s",
        "UPDATE paas_processes SET instances = instances WHERE environment_id = %(environment)s",
    ],
)
def test_what_does_not_decide_leaves_the_environment_alone(
    database: Database, tenant: Tenant, change: LiteralString
) -> None:
    fill(database, tenant)
    before = generation(database, tenant)
    consume(database)
    with database.connect("panel") as conn:
        conn.execute(change, ids(tenant))
    assert generation(database, tenant) == before
    assert "environment" not in {kind for kind, _, _ in consume(database)}


def test_status_columns_raise_nothing(database: Database, tenant: Tenant) -> None:
    fill(database, tenant)
    before = generation(database, tenant)
    consume(database)
    database.execute("UPDATE paas_domains SET dns_verify_status = 'verified', tls_status = 'issued'", role="controller")
    assert database.one("SELECT generation FROM paas_domains") == 1
    assert generation(database, tenant) == before
    assert consume(database) == []


def test_a_writer_cannot_choose_the_generation(database: Database, tenant: Tenant) -> None:
    database.execute("UPDATE paas_environments SET generation = 99")
    assert generation(database, tenant) == 1
    database.execute("UPDATE paas_environments SET generation = 99, instances = 2")
    assert generation(database, tenant) == 2
    database.execute("INSERT INTO paas_stacks (name, builder_image, run_image, generation) VALUES ('s', 'b', 'r', 7)")
    assert database.one("SELECT generation FROM paas_stacks") == 1


def test_another_environment_is_not_touched(database: Database, tenant: Tenant) -> None:
    other = make_tenant(database, organization="globex")
    fill(database, tenant)
    database.execute("UPDATE paas_apps SET suspended = true WHERE id = %s", tenant.app, role="panel")
    assert generation(database, other) == 1


def test_a_process_that_moves_touches_both_environments(database: Database, tenant: Tenant) -> None:
    other = make_tenant(database, organization="globex")
    fill(database, tenant)
    before = generation(database, tenant)
    database.execute("UPDATE paas_processes SET environment_id = %s", other.environment, role="panel")
    assert (generation(database, tenant), generation(database, other)) == (before + 1, 2)


def test_a_hard_delete_leaves_a_tombstone_of_everything_below(database: Database, tenant: Tenant) -> None:
    fill(database, tenant)
    consume(database)
    database.execute("DELETE FROM organizations", role="panel")
    gone = {kind for kind, _, op in consume(database) if op == "D"}
    assert gone == {"organization", "app", "environment", "process", "domain"}
    assert database.execute("SELECT * FROM skypanel.objects") == []


def test_a_change_notifies_once_a_transaction_and_a_rollback_does_not(database: Database, tenant: Tenant) -> None:
    with database.connect("controller") as listener, database.connect("panel") as panel:
        listener.execute("LISTEN skypanel_changes")
        with panel.transaction():
            panel.execute("UPDATE paas_environments SET instances = 2")
            panel.execute("UPDATE paas_environments SET instances = 3")
        with panel.transaction(force_rollback=True):
            panel.execute("UPDATE paas_environments SET instances = 4")
        panel.execute("UPDATE paas_environments SET instances = 5")
        heard = [note.payload for note in listener.notifies(timeout=10, stop_after=2)]
        assert heard == ["", ""]
        assert list(listener.notifies(timeout=0)) == []


def test_a_transaction_that_commits_late_is_not_skipped(database: Database, tenant: Tenant) -> None:
    consume(database)
    with database.connect("panel") as slow:
        with slow.transaction():
            slow.execute("UPDATE paas_apps SET name = 'Slow'")
            database.execute("UPDATE paas_plans SET memory_mb = 65", role="panel")
            assert ("plan", str(tenant.plan), "U") in consume(database)
        assert consume(database) == [("app", str(tenant.app), "U")]


def fill(database: Database, tenant: Tenant) -> None:
    """One process, one domain, one config var."""
    with database.connect("panel") as conn:
        conn.execute("INSERT INTO paas_processes (environment_id, type) VALUES (%s, 'web')", [tenant.environment])
        conn.execute(
            "INSERT INTO paas_domains (environment_id, hostname) VALUES (%s, 'shop.example')",
            [tenant.environment],
        )
        conn.execute(
            "INSERT INTO skypanel.config_vars (environment_id, name, ciphertext, key_id)"
            " VALUES (%s, 'A', '\\x00', 'k1')",
            [tenant.environment],
        )


def ids(tenant: Tenant) -> dict[str, object]:
    return {
        "environment": tenant.environment,
        "plan": tenant.plan,
        "app": tenant.app,
        "organization": tenant.organization,
    }
