"""What is said of apps whose tasks do not stay up, or do not go: while it is so, and once it is not."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from dataclasses import replace
from itertools import groupby

import pytest

from controller.records import Key
from tests.sim import loop, settings
from tests.sim import process as sim_process
from tests.sim.faults import Plan
from tests.sim.run import listen_to
from tests.sim.scenario import Simulation
from tests.sim.scenarios.environment import WEB, WEB2, environment, runs
from tests.sim.scenarios.organization import organization
from tests.sim.swarm.behaviour import Behaviour
from tests.sim.world import World

DIES = Behaviour(exit_after=6.0, exit_code=3)
"""Lives longer than Swarm watches it, and longer than a task has to live to be called ready."""


@pytest.fixture(autouse=True)
def _as_shipped(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the times of the settings' defaults."""
    options = replace(settings.OPTIONS, monitor_seconds=5.0, min_ready_seconds=5.0)
    monkeypatch.setattr(sim_process, "OPTIONS", options)
    monkeypatch.setattr(sim_process, "TUNING", replace(settings.TUNING, max_rollouts=0))


def run(body: Callable[[Simulation, World], Awaitable[None]]) -> World:
    random.seed(0)
    world = World(Plan("truth"))
    listen_to(world)

    async def main() -> None:
        await world.furnish()
        async with world.running(("a",)):
            await body(Simulation(world), world)

    loop.run(main)
    return world


def said(world: World, key: Key) -> list[tuple[str, str]]:
    """Every status that was written of an object: whether it is ready, and the reason."""
    return [
        (s.status.ready.status, s.status.ready.reason)
        for s in world.database.history.statuses
        if Key(s.status.kind, s.status.id) == key
    ]


def message(world: World, key: Key) -> str:
    return world.database.statuses[key].message


def test_what_dies_again_and_again_is_a_crash_loop_and_few_statuses_are_written_of_it() -> None:
    made: list[Key] = []

    async def body(sim: Simulation, world: World) -> None:
        sim.swarm.behave(WEB2, DIES)
        made.append(environment(sim, organization(sim, "acme"), "shop", image_ref=WEB2))
        await sim.sleep(60.0)
        assert sim.reason(made[0]) == "CrashLoop"
        before = len(said(world, made[0]))
        await sim.sleep(540.0)
        assert len(said(world, made[0])) == before, "nothing changed, and it was written down again"

    world = run(body)
    told = said(world, made[0])
    assert told[-1] == ("False", "CrashLoop")
    assert len(told) < 15
    assert sum(ready == "True" for ready, _ in told) <= 1, "called ready in between"
    assert "non-zero exit (3)" in message(world, made[0])
    assert "3 times or more" in message(world, made[0])


def test_a_new_version_that_outlives_swarm_s_watch_and_dies_again_and_again_is_taken_back() -> None:
    made: list[Key] = []

    async def body(sim: Simulation, world: World) -> None:
        sim.swarm.behave(WEB2, DIES)
        shop = environment(sim, organization(sim, "acme"), "shop", instances=2)
        made.append(shop)
        await sim.settle()
        assert sim.reason(shop) == "Deployed"
        sim.change(shop, image_ref=WEB2)
        await sim.sleep(300.0)
        assert (sim.reason(shop), runs(sim, shop)) == ("RolledBack", (2, WEB))
        assert "crash loop" in message(world, shop)
        assert "exit (3)" in message(world, shop)
        sim.change(shop, instances=3)
        await sim.sleep(60.0)
        assert (sim.reason(shop), runs(sim, shop)) == ("RolledBack", (3, WEB))

    world = run(body)
    assert len([1 for ready, _ in said(world, made[0]) if ready == "True"]) <= 2


def test_a_version_that_worked_and_now_dies_again_and_again_is_no_failed_rollout() -> None:
    async def body(sim: Simulation, world: World) -> None:
        shop = environment(sim, organization(sim, "acme"), "shop")
        await sim.settle()
        sim.change(shop, image_ref=WEB2)
        await sim.sleep(60.0)
        for _ in range(40):
            sim.swarm.fail_task(sim.service(shop), exit_code=9)
            await sim.sleep(3.0)
        assert (sim.reason(shop), runs(sim, shop)[1]) == ("CrashLoop", WEB2)
        await sim.sleep(300.0)
        assert sim.reason(shop) == "Deployed", "it has recovered, and nobody says so"

    run(body)


