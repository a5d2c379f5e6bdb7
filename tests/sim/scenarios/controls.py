"""What people do beside specs: pause and resume, ask for a look now, and fight with the controller."""

from __future__ import annotations

from tests.sim.scenario import Desk, scenario
from tests.sim.scenarios.environment import BROKEN, WEB2, environment
from tests.sim.scenarios.organization import organization
from tests.sim.swarm.behaviour import NORMAL


@scenario()
async def an_object_is_paused_and_resumed(desk: Desk) -> None:
    home = organization(desk, "acme")
    shop = environment(desk, home, "shop")
    await desk.settle()
    desk.database.pause("object", shop, reason="a look at it")
    await desk.settle()
    assert desk.reason(shop) == "Paused"
    desk.change(shop, image_ref=WEB2)
    await desk.hands.remove_service(desk.service(shop))
    await desk.settle()
    assert desk.service(shop) not in desk.swarm.state()["services"], "made again, although it is paused"
    desk.database.resume("object", shop)
    await desk.settle()
    assert desk.reason(shop) == "Deployed"


@scenario()
async def an_organization_is_paused_while_it_is_deleted(desk: Desk) -> None:
    home = organization(desk, "acme")
    shop = environment(desk, home, "shop")
    await desk.settle()
    desk.database.pause("organization", home, reason="an invoice")
    desk.delete(home, shop)
    await desk.settle()
    assert desk.service(shop) in desk.swarm.state()["services"], "removed, although it is paused"
    desk.database.resume("organization", home)
    await desk.settle()
    assert desk.service(shop) not in desk.swarm.state()["services"]


@scenario()
async def everything_is_paused(desk: Desk) -> None:
    home = organization(desk, "acme")
    environment(desk, home, "shop")
    await desk.settle()
    desk.database.pause("installation", reason="maintenance")
    other = organization(desk, "other")
    environment(desk, other, "blog")
    await desk.settle()
    assert desk.network(other) not in desk.swarm.state()["networks"], "made, although everything is paused"
    desk.database.resume("installation")
    await desk.settle()


@scenario(extra=("update",))  # as environment.goes_back_when_the_new_image_does_not_start
async def a_rollout_that_failed_is_tried_again_when_it_is_asked_for(desk: Desk) -> None:
    home = organization(desk, "acme")
    shop = environment(desk, home, "shop")
    await desk.settle()
    desk.change(shop, image_ref=BROKEN)
    await desk.settle()
    assert desk.reason(shop) == "RolledBack"
    desk.swarm.behave(BROKEN, NORMAL)
    desk.database.ask(shop, "once more")
    await desk.settle()
    assert desk.reason(shop) == "Deployed"


@scenario(counts=False)
async def somebody_fights(desk: Desk) -> None:
    home = organization(desk, "acme")
    shop = environment(desk, home, "shop")
    await desk.settle()
    for _ in range(12):
        await desk.sleep(1.0)
        await desk.hands.scale(desk.service(shop), 3)
    await desk.settle()


@scenario()
async def rollouts_take_turns(desk: Desk) -> None:
    """One at once, as the simulated installation allows."""
    home = organization(desk, "acme")
    shops = [environment(desk, home, app) for app in ("shop", "blog")]
    await desk.settle()
    assert [desk.reason(shop) for shop in shops] == ["Deployed", "Deployed"]
