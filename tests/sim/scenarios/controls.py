"""What people do beside specs: pause and resume, ask for a look now, and fight with the controller."""

from __future__ import annotations

from tests.sim.scenario import Simulation, scenario
from tests.sim.scenarios.environment import BROKEN, WEB2, environment
from tests.sim.scenarios.organization import organization
from tests.sim.swarm.behaviour import NORMAL


@scenario(counts=False)  # until it is known what the new image is, the service is made again as it was
async def an_object_is_paused_and_resumed(sim: Simulation) -> None:
    home = organization(sim, "acme")
    shop = environment(sim, home, "shop")
    await sim.settle()
    sim.database.pause("object", shop, reason="a look at it")
    await sim.settle()
    assert sim.reason(shop) == "Paused"
    sim.change(shop, image_ref=WEB2)
    await sim.hands.remove_service(sim.service(shop))
    await sim.settle()
    assert sim.service(shop) not in sim.swarm.state()["services"], "made again, although it is paused"
    sim.database.resume("object", shop)
    await sim.settle()
    assert sim.reason(shop) == "Deployed"


@scenario()
async def an_organization_is_paused_while_it_is_deleted(sim: Simulation) -> None:
    home = organization(sim, "acme")
    shop = environment(sim, home, "shop")
    await sim.settle()
    sim.database.pause("organization", home, reason="an invoice")
    sim.delete(home, shop)
    await sim.settle()
    assert sim.service(shop) in sim.swarm.state()["services"], "removed, although it is paused"
    sim.database.resume("organization", home)
    await sim.settle()
    assert sim.service(shop) not in sim.swarm.state()["services"]


@scenario()
async def everything_is_paused(sim: Simulation) -> None:
    home = organization(sim, "acme")
    environment(sim, home, "shop")
    await sim.settle()
    sim.database.pause("installation", reason="maintenance")
    other = organization(sim, "other")
    environment(sim, other, "blog")
    await sim.settle()
    assert sim.network(other) not in sim.swarm.state()["networks"], "made, although everything is paused"
    sim.database.resume("installation")
    await sim.settle()


@scenario(extra=("update",))  # as environment.goes_back_when_the_new_image_does_not_start
async def a_rollout_that_failed_is_tried_again_when_it_is_asked_for(sim: Simulation) -> None:
    home = organization(sim, "acme")
    shop = environment(sim, home, "shop")
    await sim.settle()
    sim.change(shop, image_ref=BROKEN)
    await sim.settle()
    assert sim.reason(shop) == "RolledBack"
    sim.swarm.behave(BROKEN, NORMAL)
    sim.database.ask(shop, "once more")
    await sim.settle()
    assert sim.reason(shop) == "Deployed"


@scenario(counts=False)
async def somebody_fights(sim: Simulation) -> None:
    home = organization(sim, "acme")
    shop = environment(sim, home, "shop")
    await sim.settle()
    for _ in range(12):
        await sim.sleep(1.0)
        await sim.hands.scale(sim.service(shop), 3)
    await sim.settle()


@scenario()
async def rollouts_take_turns(sim: Simulation) -> None:
    """One at once, as the simulated installation allows."""
    home = organization(sim, "acme")
    shops = [environment(sim, home, app) for app in ("shop", "blog")]
    await sim.settle()
    assert [sim.reason(shop) for shop in shops] == ["Deployed", "Deployed"]