def test_ready_is_said_when_the_tasks_have_stayed_up_and_not_before() -> None:
    async def body(sim: Simulation, world: World) -> None:
        shop = environment(sim, organization(sim, "acme"), "shop")
        while not runs_now(sim, shop):
            await sim.sleep(0.1)
        await sim.sleep(4.0)
        assert sim.reason(shop) == "RollingOut"
        await sim.sleep(2.0)
        assert sim.reason(shop) == "Deployed"

    run(body)


def test_a_controller_that_begins_anew_takes_no_readiness_back() -> None:
    made: list[Key] = []

    async def body(sim: Simulation, world: World) -> None:
        made.append(environment(sim, organization(sim, "acme"), "shop"))
        await sim.settle()
        world.processes[-1].end()
        await sim.sleep(60.0)
        sim.database.touch(made[0])
        await sim.sleep(60.0)

    world = run(body)
    told = said(world, made[0])
    first = next(n for n, (ready, _) in enumerate(told) if ready == "True")
    assert {ready for ready, _ in told[first:]} == {"True"}


def test_suspended_and_deleted_are_said_when_nothing_runs_any_more() -> None:
    async def body(sim: Simulation, world: World) -> None:
        sim.swarm.agents._pace = replace(sim.swarm.agents._pace, stop=120.0)
        home = organization(sim, "acme")
        shop, blog = environment(sim, home, "shop", instances=2), environment(sim, home, "blog")
        await sim.settle()
        sim.change(shop, suspended=True)
        sim.delete(blog)
        await sim.sleep(60.0)
        assert (sim.reason(shop), sim.reason(blog)) == ("Stopping", "Deleting")
        assert "2 task(s)" in message(world, shop)
        assert "1 task(s)" in message(world, blog)
        await sim.sleep(120.0)
        assert (sim.reason(shop), sim.reason(blog)) == ("Suspended", "Deleted")

    run(body)


def test_a_start_that_was_declared_to_be_slow_is_no_lack_of_progress() -> None:
    check = {"command": ["/bin/check"], "start_period_seconds": 300, "interval_seconds": 10, "retries": 3}

    async def body(sim: Simulation, world: World) -> None:
        sim.swarm.behave(WEB2, Behaviour(start_seconds=200.0))
        home = organization(sim, "acme")
        declared = environment(sim, home, "shop", image_ref=WEB2, healthcheck=check)
        silent = environment(sim, home, "blog", image_ref=WEB2)
        await sim.sleep(160.0)
        assert sim.reason(declared) == "RollingOut"
        assert sim.reason(silent) == "ProgressDeadlineExceeded"
        await sim.sleep(25.0)
        assert (sim.reason(declared), sim.reason(silent)) == ("RollingOut", "Unhealthy"), "it does not listen in time"
        await sim.sleep(300.0)
        assert (sim.reason(declared), sim.reason(silent)) == ("Deployed", "Deployed")

    run(body)


def test_a_rollout_of_many_tasks_that_goes_on_is_no_lack_of_progress() -> None:
    made: list[Key] = []

    async def body(sim: Simulation, world: World) -> None:
        shop = environment(sim, organization(sim, "acme"), "shop", instances=6)
        made.append(shop)
        await sim.settle()
        sim.swarm.behave(WEB2, Behaviour(start_seconds=50.0))
        sim.change(shop, image_ref=WEB2)
        await sim.sleep(280.0)
        assert sim.reason(shop) == "RollingOut"

    world = run(body)
    assert "ProgressDeadlineExceeded" not in {reason for _, reason in said(world, made[0])}


def runs_now(sim: Simulation, key: Key) -> bool:
    return sim.service(key) in sim.swarm.state()["services"] and runs(sim, key)[0] > 0


