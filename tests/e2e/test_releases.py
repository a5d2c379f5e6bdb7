"""Releases on real parts: each change is one, and going back brings image, settings and values, and soon."""

from __future__ import annotations

import json
import time
from typing import Any

from tests.e2e.test_config import config, sees, shop
from tests.e2e.world import WEB, World, eventually

__all__ = ["shop"]
SECONDS = 30.0
"""So soon a release that is on the node is back."""


def releases(here: World) -> list[dict[str, Any]]:
    done = here.skypanel("releases", f"{here.slug('acme')}/shop/production", "-o", "json")
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def image(here: World) -> str:
    """That its tasks run."""
    spec = here.services()[here.service()]["Spec"]["TaskTemplate"]["ContainerSpec"]
    return str(spec["Image"]).partition("@")[0]


def test_a_release_comes_back_with_its_image_settings_and_values(here: World, shop: str) -> None:
    path = f"{here.slug('acme')}/shop/production"
    config(here, "set", "acme/shop/production", "COLOUR", stdin="blue")
    here.wait_ready(shop)
    good = releases(here)[0]["version"]
    config(here, "set", "acme/shop/production", "COLOUR", "--wait", stdin="green")
    here.sql("UPDATE paas_environments SET image_ref = %s, tmpfs_paths = '{}' WHERE id = %s", f"{WEB}:2", shop)
    here.wait_ready(shop)
    here.sql("UPDATE paas_environments SET instances = 2 WHERE id = %s", shop)
    here.wait_ready(shop)
    assert image(here) == f"{WEB}:2"
    assert sees(here, "COLOUR", "green")
    began = time.monotonic()
    done = here.skypanel("rollback", path, str(good), "--reason", "green is wrong", "--wait")
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - began < SECONDS
    assert sees(here, "COLOUR", "blue")
    assert image(here) == f"{WEB}:1"
    newest, *_ = releases(here)
    assert (newest["contentOf"], newest["why"], newest["state"]) == (good, "green is wrong", "deployed")
    service = here.services()[here.service()]
    assert service["Spec"]["Mode"]["Replicated"]["Replicas"] == 2, "the scale is today's"
    assert "has no effect until release is cleared" in here.conditions("environment", shop)["Ready"]["message"]
    assert here.skypanel("rollback", path, "--undo", "--wait").returncode == 0
    assert sees(here, "COLOUR", "green")


def test_what_ran_before_there_were_releases_becomes_the_first_and_is_not_touched(here: World, shop: str) -> None:
    # Of that time nothing asked whether it listens.
    here.sql("UPDATE paas_environments SET healthcheck = '{\"disabled\": true}' WHERE id = %s", shop)
    here.wait_ready(shop)
    before = here.versions()
    here.root("DELETE FROM paas_releases WHERE environment_id = %s", shop)
    assert here.skypanel("reconcile", "environment", f"{here.slug('acme')}/shop/production", "--wait").returncode == 0
    eventually(
        lambda: [(r["version"], r["state"]) for r in releases(here)] == [(1, "deployed")], what="it is release 1"
    )
    assert here.versions() == before


def test_what_a_build_has_made_runs_and_is_a_release_with_its_commit(here: World, shop: str) -> None:
    commit = "c" * 40
    here.sql("UPDATE paas_environments SET deploy_mode = 'buildpack' WHERE id = %s", shop)
    made = here.insert("paas_deployments", environment_id=shop, git_sha=commit, image_ref=f"{WEB}:2")
    assert image(here) == f"{WEB}:1"
    here.root("UPDATE paas_deployments SET status = 'succeeded' WHERE id = %s", made)
    here.wait_ready(shop)
    assert (image(here), releases(here)[0]["commit"]) == (f"{WEB}:2", commit)
    listed = here.skypanel("get", "environments", "-o", "wide")
    assert f"{WEB}:2" in listed.stdout
    assert "wanted" not in listed.stdout
