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
from tests.sim.run import listen_to
from tests.sim.scenario import Simulation
from tests.sim.scenarios.environment import ABSENT, BROKEN, WEB2, domain, environment, process
from tests.sim.scenarios.organization import organization
from tests.sim.settings import INSTALLATION
from tests.sim.world import World

HOST = "shop.example.com"
Body = Callable[[Simulation, World], Awaitable[None]]


def run(body: Body) -> None:
    """Have it happen in a new world, and come to rest with every promise kept."""
    random.seed(0)
    world = World(Plan("names"))
    listen_to(world)

    async def main() -> None:
        await world.furnish()
        async with world.running(("a",)):
            await body(Simulation(world), world)
            await world.rest()

    virtual.run(main)
    assert oracles.problems(world, None, counts=False) == []


def tenant(sim: Simulation, row: str, slug: str) -> Key:
    """An organization whose slug somebody else had, or has."""
    found = sim.identify("organization", row)
    document = {"id": found, "slug": slug, "name": row, "suspended": False, "network_prefix": 24}
    return sim.put("organization", row, document, organization=found)


def strangers(sim: Simulation) -> list[str]:
    """Services of ours on a network that is not their organization's."""
    found = sim.swarm.state()
    return [
        f"{name} is on {attached['Target']}"
        for name, service in found["services"].items()
        if service["Labels"].get(labels.INSTALLATION) == INSTALLATION
        for attached in service["TaskTemplate"]["Networks"]
        if found["networks"][attached["Target"]]["labels"].get(labels.ORGANIZATION)
        != service["Labels"][labels.ORGANIZATION]
        or found["networks"][attached["Target"]]["labels"].get(labels.INSTALLATION) != INSTALLATION
    ]


def serving(sim: Simulation, host: str) -> list[str]:
    """Services with a rule for ``host`` and a task that runs."""
    return [
        name
        for name, service in sim.swarm.state()["services"].items()
        if host in hostnames_of(service["Labels"])
        and any(t.state == "running" and t.desired == "running" for t in sim.swarm.tasks(name))
    ]


def owners(sim: Simulation, host: str) -> set[str]:
    """Owners of services with a rule for ``host``."""
    services = sim.swarm.state()["services"].values()
    return {s["Labels"][labels.OWNER] for s in services if host in hostnames_of(s["Labels"])}


@contextmanager
def watched(sim: Simulation, look: Callable[[], str]) -> Iterator[None]:
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


def always_served(sim: Simulation, host: str) -> Any:
    """There is always a running task that the edge is sent to for ``host``."""
    return watched(sim, lambda: "" if serving(sim, host) else f"{host} is served by nobody")


def never_shared(sim: Simulation, *hosts: str) -> Any:
    """No two owners have a rule for one of ``hosts``."""
    return watched(sim, lambda: next((f"{h} is at {owners(sim, h)}" for h in hosts if len(owners(sim, h)) > 1), ""))


def renamed(sim: Simulation, key: Key, *, organization_slug: str = "acme", app: str = "shop") -> None:
    document = sim.document(key)
    sim.change(
        key,
        swarm_name=f"{organization_slug}-{app}-{document['name']}",
        organization=document["organization"] | {"slug": organization_slug},
        app=document["app"] | {"slug": app},
    )


# -- whose network ---------------------------------------------------------------------------------------------------


def test_a_tenant_that_takes_the_slug_of_one_that_goes_has_a_network_of_its_own() -> None:
    async def body(sim: Simulation, _: World) -> None:
        acme = organization(sim, "acme")
        shop = environment(sim, acme, "shop", domains=[domain(sim, HOST)])
        await sim.settle()
        with watched(sim, lambda: ", ".join(strangers(sim))):
            sim.drop(shop, acme)
            blog = environment(
                sim, tenant(sim, "new", "acme"), "blog", row="new blog", domains=[domain(sim, "blog.example.com")]
            )
            await sim.settle()
        assert sim.reason(blog) == "Deployed"
        assert len([n for n in sim.swarm.state()["networks"] if n.startswith("org-")]) == 1

    run(body)


def test_a_tenant_that_takes_the_slug_of_a_paused_one_has_a_network_of_its_own() -> None:
    async def body(sim: Simulation, _: World) -> None:
        acme = organization(sim, "acme")
        shop = environment(sim, acme, "shop")
        await sim.settle()
        sim.database.pause("object", shop)
        await sim.settle()
        with watched(sim, lambda: ", ".join(strangers(sim))):
            sim.drop(shop, acme)
            blog = environment(sim, tenant(sim, "new", "acme"), "shop", row="new shop")
            await sim.sleep(60.0)
            assert sim.reason(blog) == "Deployed"
            sim.database.resume("object", shop)
            await sim.settle()

    run(body)


