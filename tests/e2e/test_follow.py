"""A tag that is followed, on real parts: it moves, its registry goes away, and what runs goes on."""

from __future__ import annotations

import base64
import os
from typing import Any

from tests.e2e.test_registries import Private, private, registries
from tests.e2e.test_releases import releases
from tests.e2e.world import WEB, World, eventually
from tests.registry.real import USER

__all__ = ["private"]


def runs(here: World) -> str:
    """The image of its service."""
    spec = here.services()[here.service()]["Spec"]["TaskTemplate"]["ContainerSpec"]
    return str(spec["Image"])


def followed(here: World, shop: str) -> dict[str, Any]:
    """What its status says of it."""
    status = here.status("environment", shop)
    found: dict[str, Any] = (status or {}).get("details", {}).get("follow", {})
    return found


def test_a_tag_that_moves_is_a_release_and_a_registry_that_is_away_is_said(here: World, private: Private) -> None:
    here.settings |= {
        "SKYPANEL_KEYS": base64.b64encode(os.urandom(32)).decode(),
        "SKYPANEL_ALLOWED_REGISTRIES": f"{WEB.partition('/')[0]},{private.host}",
    }
    here.controller().start()
    app = here.app(here.organization("acme"), "shop")
    path = f"{here.slug('acme')}/shop/production"
    waits = "--username", USER.username, "--wait"
    registries(here, "set", private.host, *waits, stdin=USER.password)
    image = private.push("stable", "1")
    shop = here.environment(app, image_ref=image, memory_mb=32, follow_seconds=60)
    here.wait_ready(shop)
    first = runs(here)
    assert first.startswith(f"{image}@sha256:")
    assert followed(here, shop) == {"interval": "1m", "state": "following"}

    private.push("stable", "2")
    assert here.skypanel("reconcile", "environment", path, "--wait").returncode == 0
    eventually(lambda: runs(here) != first, what="the tag has moved")
    here.wait_ready(shop)
    second = runs(here)
    newest, before = releases(here)
    assert (newest["by"], newest["version"], before["version"]) == ("registry", 2, 1)
    short = [each.partition("@")[2][:19] for each in (first, second)]
    assert newest["why"] == f"{image} moved from {short[0]} to {short[1]}"

    private.registry.process.terminate()
    private.registry.process.wait()
    here.skypanel("reconcile", "environment", path)
    eventually(lambda: followed(here, shop).get("state") == "held", what="it is said")
    assert followed(here, shop)["reason"] == "RegistryUnavailable"
    assert followed(here, shop)["since"]
    assert (here.wait_ready(shop)["ready"], runs(here)) == (True, second)
    explained = here.skypanel("explain", "environment", path)
    assert "cannot be found out" in explained.stdout + explained.stderr
