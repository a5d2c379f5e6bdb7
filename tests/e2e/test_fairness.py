"""Fair shares on real parts: an organization with much to do does not keep another one waiting."""

from __future__ import annotations

from typing import Any

from tests.e2e.world import WEB, World, eventually

MANY = 400


def test_one_change_does_not_wait_for_the_hundreds_of_another_organization(here: World) -> None:
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
    before = len(here.services())
    here.environment(shop, instances=0)
    name = here.service("small-shop-production")
    eventually(lambda: here.engine.get(f"/services/{name}"), what="the single change is made")
    made = len(here.services()) - before
    # What was under way is done first, and a look at the engine takes its time: by then a busy one has made some more.
    assert made < MANY // 2, f"{made} of the other's were made first"