def test_two_organizations_that_swap_their_slugs_stay_apart() -> None:
    async def body(sim: Simulation, world: World) -> None:
        homes = {slug: organization(sim, slug) for slug in ("acme", "beta")}
        shops = {slug: environment(sim, home, "shop") for slug, home in homes.items()}
        await sim.settle()
        with watched(sim, lambda: ", ".join(strangers(sim))):
            with world.database.transaction() as swap:
                for slug, other in (("acme", "beta"), ("beta", "acme")):
                    home, shop = homes[slug], shops[slug]
                    swap.put(home, home.id, {**sim.document(home), "slug": other})
                    change = {"swarm_name": f"{other}-shop-production", "organization": {"id": home.id, "slug": other}}
                    swap.put(shop, home.id, {**sim.document(shop), **change})
            await sim.settle()
        assert [sim.reason(key) for key in (*homes.values(), *shops.values())] == ["NetworkReady"] * 2 + [
            "Deployed"
        ] * 2

    run(body)


def test_another_installation_with_the_same_organizations_is_left_alone() -> None:
    async def body(sim: Simulation, _: World) -> None:
        other = labels.owned("production", "organization", "00000000-0000-0000-0000-000000000009", "beta")
        pools = {"Driver": "default", "Config": [{"Subnet": "10.99.0.0/24"}]}
        for name in (
            "org-beta",
            names.network_name("beta", installation="production", organization="00000000-0000-0000-0000-000000000009"),
        ):
            network = {"Name": name, "Driver": "overlay", "IPAM": pools, "Labels": other}
            await sim.hands.call("POST", "/networks/create", network)
            pools = {"Driver": "default", "Config": [{"Subnet": "10.99.1.0/24"}]}
        beta = organization(sim, "beta")
        shop = environment(sim, beta, "shop")
        with watched(sim, lambda: ", ".join(strangers(sim))):
            await sim.settle()
        assert sim.reason(shop) == "Deployed"

    run(body)


def test_a_slug_that_looks_like_a_cut_name_gets_nobody_s_network() -> None:
    async def body(sim: Simulation, _: World) -> None:
        victim = organization(sim, "a-very-long-customer-name-of-somebody-who-has-a-lot-of-words-x")
        await sim.settle()
        squatter = organization(sim, sim.network(victim).removeprefix("org-").replace("_", "-"))
        shop = environment(sim, squatter, "shop")
        with watched(sim, lambda: ", ".join(strangers(sim))):
            await sim.settle()
        assert sim.reason(shop) == "Deployed"
        assert sim.network(victim) != sim.network(squatter)

    run(body)


def test_two_tenants_whose_names_read_the_same_both_run() -> None:
    async def body(sim: Simulation, _: World) -> None:
        one = environment(sim, organization(sim, "acme"), "shop-eu", row="one")
        other = environment(sim, organization(sim, "acme-shop"), "eu", row="other")
        await sim.settle()
        assert sim.document(one)["swarm_name"] == sim.document(other)["swarm_name"]
        assert [sim.reason(key) for key in (one, other)] == ["Deployed"] * 2

    run(body)


def test_a_name_that_another_of_ours_still_has_is_waited_for_and_one_of_a_stranger_is_not() -> None:
    async def body(sim: Simulation, world: World) -> None:
        acme = organization(sim, "acme")
        blog = environment(sim, acme, "blog")
        await sim.settle()
        sim.database.pause("object", blog)
        shop, mail = "acme-shop-production", "acme-mail-production"
        taken, strange = (
            names.service_name(
                name,
                "web",
                installation=INSTALLATION,
                organization=acme.id,
                environment=sim.identify("environment", name),
            )
            for name in (shop, mail)
        )
        await sim.hands.create_service(taken, labels.owned(INSTALLATION, "environment", blog.id, acme.id))
        await sim.hands.create_service(strange, labels.owned("another", "environment", blog.id, acme.id))
        conflicts = environment(sim, acme, "mail")
        await sim.sleep(5.0)
        assert sim.reason(conflicts) == "NameConflict"
        await sim.hands.remove_service(strange)
        sim.database.touch(conflicts)
        waits = environment(sim, acme, "shop")
        await sim.sleep(30.0)
        assert (sim.reason(waits), sim.reason(conflicts)) == ("NameStillInUse", "Deployed")
        assert "not made by this installation" not in world.database.statuses[waits].message
        assert blog.id not in world.database.statuses[waits].message
        sim.database.resume("object", blog)
        await sim.sleep(4.0)
        assert sim.reason(waits) == "Deployed", "it was not looked at again"
        await sim.settle()

    run(body)


