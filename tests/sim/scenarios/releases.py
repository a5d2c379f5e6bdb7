"""Releases: what changes makes one and what does not, and going back to one, config vars with it."""

from __future__ import annotations

from typing import Any

from controller.records import Key
from reconcilers.labels import PROCESS
from tests.sim.database.releases import pinned
from tests.sim.scenario import Simulation, scenario
from tests.sim.scenarios.config import VALUE, configure, container, secrets, service
from tests.sim.scenarios.environment import BROKEN, WEB2, domain, environment, process
from tests.sim.scenarios.organization import organization


def versions(sim: Simulation, shop: Key) -> list[tuple[int, bool]]:
    """Of its releases, the oldest first: the version, and whether all tasks ran it."""
    return [(each.version, each.deployed) for each in sim.database.releases.get(shop.id, [])]


def runs(sim: Simulation, shop: Key, release: int | None) -> None:
    """Name a release."""
    sim.change(shop, pinned=None if release is None else pinned(sim.database, shop, release))


def running(sim: Simulation) -> set[str]:
    """Tasks of tenants that run."""
    tasks = (task for task in sim.swarm.store.tasks.values() if PROCESS in task.service.spec["Labels"])
    return {task.meta.id for task in tasks if task.desired == task.state == "running"}


def without_ids(spec: dict[str, Any]) -> dict[str, Any]:
    """What tasks are made from, with what they are given by its name alone."""
    return {**spec, "Secrets": [secret["SecretName"] for secret in spec["Secrets"]]}


@scenario()
async def only_what_tasks_run_makes_a_release(sim: Simulation) -> None:
    home = organization(sim, "acme")
    shop = environment(sim, home, "shop")
    await sim.settle()
    sim.change(shop, instances=3)
    await sim.settle()
    sim.change(shop, suspended=True)
    await sim.settle()
    sim.change(shop, suspended=False, memory_mb=64)
    await sim.settle()
    assert versions(sim, shop) == [(1, True)]
    sim.change(shop, cmd=["serve"])
    await sim.settle()
    assert versions(sim, shop) == [(1, True), (2, True)]


@scenario()
async def a_release_comes_back_with_image_settings_and_variables(sim: Simulation) -> None:
    home = organization(sim, "acme")
    shop = environment(sim, home, "shop")
    configure(sim, shop, {"TOKEN": f"{VALUE} 1"})
    await sim.settle()
    first = without_ids(container(sim, sim.service(shop)))
    configure(sim, shop, {"TOKEN": f"{VALUE} 2", "MORE": "x"}, image_ref=WEB2, cmd=["serve"])
    await sim.settle()
    configure(sim, shop, {"TOKEN": f"{VALUE} 3"})
    await sim.settle()
    runs(sim, shop, 1)
    await sim.settle()
    assert without_ids(container(sim, sim.service(shop))) == first
    assert f"TOKEN={VALUE} 1\0".encode() in secrets(sim).values()
    assert versions(sim, shop) == [(1, True), (2, True), (3, True), (4, True)]
    runs(sim, shop, None)
    await sim.settle()
    assert f"TOKEN={VALUE} 3\0".encode() in secrets(sim).values()
    assert versions(sim, shop)[-1] == (5, True)


@scenario()
async def the_scale_is_today_s_whatever_release_runs(sim: Simulation) -> None:
    home = organization(sim, "acme")
    shop = environment(sim, home, "shop", processes=[process(sim, "shop", "web"), process(sim, "shop", "worker")])
    await sim.settle()
    web = sim.document(shop)["processes"][0]
    sim.change(shop, image_ref=WEB2, processes=[{**web, "instances": 3}, process(sim, "shop", "cron")])
    await sim.settle()
    runs(sim, shop, 1)
    await sim.settle()
    assert service(sim, shop)["Mode"]["Replicated"]["Replicas"] == 3
    names = {
        s.spec["Labels"]["io.skypanel.process"]
        for s in sim.swarm.store.services.values()
        if s.name != "edge" and "io.skypanel.process" in s.spec["Labels"]
    }
    assert names == {"web", "worker"}, "a process that only the release has runs, and one that it lacks does not"
    assert sim.reason(shop) == "Deployed"


