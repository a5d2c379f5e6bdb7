"""Several tenants on one Swarm: names that change hands, host names that do, and a neighbour whose rows are wrong."""

from __future__ import annotations

from controller.records import Key
from reconcilers import labels
from reconcilers.routes import paged
from tests.sim.scenario import Simulation, scenario
from tests.sim.scenarios.environment import BROKEN, WEB, WEB2, domain, environment, process
from tests.sim.scenarios.organization import organization
from tests.sim.swarm.behaviour import Behaviour

HOST = "www.example.com"


def newcomer(sim: Simulation, slug: str) -> Key:
    """Another tenant, with a slug that somebody else had."""
    found = sim.identify("organization", f"{slug} again")
    document = {"id": found, "slug": slug, "name": "Newcomer", "suspended": False, "network_prefix": 24}
    return sim.put("organization", f"{slug} again", document, organization=found)


@scenario(counts=False)
async def a_slug_is_taken_as_soon_as_it_is_free(sim: Simulation) -> None:
    acme = organization(sim, "acme")
    shop = environment(sim, acme, "shop", domains=[domain(sim, "shop.example.com")])
    await sim.settle()
    sim.drop(shop, acme)
    blog = environment(sim, newcomer(sim, "acme"), "blog", domains=[domain(sim, "blog.example.com")])
    await sim.settle()
    assert sim.reason(blog) == "Deployed"


@scenario(counts=False)
async def a_slug_is_taken_while_what_had_it_is_paused(sim: Simulation) -> None:
    acme = organization(sim, "acme")
    shop = environment(sim, acme, "shop")
    await sim.settle()
    sim.database.pause("object", shop)
    sim.drop(shop, acme)
    blog = environment(sim, newcomer(sim, "acme"), "shop", row="another shop")
    await sim.sleep(5.0)
    sim.database.resume("object", shop)
    await sim.settle()
    assert sim.reason(blog) == "Deployed"


@scenario(counts=False)
async def two_organizations_swap_their_slugs(sim: Simulation) -> None:
    homes = {slug: organization(sim, slug) for slug in ("acme", "beta")}
    shops = {
        slug: environment(sim, home, "shop", domains=[domain(sim, f"{slug}.example.com")])
        for slug, home in homes.items()
    }
    await sim.settle()
    with sim.database.transaction() as swap:
        for slug, other in (("acme", "beta"), ("beta", "acme")):
            home, shop = homes[slug], shops[slug]
            swap.put(home, home.id, {**sim.document(home), "slug": other})
            renamed = {"swarm_name": f"{other}-shop-production", "organization": {"id": home.id, "slug": other}}
            swap.put(shop, home.id, {**sim.document(shop), **renamed})
    await sim.settle()
    assert [sim.reason(shop) for shop in shops.values()] == ["Deployed", "Deployed"]


@scenario(counts=False)
async def another_installation_has_an_organization_of_that_name(sim: Simulation) -> None:
    other = labels.owned("another", "organization", sim.identify("organization", "beta elsewhere"), "none")
    pools = {"Driver": "default", "Config": [{"Subnet": "10.99.0.0/24"}]}
    network = {"Name": "org-beta", "Driver": "overlay", "IPAM": pools, "Labels": other}
    await sim.hands.call("POST", "/networks/create", network)
    beta = organization(sim, "beta")
    shop = environment(sim, beta, "shop", domains=[domain(sim, HOST)])
    await sim.settle()
    assert sim.reason(shop) == "Deployed"


@scenario(counts=False)
async def a_host_goes_from_one_tenant_to_another(sim: Simulation) -> None:
    one = environment(sim, organization(sim, "acme"), "one", domains=[domain(sim, HOST)])
    two = environment(sim, organization(sim, "beta"), "two")
    await sim.settle()
    with sim.database.transaction() as move:
        move.put(two, sim.document(two)["organization"]["id"], {**sim.document(two), "domains": [domain(sim, HOST)]})
        move.put(one, sim.document(one)["organization"]["id"], {**sim.document(one), "domains": []})
    await sim.settle()
    assert sim.reason(Key("domain", sim.identify("domain", HOST))) == "Routed"


@scenario(counts=False)
async def a_host_goes_from_an_app_that_was_rolled_back(sim: Simulation) -> None:
    one = environment(sim, organization(sim, "acme"), "one", domains=[domain(sim, HOST)])
    two = environment(sim, organization(sim, "beta"), "two")
    await sim.settle()
    sim.change(one, image_ref=BROKEN)
    await sim.settle()
    sim.change(one, domains=[])
    sim.change(two, domains=[domain(sim, HOST, generation=2)])
    await sim.settle()
    assert sim.reason(one) == "RolledBack"


@scenario(counts=False)
async def a_host_goes_together_with_an_image_that_does_not_start(sim: Simulation) -> None:
    one = environment(sim, organization(sim, "acme"), "one", domains=[domain(sim, HOST)])
    two = environment(sim, organization(sim, "beta"), "two")
    await sim.settle()
    sim.change(one, image_ref=BROKEN, domains=[])
    sim.change(two, domains=[domain(sim, HOST, generation=2)])
    await sim.settle()
    assert sim.reason(two) == "Deployed"


@scenario(counts=False)
async def a_host_goes_from_an_app_whose_row_is_wrong(sim: Simulation) -> None:
    one = environment(sim, organization(sim, "acme"), "one", domains=[domain(sim, HOST)])
    two = environment(sim, organization(sim, "beta"), "two")
    await sim.settle()
    sim.change(one, image_ref="not an image", domains=[])
    sim.change(two, domains=[domain(sim, HOST, generation=2)])
    await sim.settle()
    assert sim.reason(one) == "InvalidSpec"


