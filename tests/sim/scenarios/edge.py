"""The edge: it stays on every network that serves, and what is said of organizations and domains is where it is."""

from __future__ import annotations

from controller.records import Key
from reconcilers import labels
from tests.sim.scenario import Simulation, scenario
from tests.sim.scenarios.environment import domain, environment
from tests.sim.scenarios.organization import organization

EDGE = "edge_traefik"
HOST = "shop.example.com"
PLAN_SECONDS = 30.0
"""Longer than any fault: rows of the plan are changed by nobody's statement, so nothing says that they moved."""


def edge_networks(sim: Simulation) -> set[str]:
    """Names of the networks that the edge's containers were joined to."""
    return {network for service, _, network in sim.swarm.state()["joined"] if service == EDGE}


def shop_of(sim: Simulation, home: Key, app: str = "shop", host: str = HOST) -> tuple[Key, Key]:
    """An environment with a domain; the keys of both."""
    made = environment(sim, home, app, domains=[domain(sim, host)])
    return made, Key("domain", sim.identify("domain", host))


def rename(sim: Simulation, home: Key, slug: str, *environments: Key) -> None:
    """The organization and, as the view gives them, its environments."""
    sim.change(home, slug=slug)
    for key in environments:
        app = sim.document(key)["app"]["slug"]
        sim.change(key, swarm_name=f"{slug}-{app}-production", organization={"id": home.id, "slug": slug})


@scenario(counts=False)
async def stays_on_the_network_of_a_renamed_organization(sim: Simulation) -> None:
    acme = organization(sim, "acme")
    shop, host = shop_of(sim, acme)
    await sim.settle()
    joined = edge_networks(sim)
    assert len(joined) == 1
    rename(sim, acme, "apex", shop)
    for _ in range(100):
        assert edge_networks(sim) == joined, "the edge left a network with tasks that serve"
        await sim.sleep(0.1)
    await sim.settle()
    assert (sim.reason(acme), sim.reason(shop), sim.reason(host)) == ("NetworkReady", "Deployed", "Routed")


@scenario(counts=False)
async def stays_while_one_environment_of_a_renamed_organization_is_wrong(sim: Simulation) -> None:
    acme = organization(sim, "acme")
    shop, host = shop_of(sim, acme)
    bad = environment(sim, acme, "bad")
    await sim.settle()
    joined = edge_networks(sim)
    sim.change(bad, image_ref="not an image")
    await sim.settle()
    rename(sim, acme, "apex", shop, bad)
    await sim.settle()
    assert edge_networks(sim) == joined
    assert (sim.reason(acme), sim.reason(shop), sim.reason(host)) == ("NetworkReady", "Deployed", "Routed")
    assert sim.reason(bad) == "InvalidSpec"


@scenario()
async def stays_when_the_address_plan_is_lost(sim: Simulation) -> None:
    acme, beta = organization(sim, "acme"), organization(sim, "beta")
    shop, host = shop_of(sim, acme)
    blog, _ = shop_of(sim, beta, "blog", "blog.example.com")
    await sim.settle()
    before, subnets = sim.swarm.state(), set(sim.database.subnets)
    sim.database.subnets.clear()
    sim.database.touch(beta)
    await sim.sleep(2.0)
    sim.database.touch(acme)
    await sim.sleep(PLAN_SECONDS)
    await sim.settle()
    assert sim.swarm.state() == before, "a network that serves was touched"
    assert set(sim.database.subnets) == subnets, "the plan says something else than the networks"
    assert (sim.reason(shop), sim.reason(blog), sim.reason(host)) == ("Deployed", "Deployed", "Routed")


@scenario()
async def stays_when_the_address_plan_is_another_one(sim: Simulation) -> None:
    acme, beta = organization(sim, "acme"), organization(sim, "beta")
    await sim.settle()
    before, subnets = sim.swarm.state(), list(sim.database.subnets)
    one, two = subnets[0].organization_id, subnets[1].organization_id
    sim.database.subnets[:] = [
        subnets[0]._replace(organization_id=two),
        subnets[1]._replace(organization_id=one),
    ]
    sim.database.touch(acme)
    await sim.sleep(1.0)
    sim.database.touch(beta)
    await sim.sleep(PLAN_SECONDS)
    await sim.settle()
    assert sim.swarm.state() == before, "a network that serves was touched"
    assert set(sim.database.subnets) == set(subnets), "the plan says something else than the networks"


@scenario(counts=False)
async def is_elsewhere_and_then_nowhere_and_then_back(sim: Simulation) -> None:
    acme = organization(sim, "acme")
    shop, host = shop_of(sim, acme)
    await sim.settle()
    await sim.hands.remove_service(EDGE)
    await sim.sleep(3.0)
    here, elsewhere = sim.swarm.node_ids()[:2]
    await sim.hands.create_service(EDGE, {labels.EDGE: "true"}, node=elsewhere)
    await sim.settle()
    assert (sim.reason(acme), sim.reason(shop), sim.reason(host)) == ("EdgeElsewhere", "Deployed", "EdgeElsewhere")
    await sim.hands.remove_service(EDGE)
    await sim.settle()
    assert (sim.reason(acme), sim.reason(shop), sim.reason(host)) == ("NetworkReady", "Deployed", "NoEdge")
    await sim.hands.create_service(EDGE, {labels.EDGE: "true"}, node=here)
    await sim.settle()
    assert (sim.reason(acme), sim.reason(shop), sim.reason(host)) == ("NetworkReady", "Deployed", "Routed")


@scenario()
async def sends_nothing_to_what_is_stopped(sim: Simulation) -> None:
    acme = organization(sim, "acme")
    shop, host = shop_of(sim, acme)
    await sim.settle()
    sim.change(shop, suspended=True)
    await sim.settle()
    assert sim.reason(host) == "Suspended"
    sim.change(shop, suspended=False, instances=0)
    await sim.settle()
    assert sim.reason(host) == "NoTasks"
    sim.change(shop, instances=1)
    await sim.settle()
    assert sim.reason(host) == "Routed"