@scenario(extra=("update",))
async def a_release_that_does_not_start_is_never_deployed(sim: Simulation) -> None:
    home = organization(sim, "acme")
    shop = environment(sim, home, "shop")
    await sim.settle()
    sim.change(shop, image_ref=BROKEN)
    await sim.settle()
    assert sim.reason(shop) == "RolledBack"
    assert versions(sim, shop) == [(1, True), (2, False)]
    runs(sim, shop, 1)
    await sim.settle()
    assert sim.reason(shop) == "Deployed"
    assert versions(sim, shop) == [(1, True), (2, False), (3, True)]


@scenario()
async def a_wrong_field_does_not_end_what_the_named_release_runs(sim: Simulation) -> None:
    home = organization(sim, "acme")
    shop = environment(sim, home, "shop", processes=[process(sim, "shop", "web"), process(sim, "shop", "worker")])
    await sim.settle()
    (web, _) = sim.document(shop)["processes"]
    sim.change(shop, processes=[web])
    await sim.settle()
    runs(sim, shop, 1)
    await sim.settle()
    sim.change(shop, image_ref="not an image")
    await sim.settle()
    assert sim.reason(shop) == "Deployed", "what the release has is not declared"
    sim.change(shop, memory_mb=-1)
    await sim.settle()
    assert sim.reason(shop) == "InvalidSpec"
    assert len([s for s in sim.swarm.store.services.values() if s.spec["Labels"].get("io.skypanel.process")]) == 2


@scenario()
async def a_release_that_cannot_run_takes_nothing_away(sim: Simulation) -> None:
    home = organization(sim, "acme")
    shop = environment(sim, home, "shop", processes=[process(sim, "shop", "web", port=80)])
    await sim.settle()
    web = sim.document(shop)["processes"][0]
    hosts = [domain(sim, "api.example.com", process_type="api")]
    sim.change(shop, processes=[process(sim, "shop", "api", port=81, instances=2), web], domains=hosts)
    await sim.settle()
    runs(sim, shop, 1)
    await sim.settle()
    assert sim.reason(shop) == "InvalidSpec"
    api = next(s.spec for s in sim.swarm.store.services.values() if s.name == sim.service(shop, "api"))
    assert api["Mode"]["Replicated"]["Replicas"] == 2
    assert any("api.example.com" in value for value in api["Labels"].values()), "its host is served"


@scenario()
async def another_token_replaces_the_tasks_and_makes_no_release(sim: Simulation) -> None:
    home = organization(sim, "acme")
    web, worker = process(sim, "shop", "web"), process(sim, "shop", "worker")
    shop = environment(sim, home, "shop", instances=2, processes=[web, worker])
    await sim.settle()
    before = running(sim)
    sim.change(shop, restart_token="1")
    await sim.settle()
    after = running(sim)
    assert not before & after, "every task is another one"
    assert len(after) == len(before)
    sim.change(shop, processes=[web, {**worker, "restart_token": "1"}])
    await sim.settle()
    assert len(after & running(sim)) == 1, "the other process goes on"
    assert versions(sim, shop) == [(1, True)]


@scenario()
async def a_token_stays_when_a_release_is_gone_back_to(sim: Simulation) -> None:
    home = organization(sim, "acme")
    shop = environment(sim, home, "shop")
    await sim.settle()
    first = container(sim, sim.service(shop))
    sim.change(shop, restart_token="1", image_ref=WEB2)
    await sim.settle()
    runs(sim, shop, 1)
    await sim.settle()
    found = container(sim, sim.service(shop))
    assert found == {**first, "Labels": {**first["Labels"], "io.skypanel.restart": "1/"}}


@scenario()
async def a_token_of_what_is_suspended_starts_nothing(sim: Simulation) -> None:
    home = organization(sim, "acme")
    shop = environment(sim, home, "shop", suspended=True)
    await sim.settle()
    sim.change(shop, restart_token="1")
    await sim.settle()
    assert not running(sim)
    assert sim.reason(shop) == "Suspended"
    sim.change(shop, suspended=False)
    await sim.settle()
    assert len(running(sim)) == 1
