"""Names of tenants never meet, and what serves goes on serving while one changes: whole runs without faults.

``scenarios`` has some of them with every fault.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from controller.records import Key
from reconcilers import labels
from reconcilers.routes import hostnames_of
from specs import names
from tests.sim import loop as virtual
from tests.sim import oracles
from tests.sim.faults import Plan
from tests.sim.place import INSTALLATION
from tests.sim.run import listen_to
from tests.sim.scenario import Desk
from tests.sim.scenarios.environment import ABSENT, BROKEN, WEB2, domain, environment, process
from tests.sim.scenarios.organization import organization
from tests.sim.world import World

HOST = "shop.example.com"
Body = Callable[[Desk, World], Awaitable[None]]


def run(body: Body) -> None:
    """Have it happen in a new world, and come to rest with every promise kept."""
    random.seed(0)
    world = World(Plan("names"))
    listen_to(world)

    async def main() -> None:
        await world.furnish()
        async with world.running(("a",)):
            await body(Desk(world), world)
            await world.rest()

    virtual.run(main)
    assert oracles.problems(world, None, counts=False) == []


def tenant(desk: Desk, row: str, slug: str) -> Key:
    """An organization whose slug somebody else had, or has."""
    found = desk.identify("organization", row)
    document = {"id": found, "slug": slug, "name": row, "suspended": False, "network_prefix": 24}
    return desk.put("organization", row, document, organization=found)


def strangers(desk: Desk) -> list[str]:
    """Services of ours on a network that is not their organization's."""
    found = desk.swarm.state()
    return [
        f"{name} is on {attached['Target']}"
        for name, service in found["services"].items()
        if service["Labels"].get(labels.INSTALLATION) == INSTALLATION
        for attached in service["TaskTemplate"]["Networks"]
        if found["networks"][attached["Target"]]["labels"].get(labels.ORGANIZATION)
        != service["Labels"][labels.ORGANIZATION]
        or found["networks"][attached["Target"]]["labels"].get(labels.INSTALLATION) != INSTALLATION
    ]


def serving(desk: Desk, host: str) -> list[str]:
    """Services with a rule for ``host`` and a task that runs."""
    return [
        name
        for name, service in desk.swarm.state()["services"].items()
        if host in hostnames_of(service["Labels"])
        and any(t.state == "running" and t.desired == "running" for t in desk.swarm.tasks(name))
    ]


def owners(desk: Desk, host: str) -> set[str]:
    """Owners of services with a rule for ``host``."""
    services = desk.swarm.state()["services"].values()
    return {s["Labels"][labels.OWNER] for s in services if host in hostnames_of(s["Labels"])}


@contextmanager
def watched(desk: Desk, look: Callable[[], str]) -> Iterator[None]:
    """Look every few milliseconds; what is wrong must be nothing."""
    wrong: set[str] = set()

    loop = asyncio.get_running_loop()
    looking = True

    def now() -> None:
        if looking:
            if found := look():
                wrong.add(found)
            loop.call_later(0.005, now)

    now()
    yield
    looking = False
    assert not wrong


def always_served(desk: Desk, host: str) -> Any:
    """There is always a running task that the edge is sent to for ``host``."""
    return watched(desk, lambda: "" if serving(desk, host) else f"{host} is served by nobody")


def never_shared(desk: Desk, *hosts: str) -> Any:
    """No two owners have a rule for one of ``hosts``."""
    return watched(desk, lambda: next((f"{h} is at {owners(desk, h)}" for h in hosts if len(owners(desk, h)) > 1), ""))


def renamed(desk: Desk, key: Key, *, organization_slug: str = "acme", app: str = "shop") -> None:
    document = desk.document(key)
    desk.change(
        key,
        swarm_name=f"{organization_slug}-{app}-{document['name']}",
        organization=document["organization"] | {"slug": organization_slug},
        app=document["app"] | {"slug": app},
    )


# -- whose network ---------------------------------------------------------------------------------------------------


def test_a_tenant_that_takes_the_slug_of_one_that_goes_has_a_network_of_its_own() -> None:
    async def body(desk: Desk, _: World) -> None:
        acme = organization(desk, "acme")
        shop = environment(desk, acme, "shop", domains=[domain(desk, HOST)])
        await desk.settle()
        with watched(desk, lambda: ", ".join(strangers(desk))):
            desk.drop(shop, acme)
            blog = environment(
                desk, tenant(desk, "new", "acme"), "blog", row="new blog", domains=[domain(desk, "blog.example.com")]
            )
            await desk.settle()
        assert desk.reason(blog) == "Deployed"
        assert len([n for n in desk.swarm.state()["networks"] if n.startswith("org-")]) == 1

    run(body)


