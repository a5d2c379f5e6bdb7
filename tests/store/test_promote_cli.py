"""``promote`` on a real database: what another environment of the app runs, and nothing else of it."""

from __future__ import annotations

from uuid import UUID

import pytest

from controller.cli.errors import ExitCode
from tests.store.conftest import Database, Tenant
from tests.store.test_config_cli import path
from tests.store.test_releases_cli import Run, make, run

__all__ = ["run"]
pytestmark = pytest.mark.anyio
DIGEST = "sha256:" + "c0" * 32


@pytest.fixture
def staging(database: Database, tenant: Tenant) -> UUID:
    """An environment of the app that production is of, with nothing but an image of its own."""
    made = database.one("SELECT app_id FROM paas_environments WHERE id = %s", tenant.environment)
    query = (
        "INSERT INTO paas_environments (app_id, name, image_ref, port) VALUES (%s, 'staging', 'web:0', 80) RETURNING id"
    )
    return UUID(str(database.one(query, made)))


def at(database: Database, name: str) -> str:
    return path(database, 2) + "/" + name


async def test_the_image_and_the_processes_are_declared_with_the_scale_that_is_there(
    database: Database, tenant: Tenant, staging: UUID, run: Run
) -> None:
    database.execute(
        "UPDATE paas_environments SET image_ref = %s, port = 8080, run_as = '7', instances = 3 WHERE id = %s",
        f"web:1@{DIGEST}",
        tenant.environment,
    )
    for environment, kind, instances, command in (
        (tenant.environment, "web", 3, "{serve}"),
        (tenant.environment, "worker", 4, "{work}"),
        (staging, "web", 2, "{old}"),
        (staging, "clock", 1, "{tick}"),
    ):
        database.execute(
            "INSERT INTO paas_processes (environment_id, type, instances, command) VALUES (%s, %s, %s, %s)",
            environment,
            kind,
            instances,
            command,
        )
    await make(database, tenant)
    words = at(database, "production"), at(database, "staging")
    before = database.execute("SELECT * FROM paas_environments ORDER BY id")
    said = run("promote", *words, "--dry-run")
    assert "would run what release 1" in said
    assert database.execute("SELECT * FROM paas_environments ORDER BY id") == before

    said = run("promote", *words, "--reason", "checked")
    assert "has settings of its own: runAs" in said
    assert "no digest" not in said
    row = database.execute(
        "SELECT image_ref, port, run_as, change_reason FROM paas_environments WHERE id = %s", staging
    )
    assert row == [(f"web:1@{DIGEST}", 8080, None, "checked")]
    processes = database.execute(
        "SELECT type, instances, command FROM paas_processes"
        " WHERE environment_id = %s AND deleted_at IS NULL ORDER BY 1",
        staging,
    )
    assert processes == [("web", 2, ["serve"]), ("worker", 4, ["work"])]
    assert "unchanged" in run("promote", *words)


async def test_one_image_of_an_index_is_promoted_by_the_index_which_may_be_what_is_signed(
    database: Database, tenant: Tenant, staging: UUID, run: Run
) -> None:
    index = "sha256:" + "1d" * 32
    database.execute("UPDATE paas_environments SET image_ref = 'web:1' WHERE id = %s", tenant.environment)
    database.execute(
        "INSERT INTO paas_image_facts (environment_id, reference, pinned, architecture, digests)"
        " VALUES (%s, 'web:1', %s, 'amd64', %s)",
        tenant.environment,
        f"web@{DIGEST}",
        [index, DIGEST],
        role="controller",
    )
    await make(database, tenant)
    run("promote", at(database, "production"), at(database, "staging"))
    row = database.execute("SELECT image_ref FROM paas_environments WHERE id = %s", staging)
    assert row == [(f"web:1@{index}",)]


async def test_what_cannot_be_promoted_is_refused_and_changes_nothing(
    database: Database, tenant: Tenant, staging: UUID, run: Run
) -> None:
    production, other = at(database, "production"), at(database, "staging")
    assert "no release that all tasks ran" in run("promote", production, other, code=ExitCode.ERROR)
    await make(database, tenant)
    assert "has no release 9" in run("promote", production, other, "--release", "9", code=ExitCode.ERROR)
    assert "name two environments" in run("promote", production, production, code=ExitCode.ERROR)
    app = database.one(
        "INSERT INTO paas_apps (organization_id, name, slug)"
        " SELECT organization_id, 'B', 'blog' FROM paas_apps LIMIT 1 RETURNING id"
    )
    database.execute("INSERT INTO paas_environments (app_id, name, image_ref) VALUES (%s, 'production', 'web:0')", app)
    elsewhere = path(database, 1) + "/blog/production"
    assert "is of another app" in run("promote", production, elsewhere, code=ExitCode.ERROR)
    database.execute("UPDATE paas_environments SET release = 1 WHERE id = %s", tenant.environment)
    assert "no digest" in run("promote", production, other)
    assert database.one("SELECT image_ref FROM paas_environments WHERE id = %s", staging) != "web:0"


async def test_what_names_a_release_of_its_own_is_promoted_to_only_when_that_is_undone(
    database: Database, tenant: Tenant, staging: UUID, run: Run
) -> None:
    await make(database, tenant)
    database.execute("UPDATE paas_environments SET release = 1 WHERE id = %s", tenant.environment)
    said = run("promote", at(database, "staging"), at(database, "production"), code=ExitCode.ERROR)
    assert "--undo" in said