# -- what serves goes on serving -------------------------------------------------------------------------------------


def test_a_renamed_app_and_organization_are_served_at_every_moment() -> None:
    async def body(sim: Simulation, _: World) -> None:
        acme = organization(sim, "acme")
        web, worker = process(sim, "shop", "web", port=8080), process(sim, "shop", "worker")
        shop = environment(sim, acme, "shop", processes=[web, worker], domains=[domain(sim, HOST)])
        await sim.settle()
        with always_served(sim, HOST):
            renamed(sim, shop, app="store")
            await sim.settle()
            sim.change(acme, slug="apex")
            renamed(sim, shop, organization_slug="apex", app="store")
            await sim.settle()
        left = [s for s in sim.swarm.state()["services"] if "-production-" in s]
        assert left == [sim.service(shop), sim.service(shop, "worker")]
        assert sim.reason(shop) == "Deployed"

    run(body)


def test_an_app_that_moves_to_another_organization_is_served_at_every_moment() -> None:
    async def body(sim: Simulation, _: World) -> None:
        acme, beta = organization(sim, "acme"), organization(sim, "beta")
        shop = environment(sim, acme, "shop", domains=[domain(sim, HOST)])
        await sim.settle()
        before = sim.service(shop)
        with always_served(sim, HOST), watched(sim, lambda: ", ".join(strangers(sim))):
            document = sim.document(shop)
            document |= {"swarm_name": "beta-shop-production", "organization": {"id": beta.id, "slug": "beta"}}
            sim.declare(shop, document, organization=beta.id)
            await sim.settle()
        assert sim.service(shop) != before
        assert before not in sim.swarm.state()["services"]

    run(body)


@pytest.mark.long
@pytest.mark.timeout(400)
@pytest.mark.parametrize("image", [ABSENT, BROKEN], ids=["there is no image", "it dies when it runs"])
def test_a_renamed_app_that_does_not_start_is_served_by_the_one_before(image: str) -> None:
    async def body(sim: Simulation, world: World) -> None:
        shop = environment(sim, organization(sim, "acme"), "shop", domains=[domain(sim, HOST)])
        await sim.settle()
        before = sim.service(shop)
        with always_served(sim, HOST):
            sim.change(shop, image_ref=image)
            renamed(sim, shop, app="store")
            await sim.sleep(200.0)
            assert serving(sim, HOST) == [before]
            assert f"the former {before} serves until then" in world.database.statuses[shop].message
            sim.change(shop, image_ref=WEB2)
            await sim.settle()
        assert serving(sim, HOST) == [sim.service(shop)]

    run(body)


def test_a_renamed_app_whose_domain_went_to_another_tenant_meanwhile_lets_go_of_it() -> None:
    async def body(sim: Simulation, _: World) -> None:
        shop = environment(sim, organization(sim, "acme"), "shop", domains=[domain(sim, HOST)])
        blog = environment(sim, organization(sim, "beta"), "blog")
        await sim.settle()
        with never_shared(sim, HOST):
            sim.change(shop, image_ref=BROKEN, domains=[])
            renamed(sim, shop, app="store")
            sim.change(blog, domains=[domain(sim, HOST, generation=2)])
            await sim.sleep(60.0)
            assert (serving(sim, HOST), sim.reason(blog)) == ([sim.service(blog)], "Deployed")
            sim.change(shop, image_ref=WEB2)
            await sim.settle()

    run(body)


def test_what_is_suspended_or_not_wanted_goes_at_once_also_when_it_was_renamed() -> None:
    async def body(sim: Simulation, _: World) -> None:
        web, worker = process(sim, "shop", "web", port=8080), process(sim, "shop", "worker")
        shop = environment(sim, organization(sim, "acme"), "shop", processes=[web, worker])
        await sim.settle()
        before, gone = sim.service(shop), sim.service(shop, "worker")
        sim.change(shop, processes=[web])
        renamed(sim, shop, app="store")
        await sim.sleep(0.1)
        assert gone not in sim.swarm.state()["services"]
        assert before in sim.swarm.state()["services"]
        sim.change(shop, suspended=True)
        await sim.sleep(0.1)
        assert before not in sim.swarm.state()["services"]
        await sim.settle()

    run(body)