def test_a_tenant_that_takes_the_slug_of_a_paused_one_has_a_network_of_its_own() -> None:
    async def body(desk: Desk, _: World) -> None:
        acme = organization(desk, "acme")
        shop = environment(desk, acme, "shop")
        await desk.settle()
        desk.database.pause("object", shop)
        await desk.settle()
        with watched(desk, lambda: ", ".join(strangers(desk))):
            desk.drop(shop, acme)
            blog = environment(desk, tenant(desk, "new", "acme"), "shop", row="new shop")
            await desk.sleep(60.0)
            assert desk.reason(blog) == "Deployed"
            desk.database.resume("object", shop)
            await desk.settle()

    run(body)


def test_two_organizations_that_swap_their_slugs_stay_apart() -> None:
    async def body(desk: Desk, world: World) -> None:
        homes = {slug: organization(desk, slug) for slug in ("acme", "beta")}
        shops = {slug: environment(desk, home, "shop") for slug, home in homes.items()}
        await desk.settle()
        with watched(desk, lambda: ", ".join(strangers(desk))):
            with world.database.transaction() as swap:
                for slug, other in (("acme", "beta"), ("beta", "acme")):
                    home, shop = homes[slug], shops[slug]
                    swap.put(home, home.id, {**desk.document(home), "slug": other})
                    change = {"swarm_name": f"{other}-shop-production", "organization": {"id": home.id, "slug": other}}
                    swap.put(shop, home.id, {**desk.document(shop), **change})
            await desk.settle()
        assert [desk.reason(key) for key in (*homes.values(), *shops.values())] == ["NetworkReady"] * 2 + [
            "Deployed"
        ] * 2

    run(body)


def test_another_installation_with_the_same_organizations_is_left_alone() -> None:
    async def body(desk: Desk, _: World) -> None:
        other = labels.owned("production", "organization", "00000000-0000-0000-0000-000000000009", "beta")
        pools = {"Driver": "default", "Config": [{"Subnet": "10.99.0.0/24"}]}
        for name in (
            "org-beta",
            names.network_name("beta", installation="production", organization="00000000-0000-0000-0000-000000000009"),
        ):
            network = {"Name": name, "Driver": "overlay", "IPAM": pools, "Labels": other}
            await desk.hands.call("POST", "/networks/create", network)
            pools = {"Driver": "default", "Config": [{"Subnet": "10.99.1.0/24"}]}
        beta = organization(desk, "beta")
        shop = environment(desk, beta, "shop")
        with watched(desk, lambda: ", ".join(strangers(desk))):
            await desk.settle()
        assert desk.reason(shop) == "Deployed"

    run(body)


def test_a_slug_that_looks_like_a_cut_name_gets_nobody_s_network() -> None:
    async def body(desk: Desk, _: World) -> None:
        victim = organization(desk, "a-very-long-customer-name-of-somebody-who-has-a-lot-of-words-x")
        await desk.settle()
        squatter = organization(desk, desk.network(victim).removeprefix("org-").replace("_", "-"))
        shop = environment(desk, squatter, "shop")
        with watched(desk, lambda: ", ".join(strangers(desk))):
            await desk.settle()
        assert desk.reason(shop) == "Deployed"
        assert desk.network(victim) != desk.network(squatter)

    run(body)


def test_two_tenants_whose_names_read_the_same_both_run() -> None:
    async def body(desk: Desk, _: World) -> None:
        one = environment(desk, organization(desk, "acme"), "shop-eu", row="one")
        other = environment(desk, organization(desk, "acme-shop"), "eu", row="other")
        await desk.settle()
        assert desk.document(one)["swarm_name"] == desk.document(other)["swarm_name"]
        assert [desk.reason(key) for key in (one, other)] == ["Deployed"] * 2

    run(body)


