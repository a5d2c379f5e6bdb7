"""What is never healthy, and whose program ends well when it is stopped: to Swarm that has run."""

from __future__ import annotations

from typing import Any

from controller.records import Key
from tests.sim.scenario import Simulation, scenario
from tests.sim.scenarios.environment import WEB, WEB2, domain, environment, process, runs
from tests.sim.scenarios.organization import organization
from tests.sim.swarm.behaviour import Behaviour

CHECK = {"command": ["/bin/check"], "interval_seconds": 2, "timeout_seconds": 10, "retries": 4}
WITHIN_SECONDS = 58.0
"""Longer than another controller takes to lead."""
SICK = Behaviour(healthy=False, check_says="no database")
NEXT = "127.0.0.1:5000/web:3"


def shop_of_one(sim: Simulation, **fields: Any) -> Key:
    domains = [domain(sim, "shop.example.com")]
    return environment(sim, organization(sim, "acme"), "shop", healthcheck=CHECK, domains=domains, **fields)


def serving(sim: Simulation, shop: Key) -> list[str]:
    """Ids of tasks that serve."""
    return [task.meta.id for task in sim.swarm.tasks(sim.service(shop)) if task.state == task.desired == "running"]


@scenario(extra=("update",))
async def what_is_never_healthy_and_ends_well_takes_nothing_with_it(sim: Simulation) -> None:
    shop = shop_of_one(sim)
    sim.swarm.behave(WEB2, SICK)
    await sim.settle()
    await sim.sleep(5.0)  # it is proven
    before = serving(sim, shop)
    sim.change(shop, image_ref=WEB2)
    await sim.sleep(WITHIN_SECONDS + 30.0)
    await sim.settle()
    assert (sim.reason(shop), runs(sim, shop)) == ("RolledBack", (1, WEB))
    assert serving(sim, shop) == before, "what ran before was stopped for it"
    sim.swarm.behave(WEB2, Behaviour())
    sim.change(shop, restart_token="again")
    await sim.settle()
    assert (sim.reason(shop), runs(sim, shop)) == ("Deployed", (1, WEB2))


@scenario(extra=("update",))
async def what_is_never_healthy_goes_while_the_command_of_the_next_release_runs(sim: Simulation) -> None:
    shop = shop_of_one(sim)
    sim.swarm.behave(WEB2, SICK)
    await sim.settle()
    await sim.sleep(5.0)
    before = serving(sim, shop)
    sim.change(shop, image_ref=WEB2)
    await sim.sleep(25.0)
    sim.change(shop, image_ref=NEXT, processes=[process(sim, "shop", "release", args=["worker"])])
    await sim.sleep(WITHIN_SECONDS + 25.0)
    assert (sim.reason(shop), serving(sim, shop)) == ("ReleaseCommandRunning", before)
    sim.change(shop, processes=[])
    await sim.settle()
    assert (sim.reason(shop), runs(sim, shop)) == ("Deployed", (1, NEXT))


@scenario(extra=("update",))
async def what_is_never_healthy_goes_while_the_row_is_invalid(sim: Simulation) -> None:
    shop = shop_of_one(sim)
    sim.swarm.behave(WEB2, SICK)
    await sim.settle()
    await sim.sleep(5.0)
    before = serving(sim, shop)
    sim.change(shop, image_ref=WEB2)
    await sim.sleep(25.0)
    sim.change(shop, port=0)
    await sim.sleep(WITHIN_SECONDS + 25.0)
    await sim.settle()
    assert (sim.reason(shop), runs(sim, shop), serving(sim, shop)) == ("InvalidSpec", (1, WEB), before)


@scenario()
async def a_first_version_that_is_never_healthy_is_told_when_its_time_is_over(sim: Simulation) -> None:
    sim.swarm.behave(WEB, SICK)
    shop = shop_of_one(sim)
    await sim.sleep(WITHIN_SECONDS + 15.0)
    assert sim.reason(shop) == "Unhealthy"
    sim.take_over()
    await sim.sleep(45.0)  # Swarm has ended it, and started another
    assert sim.reason(shop) == "Unhealthy"
    sim.swarm.behave(WEB, Behaviour())
    await sim.sleep(120.0)  # the next one is healthy
    await sim.settle()
    assert (sim.reason(shop), runs(sim, shop)) == ("Deployed", (1, WEB))


@scenario(extra=("update",))
async def a_task_on_another_node_has_its_time_once_whoever_leads(sim: Simulation) -> None:
    for node in sim.swarm.store.nodes.values():
        if node.hostname.startswith("manager"):
            sim.swarm.update_node(node, availability="drain")
    shop = shop_of_one(sim)
    sim.swarm.behave(WEB2, SICK)
    sim.swarm.behave(NEXT, Behaviour(start_seconds=45.0))
    await sim.settle()
    await sim.sleep(5.0)
    before = serving(sim, shop)
    for image in (WEB2, NEXT):
        sim.change(shop, image_ref=image)
        for _ in range(2):  # after each of which it would begin anew, and its engine would be first
            await sim.sleep(15.0)
            sim.take_over()
        await sim.sleep(WITHIN_SECONDS)
        await sim.settle()
        if image == WEB2:
            assert (sim.reason(shop), serving(sim, shop)) == ("RolledBack", before)
    assert (sim.reason(shop), runs(sim, shop)) == ("Deployed", (1, NEXT)), "it was given the time that it has"


@scenario(extra=("update",))
async def what_ends_well_before_it_is_healthy_is_taken_back_and_its_check_is_not_blamed(sim: Simulation) -> None:
    """To Swarm it has run for a moment, so what ran before is stopped for it, and comes back."""
    for node in sim.swarm.store.nodes.values():
        if node.hostname.startswith("worker"):
            sim.swarm.update_node(node, availability="drain")
    shop = shop_of_one(sim)
    sim.swarm.behave(WEB2, Behaviour(exit_after=3.0, healthy=False, check_says="no database"))
    await sim.settle()
    await sim.sleep(35.0)  # it is proven
    sim.change(shop, image_ref=WEB2)
    await sim.sleep(60.0)
    await sim.settle()
    assert (sim.reason(shop), runs(sim, shop)) == ("RolledBack", (1, WEB))
    told = sim.database.statuses[shop].message
    assert "it ended by itself (exit code 0), before its health check had passed" in told, told
