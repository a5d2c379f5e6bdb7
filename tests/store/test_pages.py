"""Host names of what is suspended: in the organization's document, which is looked at again when they change."""

from __future__ import annotations

from typing import Any

import pytest

from tests.store.conftest import Database, Tenant

LEVELS = ("paas_organizations", "paas_apps", "paas_environments")


def hosts(database: Database) -> tuple[list[str], list[str]]:
    """Those with a page, and those that keep one."""
    found: Any = database.one("SELECT doc FROM skypanel.snapshot_organization", role="controller")
    return found["suspended_hosts"], found["resuming_hosts"]


def logged(database: Database) -> list[str]:
    """Kinds in the change log, which is empty afterwards."""
    return sorted({row[0] for row in database.execute("DELETE FROM skypanel.change_log RETURNING kind")})


def says(database: Database, tenant: Tenant, *, ready: bool, conditions: str = "[]") -> None:
    """What the controller said last of the environment, for the generation that it has."""
    database.execute(
        "INSERT INTO skypanel.object_status (kind, id, observed_generation, conditions, ready, reason, message, epoch)"
        " SELECT 'environment', id, generation, %s, %s, '', '', 1 FROM paas_environments WHERE id = %s"
        " ON CONFLICT (kind, id) DO UPDATE SET ready = EXCLUDED.ready, conditions = EXCLUDED.conditions,"
        " observed_generation = EXCLUDED.observed_generation",
        conditions,
        ready,
        tenant.environment,
    )


@pytest.fixture
def shop(database: Database, tenant: Tenant) -> Tenant:
    """An environment that is ready, with a domain."""
    database.execute(
        "INSERT INTO paas_domains (environment_id, hostname) VALUES (%s, 'shop.localhost')", tenant.environment
    )
    says(database, tenant, ready=True)
    logged(database)
    return tenant


@pytest.mark.parametrize("table", LEVELS)
def test_suspended_and_resumed_at_any_level_the_organization_is_looked_at(
    database: Database, shop: Tenant, table: str
) -> None:
    assert hosts(database) == ([], [])
    database.execute(f"UPDATE {table} SET suspended = true")
    assert "organization" in logged(database)
    assert hosts(database) == (["shop.localhost"], [])
    database.execute(f"UPDATE {table} SET suspended = false")
    assert "organization" in logged(database)
    assert hosts(database) == ([], ["shop.localhost"]), "what was said of it is older"
    says(database, shop, ready=False)
    assert hosts(database) == ([], ["shop.localhost"])
    says(database, shop, ready=False, conditions='[{"type": "Stalled", "status": "True"}]')
    assert hosts(database) == ([], []), "it is given up"
    says(database, shop, ready=True)
    assert hosts(database) == ([], [])


def test_a_domain_of_what_is_suspended_counts_and_another_does_not(database: Database, shop: Tenant) -> None:
    add = "INSERT INTO paas_domains (environment_id, hostname) VALUES (%s, %s)"
    database.execute(add, shop.environment, "more.localhost")
    assert logged(database) == ["domain", "environment"]
    database.execute("UPDATE paas_apps SET suspended = true")
    logged(database)
    database.execute(add, shop.environment, "late.localhost")
    assert logged(database) == ["domain", "environment", "organization"]
    database.execute("UPDATE paas_domains SET deleted_at = now() WHERE hostname = 'late.localhost'")
    assert "organization" in logged(database)
    database.execute("DELETE FROM paas_domains WHERE hostname = 'more.localhost'")
    assert "organization" in logged(database)
    assert hosts(database)[0] == ["shop.localhost"]