def test_a_name_that_another_of_ours_still_has_is_waited_for_and_one_of_a_stranger_is_not() -> None:
    async def body(desk: Desk, world: World) -> None:
        acme = organization(desk, "acme")
        blog = environment(desk, acme, "blog")
        await desk.settle()
        desk.database.pause("object", blog)
        shop, mail = "acme-shop-production", "acme-mail-production"
        taken, strange = (
            names.service_name(
                name,
                "web",
                installation=INSTALLATION,
                organization=acme.id,
                environment=desk.identify("environment", name),
            )
            for name in (shop, mail)
        )
        await desk.hands.create_service(taken, labels.owned(INSTALLATION, "environment", blog.id, acme.id))
        await desk.hands.create_service(strange, labels.owned("another", "environment", blog.id, acme.id))
        conflicts = environment(desk, acme, "mail")
        await desk.sleep(5.0)
        assert desk.reason(conflicts) == "NameConflict"
        await desk.hands.remove_service(strange)
        desk.database.touch(conflicts)
        waits = environment(desk, acme, "shop")
        await desk.sleep(30.0)
        assert (desk.reason(waits), desk.reason(conflicts)) == ("NameStillInUse", "Deployed")
        assert "not made by this installation" not in world.database.statuses[waits].message
        assert blog.id not in world.database.statuses[waits].message
        desk.database.resume("object", blog)
        await desk.sleep(4.0)
        assert desk.reason(waits) == "Deployed", "it was not looked at again"
        await desk.settle()

    run(body)


# -- what serves goes on serving -------------------------------------------------------------------------------------


def test_a_renamed_app_and_organization_are_served_at_every_moment() -> None:
    async def body(desk: Desk, _: World) -> None:
        acme = organization(desk, "acme")
        web, worker = process(desk, "shop", "web", port=8080), process(desk, "shop", "worker")
        shop = environment(desk, acme, "shop", processes=[web, worker], domains=[domain(desk, HOST)])
        await desk.settle()
        with always_served(desk, HOST):
            renamed(desk, shop, app="store")
            await desk.settle()
            desk.change(acme, slug="apex")
            renamed(desk, shop, organization_slug="apex", app="store")
            await desk.settle()
        left = [s for s in desk.swarm.state()["services"] if "-production-" in s]
        assert left == [desk.service(shop), desk.service(shop, "worker")]
        assert desk.reason(shop) == "Deployed"

    run(body)


def test_an_app_that_moves_to_another_organization_is_served_at_every_moment() -> None:
    async def body(desk: Desk, _: World) -> None:
        acme, beta = organization(desk, "acme"), organization(desk, "beta")
        shop = environment(desk, acme, "shop", domains=[domain(desk, HOST)])
        await desk.settle()
        before = desk.service(shop)
        with always_served(desk, HOST), watched(desk, lambda: ", ".join(strangers(desk))):
            document = desk.document(shop)
            document |= {"swarm_name": "beta-shop-production", "organization": {"id": beta.id, "slug": "beta"}}
            desk.declare(shop, document, organization=beta.id)
            await desk.settle()
        assert desk.service(shop) != before
        assert before not in desk.swarm.state()["services"]

    run(body)


@pytest.mark.parametrize("image", [ABSENT, BROKEN], ids=["there is no image", "it dies when it runs"])
def test_a_renamed_app_that_does_not_start_is_served_by_the_one_before(image: str) -> None:
    async def body(desk: Desk, world: World) -> None:
        shop = environment(desk, organization(desk, "acme"), "shop", domains=[domain(desk, HOST)])
        await desk.settle()
        before = desk.service(shop)
        with always_served(desk, HOST):
            desk.change(shop, image_ref=image)
            renamed(desk, shop, app="store")
            await desk.sleep(200.0)
            assert serving(desk, HOST) == [before]
            assert f"{before} of the name before serves until then" in world.database.statuses[shop].message
            desk.change(shop, image_ref=WEB2)
            await desk.settle()
        assert serving(desk, HOST) == [desk.service(shop)]

    run(body)


def test_a_renamed_app_whose_domain_went_to_another_tenant_meanwhile_lets_go_of_it() -> None:
    async def body(desk: Desk, _: World) -> None:
        shop = environment(desk, organization(desk, "acme"), "shop", domains=[domain(desk, HOST)])
        blog = environment(desk, organization(desk, "beta"), "blog")
        await desk.settle()
        with never_shared(desk, HOST):
            desk.change(shop, image_ref=BROKEN, domains=[])
            renamed(desk, shop, app="store")
            desk.change(blog, domains=[domain(desk, HOST, generation=2)])
            await desk.sleep(60.0)
            assert (serving(desk, HOST), desk.reason(blog)) == ([desk.service(blog)], "Deployed")
            desk.change(shop, image_ref=WEB2)
            await desk.settle()

    run(body)


def test_what_is_suspended_or_not_wanted_goes_at_once_also_when_it_was_renamed() -> None:
    async def body(desk: Desk, _: World) -> None:
        web, worker = process(desk, "shop", "web", port=8080), process(desk, "shop", "worker")
        shop = environment(desk, organization(desk, "acme"), "shop", processes=[web, worker])
        await desk.settle()
        before, gone = desk.service(shop), desk.service(shop, "worker")
        desk.change(shop, processes=[web])
        renamed(desk, shop, app="store")
        await desk.sleep(0.1)
        assert gone not in desk.swarm.state()["services"]
        assert before in desk.swarm.state()["services"]
        desk.change(shop, suspended=True)
        await desk.sleep(0.1)
        assert before not in desk.swarm.state()["services"]
        await desk.settle()

    run(body)


