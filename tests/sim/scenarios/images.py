"""Images by their content: what a new release runs, what an upgrade leaves as it is, and who may run what."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson

from controller.records import Key
from reconcilers.images import Images
from specs.releases import release_of
from specs.snapshots import EnvironmentSnapshot
from tests.sim import images
from tests.sim.database.releases import Kept
from tests.sim.scenario import Simulation, scenario
from tests.sim.scenarios.config import container
from tests.sim.scenarios.environment import WEB, WEB2, environment
from tests.sim.scenarios.organization import organization
from tests.sim.scenarios.registries import REGISTRY, signs_in
from tests.sim.scenarios.releases import versions

PRIVATE = f"{REGISTRY}/private/web:1"


def image(sim: Simulation, shop: Key) -> str:
    """As its tasks name it."""
    return str(container(sim, sim.service(shop))["Image"])


def content(reference: str) -> str:
    """``reference`` with the digest that a registry of the simulation gives it."""
    return f"{reference}@{images.facts_of(reference).pinned.partition('@')[2]}"


def details(sim: Simulation, shop: Key) -> dict[str, Any]:
    """Of its status."""
    found: dict[str, Any] = orjson.loads(sim.database.statuses[shop].details)
    return found


def released_by_tag(sim: Simulation, shop: Key) -> None:
    """As a version before this one left it: a release, and what it runs is named by its tag."""
    snapshot = EnvironmentSnapshot.model_validate(sim.document(shop))
    release = release_of(snapshot, WEB)
    sim.database.releases[shop.id] = [Kept(1, release.digest, release, None, True)]


@scenario()
async def every_new_release_runs_by_its_content(sim: Simulation) -> None:
    shop = environment(sim, organization(sim, "acme"), "shop")
    await sim.settle()
    assert image(sim, shop) == content(WEB)
    sim.change(shop, image_ref=WEB2, instances=2)
    await sim.settle()
    assert (image(sim, shop), versions(sim, shop)) == (content(WEB2), [(1, True), (2, True)])
    digest = content(WEB2).partition("@")[2]
    assert details(sim, shop)["digest"] == digest
    assert details(sim, shop)["running"] == [WEB2], "in the words of whoever declared it"


@scenario()
async def what_ran_by_its_tag_goes_on_until_a_new_release(sim: Simulation) -> None:
    shop = environment(sim, organization(sim, "acme"), "shop")
    released_by_tag(sim, shop)
    sim.port(Images).failures[WEB] = images.unavailable
    await sim.settle()
    sim.change(shop, instances=3)
    await sim.settle()
    assert (image(sim, shop), versions(sim, shop)) == (WEB, [(1, True)])
    assert not sim.port(Images).asked
    sim.change(shop, cmd=["serve"])
    await sim.settle()
    assert (sim.reason(shop), image(sim, shop)) == ("RegistryUnavailable", WEB)
    del sim.port(Images).failures[WEB]
    await sim.settle()
    assert (image(sim, shop), versions(sim, shop)) == (content(WEB), [(1, True), (2, True)])


@scenario()
async def a_registry_that_is_away_holds_a_new_release_alone(sim: Simulation) -> None:
    shop = environment(sim, organization(sim, "acme"), "shop")
    await sim.settle()
    sim.port(Images).failures.update({WEB: images.unavailable, WEB2: images.unavailable})
    sim.change(shop, instances=2)
    await sim.settle()
    sim.change(shop, image_ref=WEB2)
    await sim.settle()
    assert (sim.reason(shop), image(sim, shop)) == ("RegistryUnavailable", content(WEB))
    del sim.port(Images).failures[WEB2]
    await sim.settle()
    assert (sim.reason(shop), image(sim, shop)) == ("Deployed", content(WEB2))


@scenario()
async def nobody_runs_what_only_another_organization_may_pull(sim: Simulation) -> None:
    home, other = organization(sim, "acme"), organization(sim, "beta")
    shop, thief = environment(sim, home, "shop", image_ref=PRIVATE), environment(sim, other, "blog", image_ref=PRIVATE)
    signs_in(sim, home, 1, shop)
    await sim.settle()
    assert (sim.reason(shop), image(sim, shop)) == ("Deployed", content(PRIVATE))
    assert sim.reason(thief) == "ImageDenied"
    sim.change(thief, image_ref=content(PRIVATE))
    await sim.settle()
    assert sim.reason(thief) == "ImageDenied", "its digest is no key to it"
    assert sim.service(thief) not in sim.swarm.state()["services"]


@scenario()
async def another_setting_asks_no_registry_what_is_known(sim: Simulation) -> None:
    shop = environment(sim, organization(sim, "acme"), "shop")
    await sim.settle()
    sim.port(Images).failures[WEB] = images.unavailable
    sim.change(shop, cmd=["serve"])
    await sim.settle()
    assert (sim.reason(shop), image(sim, shop)) == ("Deployed", content(WEB))


@scenario()
async def what_was_deployed_a_moment_ago_stays_while_the_next_image_cannot_be_looked_up(sim: Simulation) -> None:
    shop = environment(sim, organization(sim, "acme"), "shop")
    await sim.settle()
    sim.change(shop, cmd=["serve"], instances=2)
    await sim.settle()
    assert (sim.reason(shop), container(sim, sim.service(shop))["Args"]) == ("Deployed", ["serve"])
    sim.port(Images).failures[WEB2] = images.unavailable
    sim.change(shop, image_ref=WEB2)
    await sim.settle()
    assert (sim.reason(shop), image(sim, shop)) == ("RegistryUnavailable", content(WEB))
    assert container(sim, sim.service(shop))["Args"] == ["serve"], "nothing has shown that it does not work"
    del sim.port(Images).failures[WEB2]
    await sim.settle()
    assert (sim.reason(shop), image(sim, shop)) == ("Deployed", content(WEB2))


@scenario()
async def the_stop_signal_of_an_image_that_was_known_without_it_restarts_nothing(sim: Simulation) -> None:
    facts = images.facts_of(WEB)
    sim.port(Images).images[WEB] = facts
    blocked = {"blocked_patterns": [f"*@{content(WEB2).partition('@')[2]}"]}
    shop = environment(sim, organization(sim, "acme"), "shop", drain_seconds=20, image_policy=blocked)
    await sim.settle()
    before = container(sim, sim.service(shop))
    sim.port(Images).images[WEB] = replace(facts, stop_signal="SIGQUIT")
    sim.change(shop, image_ref=WEB2)
    await sim.settle()
    assert sim.reason(shop) == "ImageBlocked"
    sim.change(shop, image_ref=WEB)
    await sim.settle()
    assert (sim.reason(shop), container(sim, sim.service(shop))) == ("Deployed", before)
    assert versions(sim, shop) == [(1, True)]
    sim.change(shop, cmd=["serve"])
    await sim.settle()
    assert container(sim, sim.service(shop))["Args"][:3] == ["drain", "20", "3"]
