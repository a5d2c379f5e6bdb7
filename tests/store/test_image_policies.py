"""Image policies on a real database: who is looked at again, what documents say, who may write, what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pytest

from controller.cli.errors import ExitCode
from tests.store.conftest import Database, Tenant, make_tenant
from tests.store.test_config_cli import path
from tests.store.test_releases_cli import Run, run

__all__ = ["run"]
_VERDICT: LiteralString = (
    "INSERT INTO caas_image_verdicts (environment_id, image, policy, verdict, reason, message, updated_at)"
    " SELECT %s, 'web:' || n, 'p', 'allowed', '', 'm', now() + make_interval(secs => n)"
    " FROM generate_series(1, 30) AS n"
)


def generation(database: Database, tenant: Tenant) -> Any:
    return database.one("SELECT generation FROM paas_environments WHERE id = %s", tenant.environment)


def document(database: Database, tenant: Tenant) -> Any:
    return database.one("SELECT doc FROM skypanel.snapshot_environment WHERE id = %s", tenant.environment)


def test_a_policy_has_the_environments_of_its_organization_looked_at_and_no_others(
    database: Database, tenant: Tenant
) -> None:
    other = make_tenant(database, "beta")
    before, untouched = generation(database, tenant), generation(database, other)
    for statement in (
        "INSERT INTO caas_image_policies (organization_id, blocked_patterns) VALUES (%s, '{*:latest}')",
        "UPDATE caas_image_policies SET require_digest = true WHERE organization_id = %s",
        "DELETE FROM caas_image_policies WHERE organization_id = %s",
    ):
        database.execute(statement, tenant.organization, role="panel")
        now = generation(database, tenant)
        assert now > before
        before = now
    assert generation(database, other) == untouched


def test_a_document_has_the_policy_of_its_organization_and_the_newest_verdict(
    database: Database, tenant: Tenant
) -> None:
    assert (document(database, tenant)["image_policy"], document(database, tenant)["verdict"]) == (None, None)
    database.execute("INSERT INTO caas_image_policies (organization_id) VALUES (%s)", tenant.organization, role="panel")
    database.execute(_VERDICT, tenant.environment, role="controller")
    found = document(database, tenant)
    assert found["image_policy"]["enforcement"] == "new"
    assert found["verdict"] == {
        "image": "web:30",
        "policy": "p",
        "verdict": "allowed",
        "reason": "",
        "message": "m",
        "signed_by": [],
    }
    kept = database.execute("SELECT image FROM caas_image_verdicts ORDER BY updated_at")
    assert [image for (image,) in kept] == [f"web:{n}" for n in range(11, 31)]


def test_what_was_stopped_stays_known_however_many_others_are_asked_for(database: Database, tenant: Tenant) -> None:
    database.execute(
        "INSERT INTO caas_image_verdicts (environment_id, image, policy, verdict, reason, message, updated_at)"
        " VALUES (%s, 'old:1', 'p', 'stopped', 'ImageBlocked', 'm', now())",
        tenant.environment,
        role="controller",
    )
    database.execute(_VERDICT, tenant.environment, role="controller")
    assert document(database, tenant)["stopped_images"] == ["old:1"]
    assert database.one("SELECT count(*) FROM caas_image_verdicts") == 21


def test_nobody_but_the_controller_writes_a_verdict(database: Database, tenant: Tenant) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        database.execute(_VERDICT, tenant.environment, role="panel")


def test_what_a_policy_refuses_is_refused_before_it_is_committed(
    database: Database, tenant: Tenant, run: Run, tmp_path: Path
) -> None:
    organization = path(database, 1)
    policy, shop = tmp_path / "policy.yaml", tmp_path / "shop.yaml"
    policy.write_text(
        "apiVersion: skypanel.io/v1\nkind: ImagePolicy\n"
        f"metadata: {{name: default, organization: {organization}}}\nspec: {{blockedPatterns: ['*:latest']}}\n"
    )
    run("apply", "-f", str(policy))
    slug, app, name = path(database, 3).split("/")
    shop.write_text(
        "apiVersion: skypanel.io/v1\nkind: Environment\n"
        f"metadata: {{name: {name}, app: {app}, organization: {slug}}}\nspec: {{image: nginx}}\n"
    )
    before = generation(database, tenant)
    said = run("apply", "-f", str(shop), code=ExitCode.ERROR, role="skypanel_owner")
    assert f"image policy of organization {organization} blocks *:latest" in said
    assert generation(database, tenant) == before