# -- host names change hands -----------------------------------------------------------------------------------------


def test_a_host_name_is_given_over_only_when_the_one_before_has_let_go() -> None:
    async def body(desk: Desk, world: World) -> None:
        shop = environment(desk, organization(desk, "acme"), "shop", domains=[domain(desk, HOST)])
        blog = environment(desk, organization(desk, "beta"), "blog", domains=[domain(desk, "blog.example.com")])
        await desk.settle()
        with never_shared(desk, HOST, "blog.example.com"):
            with world.database.transaction() as swap:
                for key, host in ((shop, "blog.example.com"), (blog, HOST)):
                    document = desk.document(key) | {"domains": [domain(desk, host, generation=2)]}
                    swap.put(key, world.database.objects[key].organization_id, document)
            await desk.sleep(5.0)
            assert serving(desk, HOST) == [desk.service(blog)]
            assert serving(desk, "blog.example.com") == [desk.service(shop)]
            await desk.settle()

    run(body)


def test_a_host_name_of_a_paused_tenant_is_waited_for_and_said_so() -> None:
    async def body(desk: Desk, world: World) -> None:
        shop = environment(desk, organization(desk, "acme"), "shop", domains=[domain(desk, HOST)])
        other = domain(desk, "blog.example.com")
        blog = environment(desk, organization(desk, "beta"), "blog", domains=[other])
        await desk.settle()
        desk.database.pause("object", shop)
        await desk.settle()
        with never_shared(desk, HOST):
            desk.change(shop, domains=[])
            desk.change(blog, domains=[other, domain(desk, HOST, generation=2)], image_ref=WEB2)
            await desk.sleep(60.0)
            said = world.database.statuses[blog]
            assert (said.ready, said.reason) == (False, "NameStillInUse")
            assert "acme" not in said.message
            parts = {d["hostname"]: desk.reason(Key("domain", d["id"])) for d in desk.document(blog)["domains"]}
            assert parts == {HOST: "NameStillInUse", "blog.example.com": "Routed"}
            desk.database.resume("object", shop)
            await desk.sleep(2.0)
            assert serving(desk, HOST) == [desk.service(blog)], "it was not told that the name is free"
            await desk.settle()

    run(body)


def test_a_rollback_does_not_bring_a_host_name_back_that_went_with_the_update() -> None:
    async def body(desk: Desk, _: World) -> None:
        shop = environment(desk, organization(desk, "acme"), "shop", domains=[domain(desk, HOST)])
        blog = environment(desk, organization(desk, "beta"), "blog")
        await desk.settle()
        with never_shared(desk, HOST):
            desk.change(shop, image_ref=BROKEN, domains=[])
            desk.change(blog, domains=[domain(desk, HOST, generation=2)])
            await desk.settle()
        assert (desk.reason(shop), serving(desk, HOST)) == ("RolledBack", [desk.service(blog)])

    run(body)


# -- from the names before -------------------------------------------------------------------------------------------


def test_what_has_a_name_of_before_is_replaced_without_a_gap_and_networks_stay() -> None:
    async def body(desk: Desk, world: World) -> None:
        acme = organization(desk, "acme")
        shop = environment(desk, acme, "shop", domains=[domain(desk, HOST)])
        await desk.settle()
        found = {
            name: await desk.hands.call("GET", f"/services/{name}") for name in (desk.service(shop), desk.pin(acme))
        }
        desk.database.pause("installation")
        await desk.settle()
        # As an older version made them: the same labels, and other names.
        old = {desk.service(shop): "acme-shop-production-web", desk.pin(acme): "org-acme_pin"}
        for name, service in found.items():
            made = {**service["Spec"], "Name": old[name]}
            await desk.hands.call("POST", "/services/create", made)
        await desk.sleep(5.0)
        for name in found:
            await desk.hands.remove_service(name)
        network = desk.swarm.state()["networks"][desk.network(acme)]
        with always_served(desk, HOST):
            desk.database.resume("installation")
            await desk.settle()
        assert desk.reason(shop) == "Deployed"
        assert not set(old.values()) & set(desk.swarm.state()["services"])
        assert desk.swarm.state()["networks"][desk.network(acme)] == network
        assert ("edge_traefik", 1, desk.network(acme)) in desk.swarm.state()["joined"]

    run(body)