# -- host names change hands -----------------------------------------------------------------------------------------


def test_a_host_name_is_given_over_only_when_the_one_before_has_let_go() -> None:
    async def body(sim: Simulation, world: World) -> None:
        shop = environment(sim, organization(sim, "acme"), "shop", domains=[domain(sim, HOST)])
        blog = environment(sim, organization(sim, "beta"), "blog", domains=[domain(sim, "blog.example.com")])
        await sim.settle()
        with never_shared(sim, HOST, "blog.example.com"):
            with world.database.transaction() as swap:
                for key, host in ((shop, "blog.example.com"), (blog, HOST)):
                    document = sim.document(key) | {"domains": [domain(sim, host, generation=2)]}
                    swap.put(key, world.database.objects[key].organization_id, document)
            await sim.sleep(5.0)
            assert serving(sim, HOST) == [sim.service(blog)]
            assert serving(sim, "blog.example.com") == [sim.service(shop)]
            await sim.settle()

    run(body)


def test_a_host_name_of_a_paused_tenant_is_waited_for_and_said_so() -> None:
    async def body(sim: Simulation, world: World) -> None:
        shop = environment(sim, organization(sim, "acme"), "shop", domains=[domain(sim, HOST)])
        other = domain(sim, "blog.example.com")
        blog = environment(sim, organization(sim, "beta"), "blog", domains=[other])
        await sim.settle()
        sim.database.pause("object", shop)
        await sim.settle()
        with never_shared(sim, HOST):
            sim.change(shop, domains=[])
            sim.change(blog, domains=[other, domain(sim, HOST, generation=2)], image_ref=WEB2)
            await sim.sleep(60.0)
            said = world.database.statuses[blog]
            assert (said.ready, said.reason) == (False, "NameStillInUse")
            assert "acme" not in said.message
            parts = {d["hostname"]: sim.reason(Key("domain", d["id"])) for d in sim.document(blog)["domains"]}
            assert parts == {HOST: "NameStillInUse", "blog.example.com": "Routed"}
            sim.database.resume("object", shop)
            await sim.sleep(2.0)
            assert serving(sim, HOST) == [sim.service(blog)], "it was not told that the name is free"
            await sim.settle()

    run(body)


def test_a_rollback_does_not_bring_a_host_name_back_that_went_with_the_update() -> None:
    async def body(sim: Simulation, _: World) -> None:
        shop = environment(sim, organization(sim, "acme"), "shop", domains=[domain(sim, HOST)])
        blog = environment(sim, organization(sim, "beta"), "blog")
        await sim.settle()
        with never_shared(sim, HOST):
            sim.change(shop, image_ref=BROKEN, domains=[])
            sim.change(blog, domains=[domain(sim, HOST, generation=2)])
            await sim.settle()
        assert (sim.reason(shop), serving(sim, HOST)) == ("RolledBack", [sim.service(blog)])

    run(body)


# -- from the names before -------------------------------------------------------------------------------------------


def test_what_has_a_name_of_before_is_replaced_without_a_gap_and_networks_stay() -> None:
    async def body(sim: Simulation, world: World) -> None:
        acme = organization(sim, "acme")
        shop = environment(sim, acme, "shop", domains=[domain(sim, HOST)])
        await sim.settle()
        found = {name: await sim.hands.call("GET", f"/services/{name}") for name in (sim.service(shop), sim.pin(acme))}
        sim.database.pause("installation")
        await sim.settle()
        # As an older version made them: the same labels, and other names.
        old = {sim.service(shop): "acme-shop-production-web", sim.pin(acme): "org-acme_pin"}
        for name, service in found.items():
            made = {**service["Spec"], "Name": old[name]}
            await sim.hands.call("POST", "/services/create", made)
        await sim.sleep(5.0)
        for name in found:
            await sim.hands.remove_service(name)
        network = sim.swarm.state()["networks"][sim.network(acme)]
        with always_served(sim, HOST):
            sim.database.resume("installation")
            await sim.settle()
        assert sim.reason(shop) == "Deployed"
        assert not set(old.values()) & set(sim.swarm.state()["services"])
        assert sim.swarm.state()["networks"][sim.network(acme)] == network
        assert ("edge_traefik", 1, sim.network(acme)) in sim.swarm.state()["joined"]

    run(body)