@scenario(counts=False)
async def an_app_moves_to_another_organization(sim: Simulation) -> None:
    sim.swarm.behave(WEB, Behaviour(start_seconds=1.0))
    acme, beta = organization(sim, "acme"), organization(sim, "beta")
    shop = environment(sim, acme, "shop", domains=[domain(sim, HOST)])
    await sim.settle()
    document = sim.document(shop)
    home = {"swarm_name": "beta-shop-production", "organization": {"id": beta.id, "slug": "beta"}}
    sim.declare(shop, {**document, **home}, organization=beta.id)
    sim.database.depends(shop, beta)
    await sim.settle()
    assert sim.reason(shop) == "Deployed"


@scenario(counts=False)
async def one_is_suspended_while_its_row_is_wrong(sim: Simulation) -> None:
    acme = organization(sim, "acme")
    shop = environment(sim, acme, "shop", instances=2)
    neighbour = environment(sim, organization(sim, "beta"), "blog")
    await sim.settle()
    sim.change(shop, suspended=True, domains=[domain(sim, "x.example.com", process_type="nope")])
    sim.change(neighbour, image_ref=WEB2)
    await sim.settle()
    assert sim.reason(neighbour) == "Deployed"
    sim.change(shop, domains=[], deploy_mode="buildpack", image_ref=None)
    await sim.settle()


@scenario(counts=False)
async def one_is_suspended_and_scaled(sim: Simulation) -> None:
    shop = environment(sim, organization(sim, "acme"), "shop")
    await sim.settle()
    sim.change(shop, suspended=True)
    await sim.settle()
    sim.change(shop, instances=3)
    await sim.settle()
    sim.change(shop, suspended=False)
    await sim.settle()


@scenario(counts=False)
async def the_edge_is_away_for_a_while(sim: Simulation) -> None:
    environment(sim, organization(sim, "acme"), "shop", domains=[domain(sim, HOST)])
    await sim.settle()
    await sim.hands.remove_service("edge_traefik")
    await sim.sleep(40.0)
    await sim.hands.create_service("edge_traefik", {labels.EDGE: "true"}, node=sim.swarm.node_ids()[0])
    await sim.settle()
    assert sim.reason(Key("domain", sim.identify("domain", HOST))) == "Routed"


@scenario(counts=False)
async def rows_are_lost_and_come_back(sim: Simulation) -> None:
    acme = organization(sim, "acme")
    shop = environment(sim, acme, "shop", domains=[domain(sim, HOST)])
    await sim.settle()
    before = sim.swarm.state()
    row = sim.document(shop)
    sim.database.lose(shop)
    sim.database.touch(shop)
    await sim.sleep(20.0)
    assert sim.swarm.state() == before, "taken away, although nobody asked for it"
    sim.declare(shop, row, organization=acme.id, depends_on=[acme])
    await sim.settle()
    assert sim.reason(shop) == "Deployed"


@scenario(counts=False)
async def one_runs_for_a_while_and_dies_again_and_again(sim: Simulation) -> None:
    acme = organization(sim, "acme")
    sim.swarm.behave(WEB2, Behaviour(exit_after=1.0, exit_code=1))
    environment(sim, acme, "shop", image_ref=WEB2)
    blog = environment(sim, acme, "blog", image_ref=WEB)
    await sim.sleep(60.0)
    assert sim.reason(blog) == "Deployed"


@scenario(counts=False)
async def a_process_goes_and_its_host_with_it(sim: Simulation) -> None:
    acme = organization(sim, "acme")
    both = [process(sim, "shop", kind, port=8080) for kind in ("web", "admin")]
    hosts = [domain(sim, HOST), domain(sim, "admin.example.com", process_type="admin")]
    shop = environment(sim, acme, "shop", processes=both, domains=hosts)
    await sim.settle()
    sim.change(shop, processes=both[:1], domains=hosts[:1])
    await sim.settle()
    sim.change(shop, processes=both[:1], domains=[])
    await sim.settle()


def _pages(sim: Simulation, home: Key) -> set[str]:
    """Host names that lead to the page of what is suspended."""
    return set(paged(sim.swarm.state()["services"][sim.pin(home)]["Labels"]))


@scenario(counts=False)
async def what_is_suspended_has_a_page_until_it_serves_again(sim: Simulation) -> None:
    acme = organization(sim, "acme")
    shop = environment(sim, acme, "shop", domains=[domain(sim, HOST)])
    await sim.settle()
    before = sim.swarm.state()
    sim.change(shop, suspended=True)
    sim.change(acme, suspended_hosts=[HOST])
    await sim.settle()
    assert _pages(sim, acme) == {HOST}
    sim.change(shop, suspended=False)
    sim.change(acme, suspended_hosts=[], resuming_hosts=[HOST])
    await sim.sleep(10.0)
    assert _pages(sim, acme) == {HOST}
    sim.change(acme, resuming_hosts=[])
    await sim.settle()
    assert _pages(sim, acme) == set()
    for name in (sim.pin(acme), sim.service(shop)):
        for part in ("Labels", "TaskTemplate", "Mode"):
            assert sim.swarm.state()["services"][name][part] == before["services"][name][part]


@scenario(counts=False)
async def what_only_starts_has_no_page(sim: Simulation) -> None:
    acme = organization(sim, "acme", resuming_hosts=[HOST])
    environment(sim, acme, "shop", domains=[domain(sim, HOST)])
    await sim.settle()
    assert _pages(sim, acme) == set()
