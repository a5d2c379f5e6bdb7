"""Buildpack mode: an environment runs what was deployed last, and each deployment is told to it once."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.store.conftest import Database, Tenant

Deploy = Callable[..., str]
SHA = "a" * 40


def image(database: Database) -> object:
    return database.one("SELECT doc ->> 'image_ref' FROM skypanel.snapshot_environment", role="controller")


def generation(database: Database) -> int:
    found = database.one("SELECT generation FROM paas_environments")
    assert isinstance(found, int)
    return found


@pytest.fixture
def deploy(database: Database, tenant: Tenant) -> Deploy:
    """Builds ``image``, asked for ``minute`` minutes after the first; its id."""
    database.execute("UPDATE paas_environments SET deploy_mode = 'buildpack', image_ref = NULL", role="panel")

    def deploy(image: str | None, minute: int, status: str = "succeeded") -> str:
        made = database.one(
            "INSERT INTO paas_deployments (environment_id, git_sha, image_ref, created_at)"
            " VALUES (%s, %s, %s, timestamptz '2026-01-01 00:00Z' + %s * interval '1 minute') RETURNING id::text",
            tenant.environment,
            SHA,
            image,
            minute,
            role="panel",
        )
        database.execute("UPDATE paas_deployments SET status = %s WHERE id = %s", status, made, role="controller")
        return str(made)

    return deploy


def test_the_newest_deployment_that_succeeded_runs(database: Database, deploy: Deploy) -> None:
    assert image(database) is None
    deploy("shop:1", 1)
    deploy("shop:3", 3)
    for other in ("failed", "cancelled", "building"):
        deploy("shop:4", 4, other)
    deploy(None, 5)
    assert image(database) == "shop:3"
    deploy("shop:2", 2)
    assert image(database) == "shop:3", "an older build that took longer takes nothing back"
    database.execute("DELETE FROM paas_deployments WHERE image_ref = 'shop:3'", role="panel")
    assert image(database) == "shop:2"


def test_the_declared_image_runs_until_something_was_deployed_and_in_image_mode(
    database: Database, deploy: Deploy
) -> None:
    database.execute("UPDATE paas_environments SET image_ref = 'shop:0'", role="panel")
    assert image(database) == "shop:0"
    deploy("shop:1", 1)
    assert image(database) == "shop:1"
    database.execute("UPDATE paas_environments SET deploy_mode = 'image'", role="panel")
    assert image(database) == "shop:0"


def test_its_environment_is_looked_at_when_what_runs_is_another_and_not_otherwise(
    database: Database, deploy: Deploy
) -> None:
    before = generation(database)
    deploy("shop:3", 3)
    assert generation(database) == before + 1
    deploy("shop:4", 4, "failed")
    deploy("shop:2", 2)
    database.execute("UPDATE paas_deployments SET logs_ref = 'x', completed_at = now()", role="controller")
    database.execute("DELETE FROM paas_deployments WHERE image_ref = 'shop:2'", role="panel")
    assert generation(database) == before + 1
    database.execute("UPDATE paas_deployments SET image_ref = 'shop:5' WHERE image_ref = 'shop:3'", role="panel")
    assert generation(database) == before + 2
    database.execute("DELETE FROM paas_deployments", role="panel")
    assert generation(database) == before + 3


def test_who_deployed_and_which_commit_is_on_record_and_is_not_that_of_what_follows(
    database: Database, tenant: Tenant, deploy: Deploy
) -> None:
    with database.connect("controller") as connection, connection.transaction():
        connection.execute("SELECT set_config('skypanel.actor', 'builder', true)")
        connection.execute(
            "UPDATE paas_deployments SET status = 'succeeded' WHERE id = %s", [deploy("shop:1", 1, "building")]
        )
        assert connection.execute("SELECT current_setting('skypanel.commit', true)").fetchone() == ("",)
    assert database.execute("SELECT changed_by, change_commit FROM paas_environments") == [("builder", SHA)]


def test_what_is_no_image_is_refused(database: Database, deploy: Deploy) -> None:
    with pytest.raises(Exception, match="paas_deployments_image_ref_form"):
        deploy("not an image", 1)


def test_a_deployed_image_is_what_was_looked_up_for_it(database: Database, tenant: Tenant, deploy: Deploy) -> None:
    deploy("shop:1", 1)
    database.execute(
        "INSERT INTO paas_image_facts (environment_id, reference, pinned, architecture)"
        " VALUES (%s, 'shop:1', 'shop:1@sha256:' || repeat('a', 64), 'amd64')",
        tenant.environment,
        role="controller",
    )
    read = "SELECT doc -> 'resolved' ->> 'reference' FROM skypanel.snapshot_environment"
    assert database.one(read, role="controller") == "shop:1"
    deploy("shop:2", 2)
    assert database.one(read, role="controller") is None
