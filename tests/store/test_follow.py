"""A tag that moves: a release whose author is nobody who changed the environment, and what else is never said so."""

from __future__ import annotations

from typing import Any

from psycopg.types.json import Jsonb

from tests.store.conftest import Database, Tenant

ONE, TWO = (f"shop:1@sha256:{digit * 64}" for digit in "12")


def make(database: Database, tenant: Tenant, image: str, **settings: Any) -> int:
    """The version of the release of this content."""
    found = database.one(
        "SELECT skypanel.make_release(id, generation, %s, NULL, %s, %s, %s, NULL, 50)"
        " FROM paas_environments WHERE id = %s",
        f"{image} {settings}",
        image,
        Jsonb({"image_ref": "shop:1", **settings}),
        Jsonb([{"type": "web", "instances": settings.get("instances", 1)}]),
        tenant.environment,
        role="controller",
    )
    assert isinstance(found, int)
    return found


def said(database: Database, version: int) -> tuple[object, object]:
    """Who made it, and why."""
    who = database.one("SELECT made_by FROM paas_releases WHERE version = %s", version)
    return who, database.one("SELECT reason FROM paas_releases WHERE version = %s", version)


def test_nobody_who_changed_the_environment_moved_the_tag(database: Database, tenant: Tenant) -> None:
    assert make(database, tenant, ONE) == 1
    assert make(database, tenant, TWO) == 2
    assert said(database, 1) != said(database, 2)
    assert said(database, 2) == ("registry", "shop:1 moved from sha256:111111111111 to sha256:222222222222")
    assert make(database, tenant, TWO) == 2


def test_whoever_changes_something_else_at_the_same_time_has_made_the_release(
    database: Database, tenant: Tenant
) -> None:
    make(database, tenant, ONE)
    assert said(database, make(database, tenant, TWO, cmd=["serve"]))[0] != "registry"
    assert said(database, make(database, tenant, ONE, image_ref="shop:2", cmd=["serve"]))[0] != "registry"


def test_what_new_releases_have_by_themselves_is_no_change_of_anybody(database: Database, tenant: Tenant) -> None:
    make(database, tenant, ONE)
    assert said(database, make(database, tenant, TWO, port_check=True, start_deadline=True))[0] == "registry"
    assert said(database, make(database, tenant, ONE, port_check=True))[0] == "registry"


def test_who_goes_back_to_a_release_and_on_has_done_so_himself(database: Database, tenant: Tenant) -> None:
    make(database, tenant, ONE)
    make(database, tenant, TWO)
    database.execute("UPDATE paas_environments SET release = 1", role="panel")
    back = make(database, tenant, ONE)
    database.execute("UPDATE paas_environments SET release = NULL", role="panel")
    assert {said(database, back)[0], said(database, make(database, tenant, TWO))[0]}.isdisjoint({"registry"})


def test_a_tag_without_a_digest_is_nothing_that_moved(database: Database, tenant: Tenant) -> None:
    make(database, tenant, "shop:1")
    assert said(database, make(database, tenant, ONE))[0] != "registry"


def test_whether_a_tag_is_followed_is_no_part_of_a_release_and_says_nothing_of_its_author(
    database: Database, tenant: Tenant
) -> None:
    before = database.one("SELECT changed_by FROM paas_environments")
    generation = database.one("SELECT generation FROM paas_environments")
    database.execute("UPDATE paas_environments SET follow_seconds = 60", role="panel")
    assert database.one("SELECT changed_by FROM paas_environments") == before
    assert database.one("SELECT generation FROM paas_environments") != generation


def test_what_was_said_of_another_image_is_not_said_of_this_one(database: Database, tenant: Tenant) -> None:
    database.execute("UPDATE paas_environments SET image_ref = 'shop:1'", role="panel")
    database.execute(
        "INSERT INTO paas_image_facts (environment_id, reference, pinned, architecture, follow_reason, follow_message)"
        " VALUES (%s, 'shop:1', 'shop@sha256:1', 'amd64', 'RegistryUnavailable', 'away')",
        tenant.environment,
        role="controller",
    )
    followed = "SELECT doc #>> '{followed,reason}' FROM skypanel.snapshot_environment"
    assert database.one(followed, role="controller") == "RegistryUnavailable"
    database.execute("UPDATE paas_environments SET image_ref = 'shop:2'", role="panel")
    assert database.one(followed, role="controller") is None
