"""The edge: it stays on every network that serves, and what is said of organizations and domains is where it is."""

from __future__ import annotations

from controller.records import Key
from reconcilers import labels
from tests.sim.scenario import Desk, scenario
from tests.sim.scenarios.environment import domain, environment
from tests.sim.scenarios.organization import organization

EDGE = "edge_traefik"
HOST = "shop.example.com"
PLAN_SECONDS = 30.0
"""Longer than any fault: rows of the plan are changed by nobody's statement, so nothing says that they moved."""


def edge_networks(desk: Desk) -> set[str]:
    """Names of the networks that the edge's containers were joined to."""
    return {network for service, _, network in desk.swarm.state()["joined"] if service == EDGE}


def shop_of(desk: Desk, home: Key, app: str = "shop", host: str = HOST) -> tuple[Key, Key]:
    """An environment with a domain; the keys of both."""
    made = environment(desk, home, app, domains=[domain(desk, host)])
    return made, Key("domain", desk.identify("domain", host))


def rename(desk: Desk, home: Key, slug: str, *environments: Key) -> None:
    """The organization and, as the view gives them, its environments."""
    desk.change(home, slug=slug)
    for key in environments:
        app = desk.document(key)["app"]["slug"]
        desk.change(key, swarm_name=f"{slug}-{app}-production", organization={"id": home.id, "slug": slug})


@scenario(counts=False)
async def stays_on_the_network_of_a_renamed_organization(desk: Desk) -> None:
    acme = organization(desk, "acme")
    shop, host = shop_of(desk, acme)
    await desk.settle()
    joined = edge_networks(desk)
    assert len(joined) == 1
    rename(desk, acme, "apex", shop)
    for _ in range(100):
        assert edge_networks(desk) == joined, "the edge left a network with tasks that serve"
        await desk.sleep(0.1)
    await desk.settle()
    assert (desk.reason(acme), desk.reason(shop), desk.reason(host)) == ("NetworkReady", "Deployed", "Routed")


@scenario(counts=False)
async def stays_while_one_environment_of_a_renamed_organization_is_wrong(desk: Desk) -> None:
    acme = organization(desk, "acme")
    shop, host = shop_of(desk, acme)
    bad = environment(desk, acme, "bad")
    await desk.settle()
    joined = edge_networks(desk)
    desk.change(bad, image_ref="not an image")
    await desk.settle()
    rename(desk, acme, "apex", shop, bad)
    await desk.settle()
    assert edge_networks(desk) == joined
    assert (desk.reason(acme), desk.reason(shop), desk.reason(host)) == ("NetworkReady", "Deployed", "Routed")
    assert desk.reason(bad) == "InvalidSpec"


@scenario()
async def stays_when_the_address_plan_is_lost(desk: Desk) -> None:
    acme, beta = organization(desk, "acme"), organization(desk, "beta")
    shop, host = shop_of(desk, acme)
    blog, _ = shop_of(desk, beta, "blog", "blog.example.com")
    await desk.settle()
    before, subnets = desk.swarm.state(), set(desk.database.subnets)
    desk.database.subnets.clear()
    desk.database.touch(beta)
    await desk.sleep(2.0)
    desk.database.touch(acme)
    await desk.sleep(PLAN_SECONDS)
    await desk.settle()
    assert desk.swarm.state() == before, "a network that serves was touched"
    assert set(desk.database.subnets) == subnets, "the plan says something else than the networks"
    assert (desk.reason(shop), desk.reason(blog), desk.reason(host)) == ("Deployed", "Deployed", "Routed")


@scenario()
async def stays_when_the_address_plan_is_another_one(desk: Desk) -> None:
    acme, beta = organization(desk, "acme"), organization(desk, "beta")
    await desk.settle()
    before, subnets = desk.swarm.state(), list(desk.database.subnets)
    one, two = subnets[0].organization_id, subnets[1].organization_id
    desk.database.subnets[:] = [
        subnets[0]._replace(organization_id=two),
        subnets[1]._replace(organization_id=one),
    ]
    desk.database.touch(acme)
    await desk.sleep(1.0)
    desk.database.touch(beta)
    await desk.sleep(PLAN_SECONDS)
    await desk.settle()
    assert desk.swarm.state() == before, "a network that serves was touched"
    assert set(desk.database.subnets) == set(subnets), "the plan says something else than the networks"


@scenario(counts=False)
async def is_elsewhere_and_then_nowhere_and_then_back(desk: Desk) -> None:
    acme = organization(desk, "acme")
    shop, host = shop_of(desk, acme)
    await desk.settle()
    await desk.hands.remove_service(EDGE)
    await desk.sleep(3.0)
    here, elsewhere = desk.swarm.node_ids()[:2]
    await desk.hands.create_service(EDGE, {labels.EDGE: "true"}, node=elsewhere)
    await desk.settle()
    assert (desk.reason(acme), desk.reason(shop), desk.reason(host)) == ("EdgeElsewhere", "Deployed", "EdgeElsewhere")
    await desk.hands.remove_service(EDGE)
    await desk.settle()
    assert (desk.reason(acme), desk.reason(shop), desk.reason(host)) == ("NetworkReady", "Deployed", "NoEdge")
    await desk.hands.create_service(EDGE, {labels.EDGE: "true"}, node=here)
    await desk.settle()
    assert (desk.reason(acme), desk.reason(shop), desk.reason(host)) == ("NetworkReady", "Deployed", "Routed")


@scenario()
async def sends_nothing_to_what_is_stopped(desk: Desk) -> None:
    acme = organization(desk, "acme")
    shop, host = shop_of(desk, acme)
    await desk.settle()
    desk.change(shop, suspended=True)
    await desk.settle()
    assert desk.reason(host) == "Suspended"
    desk.change(shop, suspended=False, instances=0)
    await desk.settle()
    assert desk.reason(host) == "NoTasks"
    desk.change(shop, instances=1)
    await desk.settle()
    assert desk.reason(host) == "Routed"