CHECK = {"command": ["/bin/check"], "interval_seconds": 2, "retries": 2}
SAYS = Behaviour(healthy=False, check_says="no route\x1b[31m to\n the database ")
SAID = "its health check failed ([/bin/check], every 2s): exit code 1: no route [31m to the database"


def test_a_version_whose_health_check_fails_is_told_with_the_check_and_its_last_words_and_read_once() -> None:
    made: list[Key] = []

    async def body(sim: Simulation, world: World) -> None:
        shop = environment(sim, organization(sim, "acme"), "shop", healthcheck=CHECK)
        made.append(shop)
        await sim.settle()
        sim.swarm.behave(WEB2, SAYS)
        sim.change(shop, image_ref=WEB2)
        await sim.sleep(300.0)
        assert sim.reason(shop) == "RolledBack"
        assert SAID in message(world, shop)
        sim.swarm.behave(WEB2, replace(SAYS, check_says="something else"))
        sim.database.touch(shop)
        await sim.sleep(60.0)
        assert SAID in message(world, shop)

    world = run(body)
    assert not [line for line in world.lines if "no route" in str(line)], "what a check prints is its tenant's"
    asked = [s.at.name for s in world.course.steps if "GET /containers/" in s.at.name and "edge" not in s.at.name]
    assert len([name for name in asked if not name.endswith("/containers/json")]) == 1, set(asked)


@pytest.mark.parametrize(
    ("node", "told"),
    [("manager", SAID), ("worker", "its health check failed ([/bin/check], every 2s): `docker inspect ")],
)
def test_a_first_version_whose_health_check_fails_says_the_same_as_long_as_it_fails(node: str, told: str) -> None:
    """The engine that is asked has the containers of its own node; of others it is said which node has them."""
    made: list[Key] = []

    async def body(sim: Simulation, world: World) -> None:
        sim.swarm.behave(WEB2, SAYS)
        for other in sim.swarm.store.nodes.values():
            if not other.hostname.startswith(node):
                sim.swarm.update_node(other, availability="drain")
        shop = environment(sim, organization(sim, "acme"), "shop", image_ref=WEB2, healthcheck=CHECK)
        made.append(shop)
        await sim.sleep(400.0)
        assert sim.reason(shop) == "CrashLoop"
        assert told in message(world, shop)
        sim.swarm.behave(WEB2, replace(SAYS, healthy=True))
        await sim.sleep(400.0)
        assert sim.reason(shop) == "Deployed"

    world = run(body)
    told_of = [reason for reason, _ in groupby(reason for _, reason in said(world, made[0]))]
    assert told_of == ["NetworkNotReady", "RollingOut", "Unhealthy", "CrashLoop", "Deployed"]


def test_a_first_version_that_is_never_healthy_is_unhealthy_when_its_time_is_over_and_stays_so() -> None:
    made: list[Key] = []
    check = {**CHECK, "start_period_seconds": 300}

    async def body(sim: Simulation, world: World) -> None:
        sim.swarm.behave(WEB2, replace(SAYS, stop_code=0))
        shop = environment(sim, organization(sim, "acme"), "shop", image_ref=WEB2, healthcheck=check)
        made.append(shop)
        await sim.sleep(300 + 2 * (2 + 5) + 10 - 5.0)
        assert sim.reason(shop) == "RollingOut"
        await sim.sleep(10.0)
        assert sim.reason(shop) == "Unhealthy"
        assert SAID.partition(":")[0] in message(world, shop)
        before = len(said(world, shop))
        await sim.sleep(700.0)  # each takes so long that they never are a crash loop
        sim.change(shop, instances=2)
        await sim.sleep(20.0)
        assert sim.reason(shop) == "Unhealthy"
        assert len(said(world, shop)) == before + 1, "nothing but the generation has changed"
        sim.swarm.behave(WEB2, Behaviour())
        await sim.sleep(400.0)
        assert sim.reason(shop) == "Deployed"

    world = run(body)
    told_of = [reason for reason, _ in groupby(reason for _, reason in said(world, made[0]))]
    assert told_of == ["NetworkNotReady", "RollingOut", "Unhealthy", "Deployed"]
