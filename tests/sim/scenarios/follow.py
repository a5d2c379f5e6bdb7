"""Tags that are followed: one release a move, and what fails, is refused or cannot be asked for changes nothing."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

from controller.records import Key
from reconcilers.images import Images
from tests.sim import images
from tests.sim.scenario import Simulation, scenario
from tests.sim.scenarios.environment import WEB, environment
from tests.sim.scenarios.images import content, details, image
from tests.sim.scenarios.organization import organization
from tests.sim.scenarios.policies import KEY, policy, running, signed
from tests.sim.scenarios.releases import runs, versions
from tests.sim.swarm.behaviour import BY_WORD, Behaviour

EVERY = 60
A_WHILE = EVERY + 25.0


def moves(sim: Simulation, tag: str, to: str) -> str:
    """Let a tag mean another content from now on; as tasks name it."""
    digest = f"sha256:{hashlib.sha256(to.encode()).hexdigest()}"
    name = tag.rpartition(":")[0]
    sim.port(Images).images[tag] = replace(images.facts_of(tag), pinned=f"{name}@{digest}")
    return f"{tag}@{digest}"


def followed(sim: Simulation, shop: Key) -> tuple[Any, Any]:
    """What its status says of it: the state, and the reason."""
    said = details(sim, shop).get("follow") or {}
    return said.get("state"), said.get("reason")


async def later(sim: Simulation) -> None:
    """When it was asked again."""
    await sim.sleep(A_WHILE)
    await sim.settle()


@scenario()
async def a_tag_that_moves_is_one_release_that_says_so(sim: Simulation) -> None:
    shop = environment(sim, organization(sim, "acme"), "shop", follow_seconds=EVERY)
    await sim.settle()
    assert (versions(sim, shop), followed(sim, shop)) == ([(1, True)], ("following", None))
    second = moves(sim, WEB, "second")
    await later(sim)
    assert (image(sim, shop), versions(sim, shop)) == (second, [(1, True), (2, True)])
    assert [each.moved for each in sim.database.releases[shop.id]] == [False, True]
    await later(sim)
    assert versions(sim, shop) == [(1, True), (2, True)]


@scenario()
async def a_registry_that_is_away_is_said_and_what_runs_goes_on(sim: Simulation) -> None:
    shop = environment(sim, organization(sim, "acme"), "shop", follow_seconds=EVERY)
    await sim.settle()
    sim.port(Images).failures[WEB] = images.unavailable
    await later(sim)
    assert (sim.reason(shop), followed(sim, shop)) == ("Deployed", ("held", "RegistryUnavailable"))
    assert details(sim, shop)["follow"]["since"]
    second = moves(sim, WEB, "second")
    del sim.port(Images).failures[WEB]
    await later(sim)
    assert (image(sim, shop), followed(sim, shop)) == (second, ("following", None))


@scenario()
async def a_mirror_alone_moves_nothing(sim: Simulation) -> None:
    shop = environment(sim, organization(sim, "acme"), "shop", follow_seconds=EVERY)
    await sim.settle()
    first = images.facts_of(WEB).pinned
    second = moves(sim, WEB, "second")
    await later(sim)
    sim.port(Images).mirrored[WEB] = first  # which is behind, for longer than an interval
    for _ in range(2):
        await later(sim)
    assert (image(sim, shop), versions(sim, shop)) == (second, [(1, True), (2, True)])
    assert followed(sim, shop) == ("following", None)
    sim.port(Images).failures[WEB] = images.unavailable
    await later(sim)
    assert (sim.reason(shop), followed(sim, shop)) == ("Deployed", ("held", "RegistryUnavailable"))
    del sim.port(Images).failures[WEB]
    await later(sim)
    assert (image(sim, shop), versions(sim, shop)) == (second, [(1, True), (2, True)])


@scenario()
async def one_of_several_of_an_index_runs_by_its_own_digest_and_is_followed_by_the_index(sim: Simulation) -> None:
    found = images.facts_of(WEB)
    own = found.pinned.partition("@")[2]
    of = {letter: f"sha256:{letter * 64}" for letter in "ab"}
    sim.port(Images).images[WEB] = replace(found, digests=(of["a"], own))
    sim.port(Images).signatures = {f"{found.pinned.partition('@')[0]}@{of[letter]}": {KEY} for letter in "ab"}
    shop = environment(sim, organization(sim, "acme"), "shop", follow_seconds=EVERY, image_policy=signed("new", KEY))
    await sim.settle()
    assert (sim.reason(shop), image(sim, shop)) == ("Deployed", f"{WEB}@{own}")
    assert (details(sim, shop)["digest"], details(sim, shop)["index"]) == (own, of["a"])
    await later(sim)
    other = replace(found, digests=(of["b"], own))  # of another machine, there is a new image in it
    sim.port(Images).images |= {WEB: other, f"{found.pinned.partition('@')[0]}@{of['b']}": other}
    await later(sim)
    assert (image(sim, shop), versions(sim, shop)) == (f"{WEB}@{own}", [(1, True)])
    assert (followed(sim, shop), details(sim, shop)["index"]) == (("following", None), of["b"])


@scenario()
async def what_fails_is_tried_once_and_the_next_move_is_followed(sim: Simulation) -> None:
    shop = environment(sim, organization(sim, "acme"), "shop", follow_seconds=EVERY)
    await sim.settle()
    second = moves(sim, WEB, "second")
    sim.swarm.behaviours.by_image[second] = BY_WORD["crash"]
    await later(sim)
    assert (sim.reason(shop), image(sim, shop)) == ("RolledBack", content(WEB))
    assert (followed(sim, shop), versions(sim, shop)) == (("failed", None), [(1, True), (2, False)])
    third = moves(sim, WEB, "third")
    await later(sim)
    assert (sim.reason(shop), image(sim, shop)) == ("Deployed", third)
    assert versions(sim, shop) == [(1, True), (2, False), (3, True)]


@scenario()
async def a_release_that_is_named_ends_it_until_it_is_cleared(sim: Simulation) -> None:
    shop = environment(sim, organization(sim, "acme"), "shop", follow_seconds=EVERY)
    await sim.settle()
    second = moves(sim, WEB, "second")
    await later(sim)
    runs(sim, shop, 1)
    moves(sim, WEB, "third")
    await later(sim)
    assert (image(sim, shop), followed(sim, shop)[0]) == (content(WEB), "paused")
    assert versions(sim, shop) == [(1, True), (2, True), (3, True)]
    moves(sim, WEB, "second")
    runs(sim, shop, None)
    await later(sim)
    assert (image(sim, shop), versions(sim, shop)[-1]) == (second, (4, True))
    assert [each.moved for each in sim.database.releases[shop.id]] == [False, True, False, False]


@scenario()
async def what_a_policy_refuses_is_not_followed_and_said(sim: Simulation) -> None:
    second = moves(sim, WEB, "second")
    sim.port(Images).images.clear()
    blocks = policy("all", f"*@{second.partition('@')[2]}")
    shop = environment(sim, organization(sim, "acme"), "shop", follow_seconds=EVERY, image_policy=blocks)
    await sim.settle()
    moves(sim, WEB, "second")
    await later(sim)
    assert (sim.reason(shop), image(sim, shop), running(sim, shop)) == ("Deployed", content(WEB), 1)
    assert followed(sim, shop) == ("held", "ImageBlocked")


@scenario(counts=False)  # whether it was asked for again before the policy went, or after
async def what_a_policy_refused_is_followed_when_the_policy_is_gone(sim: Simulation) -> None:
    second = moves(sim, WEB, "second")
    sim.port(Images).images.clear()
    blocks = policy("all", f"*@{second.partition('@')[2]}")
    shop = environment(sim, organization(sim, "acme"), "shop", follow_seconds=EVERY, image_policy=blocks)
    await sim.settle()
    moves(sim, WEB, "second")
    await later(sim)
    sim.change(shop, image_policy=None)
    await sim.settle()
    await later(sim)
    await later(sim)
    assert (image(sim, shop), followed(sim, shop)) == (second, ("following", None))


@scenario(counts=False)  # how far the rollout is
async def what_is_condemned_in_its_rollout_is_left_with_the_next_move(sim: Simulation) -> None:
    shop = environment(sim, organization(sim, "acme"), "shop", follow_seconds=EVERY, instances=2)
    await sim.settle()
    second = moves(sim, WEB, "second")
    sim.swarm.behaviours.by_image[second] = Behaviour(start_seconds=600.0)
    await sim.sleep(A_WHILE)
    sim.change(shop, image_policy=policy("all", f"*@{second.partition('@')[2]}"))
    await sim.settle()
    assert (sim.reason(shop), image(sim, shop), running(sim, shop)) == ("ImageBlocked", content(WEB), 2)
    third = moves(sim, WEB, "third")
    await later(sim)
    assert (sim.reason(shop), image(sim, shop)) == ("Deployed", third)
