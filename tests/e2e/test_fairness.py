"""Fair shares on real parts: an organization with much to do does not keep another one waiting."""

from __future__ import annotations

import time
from typing import Any

from tests.e2e.world import WEB, World, eventually

MANY = 400


def test_one_change_is_made_within_a_second_while_another_organization_has_hundreds(here: World) -> None:
    large, small = here.organization("large"), here.organization("small")
    crowd, shop = here.app(large, "crowd"), here.app(small, "shop")

    def networks() -> list[dict[str, Any]]:
        return [here.status("organization", o) or {} for o in (large, small)]

    here.controller().start()
    eventually(lambda: all(o.get("ready") for o in networks()), what="the networks are up")

    here.sql(
        "INSERT INTO paas_environments (app_id, name, image_ref, port, instances)"
        " SELECT %s, 'e' || number, %s, 8080, 0 FROM generate_series(1, %s) AS number",
        crowd,
        f"{WEB}:1",
        MANY,
    )
    eventually(lambda: len(here.services()) > 2, what="the crowd is on its way")
    here.environment(shop, instances=0)
    asked = time.monotonic()
    name = here.service("small-shop-production")
    eventually(lambda: here.engine.get(f"/services/{name}"), seconds=5, what="the single change is made")
    took = time.monotonic() - asked
    assert took < 1.0
    # Two are pins, one is the one that was waited for.
    assert len(here.services()) < MANY + 3, "the crowd was done before, so this said nothing"
