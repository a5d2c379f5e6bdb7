"""Several tenants on one Swarm: names that change hands, host names that do, and a neighbour whose rows are wrong."""

from __future__ import annotations

from controller.records import Key
from reconcilers import labels
from tests.sim.scenario import Desk, scenario
from tests.sim.scenarios.environment import BROKEN, WEB, WEB2, domain, environment, process
from tests.sim.scenarios.organization import organization
from tests.sim.swarm.behaviour import Behaviour

HOST = "www.example.com"


def newcomer(desk: Desk, slug: str) -> Key:
    """Another tenant, with a slug that somebody else had."""
    found = desk.identify("organization", f"{slug} again")
    document = {"id": found, "slug": slug, "name": "Newcomer", "suspended": False, "network_prefix": 24}
    return desk.put("organization", f"{slug} again", document, organization=found)


@scenario(counts=False)
async def a_slug_is_taken_as_soon_as_it_is_free(desk: Desk) -> None:
    acme = organization(desk, "acme")
    shop = environment(desk, acme, "shop", domains=[domain(desk, "shop.example.com")])
    await desk.settle()
    desk.drop(shop, acme)
    blog = environment(desk, newcomer(desk, "acme"), "blog", domains=[domain(desk, "blog.example.com")])
    await desk.settle()
    assert desk.reason(blog) == "Deployed"


@scenario(counts=False)
async def a_slug_is_taken_while_what_had_it_is_paused(desk: Desk) -> None:
    acme = organization(desk, "acme")
    shop = environment(desk, acme, "shop")
    await desk.settle()
    desk.database.pause("object", shop)
    desk.drop(shop, acme)
    blog = environment(desk, newcomer(desk, "acme"), "shop", row="another shop")
    await desk.sleep(5.0)
    desk.database.resume("object", shop)
    await desk.settle()
    assert desk.reason(blog) == "Deployed"


@scenario(counts=False)
async def two_organizations_swap_their_slugs(desk: Desk) -> None:
    homes = {slug: organization(desk, slug) for slug in ("acme", "beta")}
    shops = {
        slug: environment(desk, home, "shop", domains=[domain(desk, f"{slug}.example.com")])
        for slug, home in homes.items()
    }
    await desk.settle()
    with desk.database.transaction() as swap:
        for slug, other in (("acme", "beta"), ("beta", "acme")):
            home, shop = homes[slug], shops[slug]
            swap.put(home, home.id, {**desk.document(home), "slug": other})
            renamed = {"swarm_name": f"{other}-shop-production", "organization": {"id": home.id, "slug": other}}
            swap.put(shop, home.id, {**desk.document(shop), **renamed})
    await desk.settle()
    assert [desk.reason(shop) for shop in shops.values()] == ["Deployed", "Deployed"]


@scenario(counts=False)
async def another_installation_has_an_organization_of_that_name(desk: Desk) -> None:
    other = labels.owned("another", "organization", desk.identify("organization", "beta elsewhere"), "none")
    pools = {"Driver": "default", "Config": [{"Subnet": "10.99.0.0/24"}]}
    network = {"Name": "org-beta", "Driver": "overlay", "IPAM": pools, "Labels": other}
    await desk.hands.call("POST", "/networks/create", network)
    beta = organization(desk, "beta")
    shop = environment(desk, beta, "shop", domains=[domain(desk, HOST)])
    await desk.settle()
    assert desk.reason(shop) == "Deployed"


@scenario(counts=False)
async def a_host_goes_from_one_tenant_to_another(desk: Desk) -> None:
    one = environment(desk, organization(desk, "acme"), "one", domains=[domain(desk, HOST)])
    two = environment(desk, organization(desk, "beta"), "two")
    await desk.settle()
    with desk.database.transaction() as move:
        move.put(two, desk.document(two)["organization"]["id"], {**desk.document(two), "domains": [domain(desk, HOST)]})
        move.put(one, desk.document(one)["organization"]["id"], {**desk.document(one), "domains": []})
    await desk.settle()
    assert desk.reason(Key("domain", desk.identify("domain", HOST))) == "Routed"


@scenario(counts=False)
async def a_host_goes_from_an_app_that_was_rolled_back(desk: Desk) -> None:
    one = environment(desk, organization(desk, "acme"), "one", domains=[domain(desk, HOST)])
    two = environment(desk, organization(desk, "beta"), "two")
    await desk.settle()
    desk.change(one, image_ref=BROKEN)
    await desk.settle()
    desk.change(one, domains=[])
    desk.change(two, domains=[domain(desk, HOST, generation=2)])
    await desk.settle()
    assert desk.reason(one) == "RolledBack"


