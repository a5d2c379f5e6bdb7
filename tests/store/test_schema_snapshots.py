"""The snapshot views: one document an object, readable by the models, found by index."""

from __future__ import annotations

from typing import Any

from specs.snapshots import EnvironmentSnapshot, OrganizationSnapshot
from tests.store.conftest import Database, Tenant, make_tenant


def environment(database: Database, tenant: Tenant) -> dict[str, Any]:
    document = database.one(
        "SELECT doc FROM skypanel.snapshot_environment WHERE id = ANY (%s)",
        [tenant.environment],
        role="controller",
    )
    assert isinstance(document, dict)
    return document


def test_the_models_read_the_documents(database: Database, tenant: Tenant) -> None:
    for kind in ("web", "worker"):
        database.execute("INSERT INTO paas_processes (environment_id, type) VALUES (%s, %s)", tenant.environment, kind)
    database.execute(
        "INSERT INTO paas_domains (environment_id, hostname) VALUES (%s, 'shop.localhost')",
        tenant.environment,
    )
    snapshot = EnvironmentSnapshot.model_validate(environment(database, tenant))
    assert (snapshot.id, snapshot.swarm_name) == (tenant.environment, "acme-shop-production")
    assert [process.type for process in snapshot.processes] == ["web", "worker"]
    assert [domain.hostname for domain in snapshot.domains] == ["shop.localhost"]
    assert snapshot.plan is not None
    assert snapshot.plan.memory_mb == 64
    document = database.one("SELECT doc FROM skypanel.snapshot_organization", role="controller")
    assert OrganizationSnapshot.model_validate(document).slug == "acme"


def test_a_column_that_is_added_later_is_in_the_documents(database: Database, tenant: Tenant) -> None:
    database.execute("INSERT INTO paas_processes (environment_id, type) VALUES (%s, 'web')", tenant.environment)
    database.execute("ALTER TABLE paas_environments ADD COLUMN mood text DEFAULT 'calm'")
    database.execute("ALTER TABLE paas_processes ADD COLUMN mood text DEFAULT 'calm'")
    document = environment(database, tenant)
    assert (document["mood"], document["processes"][0]["mood"]) == ("calm", "calm")


def test_who_changed_a_column_that_is_added_later_is_said(database: Database, tenant: Tenant) -> None:
    database.execute("ALTER TABLE paas_environments ADD COLUMN mood text DEFAULT 'calm'")

    def change(what: str, who: str) -> object:
        with database.connect() as connection:
            connection.execute("SELECT set_config('skypanel.actor', %s, false)", [who])
            connection.execute(f"UPDATE paas_environments SET {what}".encode())
        return database.one("SELECT changed_by FROM paas_environments")

    assert change("mood = 'angry'", "ann") == "ann"
    assert change("instances = 3, cpu_limit = 0.2, suspended = true", "bob") == "ann", "scale is no part of what runs"


def test_deleted_processes_and_domains_are_not_in_the_document(database: Database, tenant: Tenant) -> None:
    database.execute(
        "INSERT INTO paas_processes (environment_id, type, deleted_at) VALUES (%s, 'web', now())",
        tenant.environment,
    )
    database.execute(
        "INSERT INTO paas_domains (environment_id, hostname, deleted_at) VALUES (%s, 'a.example', now())",
        tenant.environment,
    )
    document = environment(database, tenant)
    assert (document["processes"], document["domains"]) == ([], [])


def test_a_suspended_parent_suspends(database: Database, tenant: Tenant) -> None:
    assert environment(database, tenant)["suspended"] is False
    database.execute("UPDATE paas_apps SET suspended = true")
    assert environment(database, tenant)["suspended"] is True
    database.execute("UPDATE paas_apps SET suspended = false")
    database.execute("UPDATE paas_organizations SET suspended = true")
    assert environment(database, tenant)["suspended"] is True


def test_dependents_of_an_organization_are_its_environments(database: Database, tenant: Tenant) -> None:
    make_tenant(database, organization="globex")
    rows = database.execute(
        "SELECT dependent_kind, dependent_id FROM skypanel.dependents WHERE kind = 'organization' AND id = %s",
        tenant.organization,
        role="controller",
    )
    assert rows == [("environment", tenant.environment)]


def test_one_environment_is_found_by_indexes_alone(database: Database, tenant: Tenant) -> None:
    database.execute(
        "INSERT INTO paas_environments (app_id, name, image_ref, instances)"
        " SELECT %s, 'env-' || n, 'web:1', 0 FROM generate_series(1, 2000) AS n",
        tenant.app,
    )
    database.execute("INSERT INTO paas_processes (environment_id, type) SELECT id, 'web' FROM paas_environments")
    database.execute(
        "INSERT INTO paas_domains (environment_id, hostname) SELECT id, name || '.example' FROM paas_environments"
    )
    database.execute("ANALYZE")
    plan = database.execute(
        "EXPLAIN SELECT k.id, s.doc FROM unnest(%s::uuid[]) AS k(id)"
        " LEFT JOIN skypanel.snapshot_environment s ON s.id = k.id",
        [tenant.environment],
    )
    text = "\n".join(line for (line,) in plan)
    for table in ("paas_environments", "paas_processes", "paas_domains"):
        assert f"Seq Scan on {table}" not in text
