"""Soft deletes: passed on, taken back, and the names that they free."""

from __future__ import annotations

import psycopg
import pytest

from tests.store.conftest import Database, Tenant, make_tenant

STILL_REFERRED_TO = (psycopg.errors.ForeignKeyViolation, psycopg.errors.RestrictViolation)
"""The second is what PostgreSQL says from 18 on."""


def marks(database: Database) -> dict[str, bool]:
    return dict(
        database.execute(
            "SELECT 'app', deleted_at IS NOT NULL FROM paas_apps UNION ALL"
            " SELECT 'environment', deleted_at IS NOT NULL FROM paas_environments UNION ALL"
            " SELECT hostname, deleted_at IS NOT NULL FROM paas_domains"
        )
    )


@pytest.fixture
def domains(database: Database, tenant: Tenant) -> None:
    for name in ("old.example", "new.example"):
        database.execute(
            "INSERT INTO paas_domains (environment_id, hostname) VALUES (%s, %s)",
            tenant.environment,
            name,
            role="panel",
        )
    database.execute("UPDATE paas_domains SET deleted_at = now() WHERE hostname = 'old.example'", role="panel")


@pytest.mark.usefixtures("domains")
def test_deleting_an_organization_is_passed_on_and_taken_back_exactly(database: Database) -> None:
    database.execute("UPDATE paas_organizations SET deleted_at = now()", role="panel")
    assert marks(database) == {"app": True, "environment": True, "old.example": True, "new.example": True}
    database.execute("UPDATE paas_organizations SET deleted_at = NULL", role="panel")
    assert marks(database) == {"app": False, "environment": False, "old.example": True, "new.example": False}


@pytest.mark.usefixtures("domains")
def test_a_deleted_environment_frees_its_name_and_host_names_at_once(database: Database, tenant: Tenant) -> None:
    database.execute("UPDATE paas_apps SET deleted_at = now()", role="panel")
    app = database.one(
        "INSERT INTO paas_apps (organization_id, name, slug) VALUES (%s, 'Shop', 'shop') RETURNING id",
        tenant.organization,
        role="panel",
    )
    environment = database.one(
        "INSERT INTO paas_environments (app_id, name, image_ref) VALUES (%s, 'production', 'web:1') RETURNING id",
        app,
        role="panel",
    )
    database.execute(
        "INSERT INTO paas_domains (environment_id, hostname) VALUES (%s, 'new.example')",
        environment,
        role="panel",
    )
    names = database.execute("SELECT swarm_name FROM paas_environments WHERE deleted_at IS NULL")
    assert names == [("acme-shop-production",)]


def test_taking_back_a_delete_is_refused_when_the_name_is_in_use_again(database: Database, tenant: Tenant) -> None:
    database.execute("UPDATE paas_environments SET deleted_at = now()", role="panel")
    database.execute(
        "INSERT INTO paas_environments (app_id, name, image_ref) VALUES (%s, 'production', 'web:1')",
        tenant.app,
        role="panel",
    )
    with pytest.raises(psycopg.errors.UniqueViolation, match="paas_environments_name_unique"):
        database.execute("UPDATE paas_environments SET deleted_at = NULL", role="panel")


def test_objects_below_a_deleted_parent_are_deleted(database: Database, tenant: Tenant) -> None:
    make_tenant(database, organization="globex")
    database.execute("UPDATE paas_apps SET deleted_at = now() WHERE id = %s", tenant.app, role="panel")
    database.execute("UPDATE paas_environments SET deleted_at = NULL WHERE id = %s", tenant.environment, role="panel")
    deleted = database.execute("SELECT id FROM skypanel.objects WHERE deleted", role="controller")
    assert deleted == [(tenant.environment,)]
    assert database.one("SELECT deleted FROM skypanel.snapshot_environment WHERE id = %s", tenant.environment)


def test_nothing_new_goes_under_a_deleted_parent(database: Database, tenant: Tenant) -> None:
    database.execute("UPDATE paas_organizations SET deleted_at = now()", role="panel")
    with pytest.raises(psycopg.errors.CheckViolation, match=r"app .* is being deleted"):
        database.execute(
            "INSERT INTO paas_environments (app_id, name, image_ref) VALUES (%s, 'staging', 'web:1')",
            tenant.app,
            role="panel",
        )
    with pytest.raises(psycopg.errors.CheckViolation, match=r"organization .* is being removed"):
        database.execute(
            "INSERT INTO paas_apps (organization_id, name) VALUES (%s, 'New')",
            tenant.organization,
            role="panel",
        )


def test_a_plan_in_use_cannot_be_deleted(database: Database, tenant: Tenant) -> None:
    with pytest.raises(STILL_REFERRED_TO, match="paas_environments_plan_id_fkey"):
        database.execute("DELETE FROM paas_plans WHERE id = %s", tenant.plan, role="panel")


def test_a_user_that_goes_leaves_the_app(database: Database, tenant: Tenant) -> None:
    other = database.one(
        "INSERT INTO users (email, password_hash, name) VALUES ('dev@acme.example', 'x', 'Dev') RETURNING id",
        role="panel",
    )
    database.execute("UPDATE paas_apps SET created_by = %s", other, role="panel")
    database.execute("DELETE FROM users WHERE id = %s", other)
    assert database.execute("SELECT id, created_by FROM paas_apps") == [(tenant.app, None)]


def test_a_plan_can_go_when_only_deleted_environments_used_it(database: Database, tenant: Tenant) -> None:
    plan = database.one(
        "INSERT INTO paas_plans (name, cpu_limit, memory_mb) VALUES ('leaving', 1, 64) RETURNING id", role="panel"
    )
    database.execute("UPDATE paas_environments SET plan_id = %s WHERE id = %s", plan, tenant.environment, role="panel")
    with pytest.raises(STILL_REFERRED_TO):
        database.execute("DELETE FROM paas_plans WHERE id = %s", plan, role="panel")
    database.execute("UPDATE paas_environments SET deleted_at = now() WHERE id = %s", tenant.environment, role="panel")
    database.execute("DELETE FROM paas_plans WHERE id = %s", plan, role="panel")
    assert database.one("SELECT count(*) FROM paas_plans WHERE id = %s", plan) == 0