@scenario(counts=False)
async def a_host_goes_together_with_an_image_that_does_not_start(desk: Desk) -> None:
    one = environment(desk, organization(desk, "acme"), "one", domains=[domain(desk, HOST)])
    two = environment(desk, organization(desk, "beta"), "two")
    await desk.settle()
    desk.change(one, image_ref=BROKEN, domains=[])
    desk.change(two, domains=[domain(desk, HOST, generation=2)])
    await desk.settle()
    assert desk.reason(two) == "Deployed"


@scenario(counts=False)
async def a_host_goes_from_an_app_whose_row_is_wrong(desk: Desk) -> None:
    one = environment(desk, organization(desk, "acme"), "one", domains=[domain(desk, HOST)])
    two = environment(desk, organization(desk, "beta"), "two")
    await desk.settle()
    desk.change(one, image_ref="not an image", domains=[])
    desk.change(two, domains=[domain(desk, HOST, generation=2)])
    await desk.settle()
    assert desk.reason(one) == "InvalidSpec"


@scenario(counts=False)
async def an_app_moves_to_another_organization(desk: Desk) -> None:
    desk.swarm.behave(WEB, Behaviour(start_seconds=1.0))
    acme, beta = organization(desk, "acme"), organization(desk, "beta")
    shop = environment(desk, acme, "shop", domains=[domain(desk, HOST)])
    await desk.settle()
    document = desk.document(shop)
    home = {"swarm_name": "beta-shop-production", "organization": {"id": beta.id, "slug": "beta"}}
    desk.declare(shop, {**document, **home}, organization=beta.id)
    desk.database.depends(shop, beta)
    await desk.settle()
    assert desk.reason(shop) == "Deployed"


@scenario(counts=False)
async def one_is_suspended_while_its_row_is_wrong(desk: Desk) -> None:
    acme = organization(desk, "acme")
    shop = environment(desk, acme, "shop", instances=2)
    neighbour = environment(desk, organization(desk, "beta"), "blog")
    await desk.settle()
    desk.change(shop, suspended=True, domains=[domain(desk, "x.example.com", process_type="nope")])
    desk.change(neighbour, image_ref=WEB2)
    await desk.settle()
    assert desk.reason(neighbour) == "Deployed"
    desk.change(shop, domains=[], deploy_mode="buildpack", image_ref=None)
    await desk.settle()


@scenario(counts=False)
async def one_is_suspended_and_scaled(desk: Desk) -> None:
    shop = environment(desk, organization(desk, "acme"), "shop")
    await desk.settle()
    desk.change(shop, suspended=True)
    await desk.settle()
    desk.change(shop, instances=3)
    await desk.settle()
    desk.change(shop, suspended=False)
    await desk.settle()


@scenario(counts=False)
async def the_edge_is_away_for_a_while(desk: Desk) -> None:
    environment(desk, organization(desk, "acme"), "shop", domains=[domain(desk, HOST)])
    await desk.settle()
    await desk.hands.remove_service("edge_traefik")
    await desk.sleep(40.0)
    await desk.hands.create_service("edge_traefik", {labels.EDGE: "true"}, node=desk.swarm.node_ids()[0])
    await desk.settle()
    assert desk.reason(Key("domain", desk.identify("domain", HOST))) == "Routed"


@scenario(counts=False)
async def rows_are_lost_and_come_back(desk: Desk) -> None:
    acme = organization(desk, "acme")
    shop = environment(desk, acme, "shop", domains=[domain(desk, HOST)])
    await desk.settle()
    before = desk.swarm.state()
    row = desk.document(shop)
    desk.database.lose(shop)
    desk.database.touch(shop)
    await desk.sleep(20.0)
    assert desk.swarm.state() == before, "taken away, although nobody asked for it"
    desk.declare(shop, row, organization=acme.id, depends_on=[acme])
    await desk.settle()
    assert desk.reason(shop) == "Deployed"


@scenario(counts=False)
async def one_runs_for_a_while_and_dies_again_and_again(desk: Desk) -> None:
    acme = organization(desk, "acme")
    desk.swarm.behave(WEB2, Behaviour(exit_after=1.0, exit_code=1))
    environment(desk, acme, "shop", image_ref=WEB2)
    blog = environment(desk, acme, "blog", image_ref=WEB)
    await desk.sleep(60.0)
    assert desk.reason(blog) == "Deployed"


@scenario(counts=False)
async def a_process_goes_and_its_host_with_it(desk: Desk) -> None:
    acme = organization(desk, "acme")
    both = [process(desk, "shop", kind, port=8080) for kind in ("web", "admin")]
    hosts = [domain(desk, HOST), domain(desk, "admin.example.com", process_type="admin")]
    shop = environment(desk, acme, "shop", processes=both, domains=hosts)
    await desk.settle()
    desk.change(shop, processes=both[:1], domains=hosts[:1])
    await desk.settle()
    desk.change(shop, processes=both[:1], domains=[])
    await desk.settle()
