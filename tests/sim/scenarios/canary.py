"""A part of the tasks first: the others follow when these have been quiet, and all go back when one of them ends."""

from __future__ import annotations

from collections import Counter
from typing import Any

from controller.records import Key
from reconcilers import labels
from reconcilers.images import Images
from tests.sim import images
from tests.sim.scenario import Simulation, scenario
from tests.sim.scenarios.environment import WEB, WEB2, domain, environment
from tests.sim.scenarios.organization import organization
from tests.sim.scenarios.releases import versions
from tests.sim.swarm.behaviour import Behaviour

NEXT = "127.0.0.1:5000/web:3"
CANARY = {"share": 30, "quiet_seconds": 240}
"""Of four tasks, two."""
DIES_LATE = Behaviour(exit_after=150.0, exit_code=3)


def shop_of_four(sim: Simulation, **fields: Any) -> Key:
    return environment(sim, organization(sim, "acme"), "shop", instances=4, canary=CANARY, **fields)


def running(sim: Simulation) -> dict[str, int]:
    """Tasks that run, by image as it was declared."""
    containers = (t.spec["ContainerSpec"] for t in sim.swarm.store.tasks.values() if t.state == "running")
    ours = (each["Image"] for each in containers if labels.PROCESS in (each.get("Labels") or {}))
    found = Counter(image.partition("@")[0] for image in ours)
    return {image: found[image] for image in (WEB, WEB2) if found[image]}


@scenario()
async def the_others_follow_when_the_first_have_been_quiet(sim: Simulation) -> None:
    shop = shop_of_four(sim)
    await sim.settle()
    sim.change(shop, image_ref=WEB2)
    await sim.sleep(120.0)
    assert (sim.reason(shop), running(sim)) == ("Canary", {WEB: 2, WEB2: 2})
    await sim.sleep(240.0)
    await sim.settle()
    assert (sim.reason(shop), running(sim), versions(sim, shop)) == ("Deployed", {WEB2: 4}, [(1, True), (2, True)])


@scenario()
async def its_quiet_time_goes_on_when_another_leads(sim: Simulation) -> None:
    shop = shop_of_four(sim)
    await sim.settle()
    sim.change(shop, image_ref=WEB2)
    for seconds in (120.0, 80.0):  # after each of which it would begin anew
        await sim.sleep(seconds)
        assert (sim.reason(shop), running(sim)) == ("Canary", {WEB: 2, WEB2: 2})
        sim.take_over()
    await sim.sleep(200.0)
    assert (sim.reason(shop), running(sim)) == ("Deployed", {WEB2: 4})
    await sim.settle()


@scenario(extra=("update",))
async def all_go_back_when_one_of_the_first_ends(sim: Simulation) -> None:
    shop = shop_of_four(sim)
    sim.swarm.behave(WEB2, DIES_LATE)
    await sim.settle()
    sim.change(shop, image_ref=WEB2)
    await sim.sleep(300.0)
    await sim.settle()
    assert (sim.reason(shop), running(sim), versions(sim, shop)) == ("RolledBack", {WEB: 4}, [(1, True), (2, False)])


@scenario(extra=("update",))
async def one_of_the_first_ends_after_a_route_was_written(sim: Simulation) -> None:
    shop = shop_of_four(sim)
    sim.swarm.behave(WEB2, DIES_LATE)
    await sim.settle()
    sim.change(shop, image_ref=WEB2)
    await sim.sleep(60.0)
    sim.change(shop, domains=[domain(sim, "shop.example.com")])
    await sim.sleep(300.0)
    await sim.settle()
    assert (sim.reason(shop), running(sim)) == ("RolledBack", {WEB: 4})


@scenario(extra=("update",))
async def what_fails_when_the_others_follow_is_taken_back(sim: Simulation) -> None:
    shop = shop_of_four(sim)
    await sim.settle()
    sim.change(shop, image_ref=WEB2)
    await sim.sleep(120.0)
    sim.swarm.behave(WEB2, Behaviour(exit_after=0.1, exit_code=3))
    await sim.sleep(240.0)
    await sim.settle()
    assert (sim.reason(shop), running(sim)) == ("RolledBack", {WEB: 4})


@scenario()
async def it_goes_on_when_it_is_cleared_and_ends_with_the_image_of_before(sim: Simulation) -> None:
    shop = shop_of_four(sim)
    await sim.settle()
    sim.change(shop, image_ref=WEB2)
    await sim.sleep(120.0)
    sim.change(shop, image_ref=WEB)
    await sim.settle()
    await sim.sleep(10.0)  # in which the others end
    assert (sim.reason(shop), running(sim)) == ("Deployed", {WEB: 4}), "it does not rest on the way back"
    sim.change(shop, image_ref=WEB2)
    await sim.sleep(120.0)
    sim.change(shop, canary=None)
    await sim.settle()
    assert (sim.reason(shop), running(sim)) == ("Deployed", {WEB2: 4})


@scenario(extra=("update",))
async def what_only_the_first_run_goes_when_the_next_release_cannot_be_made(sim: Simulation) -> None:
    shop = shop_of_four(sim)
    await sim.settle()
    sim.change(shop, image_ref=WEB2)
    await sim.sleep(120.0)
    assert sim.reason(shop) == "Canary", sim.reason(shop)
    sim.port(Images).failures[NEXT] = images.unavailable
    sim.change(shop, image_ref=NEXT)
    await sim.settle()
    await sim.sleep(30.0)  # what was told to stop has stopped
    assert (sim.reason(shop), running(sim)) == ("RegistryUnavailable", {WEB: 4}), (sim.reason(shop), running(sim))


@scenario(counts=False)  # how far it is
async def what_the_others_still_run_is_stopped_by_a_policy_and_the_first_are_followed_at_once(sim: Simulation) -> None:
    shop = shop_of_four(sim)
    await sim.settle()
    sim.change(shop, image_ref=WEB2)
    await sim.sleep(120.0)
    assert (sim.reason(shop), running(sim)) == ("Canary", {WEB: 2, WEB2: 2})
    sim.change(shop, image_policy={"blocked_patterns": [WEB], "enforcement": "all"})
    await sim.sleep(30.0)
    assert (sim.reason(shop), running(sim)) == ("Deployed", {WEB2: 4})
    await sim.settle()


@scenario(counts=False)  # how far it is
async def the_first_go_back_where_a_policy_stops_them(sim: Simulation) -> None:
    shop = shop_of_four(sim)
    await sim.settle()
    sim.change(shop, image_ref=WEB2)
    await sim.sleep(120.0)
    sim.change(shop, image_policy={"blocked_patterns": [WEB2], "enforcement": "all"})
    await sim.sleep(30.0)
    await sim.settle()
    assert (sim.reason(shop), running(sim)) == ("ImageBlocked", {WEB: 4})
