"""Image policies in the middle of something: what serves, what may come back, and what is run before a release is,
while something else is asked for.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from controller.kit import clock
from controller.records import Key
from reconcilers.images import Images
from tests.sim import images
from tests.sim.scenario import Simulation, scenario
from tests.sim.scenarios.config import service
from tests.sim.scenarios.environment import ABSENT, BROKEN, WEB, WEB2, environment, process
from tests.sim.scenarios.images import content, image
from tests.sim.scenarios.organization import organization
from tests.sim.scenarios.policies import KEY, limited, pinned, policy, running, scan, signed
from tests.sim.swarm.behaviour import Behaviour

SLOW = Behaviour(start_seconds=20.0)
HUGE = "127.0.0.1:5000/web:huge"
NEXT = "127.0.0.1:5000/web:3"


def told(sim: Simulation, shop: Key) -> str:
    """Message of its Ready condition."""
    return sim.database.statuses[shop].message


async def until(sim: Simulation, row: Key, reason: str) -> None:
    """Let time go by until that is said; an answer that is lost costs half a minute."""
    for _ in range(16):
        await sim.sleep(5.0)
        if sim.reason(row) == reason:
            return
    raise AssertionError(f"{reason} is not said, but {sim.reason(row)}")


def condemn(sim: Simulation, reference: str) -> None:
    """Hand in that too much is found, at the last full hour: what is said has its time, whatever was lost before."""
    scan(sim, reference, age_days=clock.wall() % 3600 / 86_400, critical=1)


async def in_the_middle_of_a_rollout(sim: Simulation, **fields: Any) -> Key:
    """Of three tasks one runs another image; an answer that is lost costs half a minute."""
    sim.swarm.behave(WEB2, SLOW)
    shop = environment(sim, organization(sim, "acme"), "shop", instances=3, **fields)
    await sim.settle()
    sim.change(shop, image_ref=WEB2)
    for _ in range(16):
        await sim.sleep(5.0)
        tasks = [task for task in sim.swarm.store.tasks.values() if task.state == "running"]
        if any(task.spec["ContainerSpec"]["Image"] == content(WEB2) for task in tasks):
            return shop
    raise AssertionError("no task runs the other image")


@scenario(counts=False)  # how far the rollout is
async def what_a_policy_stops_in_its_rollout_goes_and_the_one_before_comes_back(sim: Simulation) -> None:
    shop = await in_the_middle_of_a_rollout(sim)
    sim.change(shop, image_policy=policy("all", WEB2))
    await sim.sleep(60.0)
    await sim.settle()
    assert (sim.reason(shop), image(sim, shop), running(sim, shop)) == ("ImageBlocked", content(WEB), 3)
    sim.change(shop, image_policy=None)
    await sim.sleep(90.0)
    await sim.settle()
    assert (sim.reason(shop), image(sim, shop), running(sim, shop)) == ("Deployed", content(WEB2), 3)


@scenario(counts=False)  # how far the rollout is
async def what_a_report_condemns_in_its_rollout_goes_and_the_one_before_comes_back(sim: Simulation) -> None:
    scan(sim, WEB, age_days=1)
    scan(sim, WEB2, age_days=1)
    shop = await in_the_middle_of_a_rollout(sim, image_policy=limited("all"))
    condemn(sim, WEB2)
    await sim.sleep(60.0)
    await sim.settle()
    assert (sim.reason(shop), image(sim, shop), running(sim, shop)) == ("Vulnerable", content(WEB), 3)


@scenario(counts=False)  # how far the rollout is
async def nothing_runs_where_a_policy_lets_neither_run(sim: Simulation) -> None:
    shop = await in_the_middle_of_a_rollout(sim)
    sim.change(shop, image_policy=policy("all", WEB, WEB2))
    await sim.settle()
    assert (sim.reason(shop), running(sim, shop)) == ("ImageBlocked", 0)
    assert "nothing runs" in told(sim, shop)


@scenario(counts=False)  # how far the rollout is
async def nothing_comes_back_that_a_report_condemned_before_it_was_last_asked_for(sim: Simulation) -> None:
    scan(sim, WEB, age_days=1)
    scan(sim, WEB2, age_days=1)
    shop = await in_the_middle_of_a_rollout(sim, image_policy=limited("all"))
    condemn(sim, WEB)
    condemn(sim, WEB2)
    await sim.settle()
    assert (sim.reason(shop), running(sim, shop)) == ("Vulnerable", 0)
    assert "nothing runs" in told(sim, shop)


@scenario(extra=("update",))
async def what_fails_does_not_go_back_to_what_a_policy_stops(sim: Simulation) -> None:
    shop = environment(sim, organization(sim, "acme"), "shop", instances=2)
    await sim.settle()
    sim.change(shop, image_policy=policy("all", WEB), image_ref=BROKEN)
    await sim.settle()
    assert (sim.reason(shop), running(sim, shop)) == ("RolledBack", 0)
    assert "nothing runs" in told(sim, shop)
    sim.change(shop, image_policy=None)
    await sim.settle()
    assert (sim.reason(shop), image(sim, shop), running(sim, shop)) == ("RolledBack", content(WEB), 2)
    sim.change(shop, image_ref=WEB2)
    await sim.settle()
    assert (sim.reason(shop), image(sim, shop), running(sim, shop)) == ("Deployed", content(WEB2), 2)


@scenario(counts=False)  # how far the rollout is
async def what_serves_is_stopped_in_the_middle_of_a_rollout_to_what_fails(sim: Simulation) -> None:
    scan(sim, WEB, age_days=1)
    scan(sim, WEB2, age_days=1)
    shop = await in_the_middle_of_a_rollout(sim, image_policy=limited("all"))
    condemn(sim, WEB)
    sim.swarm.behave(WEB2, Behaviour(exit_after=0.1, exit_code=3))
    await sim.sleep(60.0)
    await sim.settle()
    assert running(sim, shop) == 0 or image(sim, shop) == content(WEB2)


@scenario()
async def what_runs_unsigned_is_stopped_also_where_its_command_becomes_another(sim: Simulation) -> None:
    shop = environment(sim, organization(sim, "acme"), "shop")
    await sim.settle()
    sim.change(shop, image_policy=signed("all", KEY), cmd=["other"])
    await sim.settle()
    assert (sim.reason(shop), running(sim, shop)) == ("ImageNotSigned", 0)
    assert "nothing runs" in told(sim, shop)
    sim.port(Images).signatures[pinned(WEB)] = {KEY}
    sim.database.ask(shop, "look")
    await sim.settle()
    assert (sim.reason(shop), running(sim, shop)) == ("Deployed", 1)


@scenario()
async def what_is_not_judged_yet_waits_and_what_runs_goes_on(sim: Simulation) -> None:
    shop = environment(sim, organization(sim, "acme"), "shop")
    await sim.settle()
    before = service(sim, shop)["TaskTemplate"]
    sim.port(Images).failures[pinned(WEB)] = images.unavailable
    sim.change(shop, image_policy=signed("all", KEY), cmd=["other"])
    await sim.settle()
    assert (sim.reason(shop), running(sim, shop)) == ("RegistryUnavailable", 1)
    assert service(sim, shop)["TaskTemplate"] == before, "nothing new starts that is not judged"
    del sim.port(Images).failures[pinned(WEB)]
    sim.port(Images).signatures[pinned(WEB)] = {KEY}
    sim.database.ask(shop, "look")
    await sim.settle()
    assert sim.reason(shop) == "Deployed"
    assert service(sim, shop)["TaskTemplate"] != before


def of_an_index(sim: Simulation, reference: str) -> str:
    """The index that an image is of from now on, pinned."""
    found = images.facts_of(reference)
    name, _, own = found.pinned.partition("@")
    index = f"sha256:{'a' * 64}"
    sim.port(Images).images[reference] = replace(found, digests=(index, own))
    return f"{name}@{index}"


@scenario()
async def what_is_signed_by_the_index_that_it_is_of_goes_on_while_another_image_does_not_come(sim: Simulation) -> None:
    sim.port(Images).signatures[of_an_index(sim, WEB)] = {KEY}
    sim.port(Images).failures[ABSENT] = images.missing
    shop = environment(sim, organization(sim, "acme"), "shop")
    await sim.settle()
    sim.change(shop, image_policy=signed("all", KEY), image_ref=ABSENT)
    await sim.settle()
    assert (sim.reason(shop), running(sim, shop)) == ("ImageNotFound", 1)
    sim.change(shop, image_ref=WEB, cmd=["other"])
    await sim.settle()
    assert (sim.reason(shop), running(sim, shop)) == ("Deployed", 1)


@scenario()
async def what_nobody_has_signed_is_stopped_while_another_image_does_not_come(sim: Simulation) -> None:
    index = of_an_index(sim, WEB)
    sim.port(Images).failures[ABSENT] = images.missing
    shop = environment(sim, organization(sim, "acme"), "shop")
    await sim.settle()
    sim.change(shop, image_policy=signed("all", KEY), image_ref=ABSENT)
    await sim.settle()
    assert (sim.reason(shop), running(sim, shop)) == ("ImageNotFound", 0)
    assert "nothing runs" in told(sim, shop)
    sim.port(Images).signatures[index] = {KEY}
    sim.database.ask(shop, "look")
    await sim.settle()
    assert (sim.reason(shop), image(sim, shop), running(sim, shop)) == ("ImageNotFound", content(WEB), 1)


@scenario()
async def a_document_that_cannot_be_read_keeps_nothing_running_that_nobody_has_signed(sim: Simulation) -> None:
    of_an_index(sim, WEB)
    shop = environment(sim, organization(sim, "acme"), "shop")
    await sim.settle()
    sim.change(shop, image_policy=signed("all", KEY), port=70_000)
    await sim.settle()
    assert (sim.reason(shop), running(sim, shop)) == ("InvalidSpec", 0)


@scenario()
async def a_report_that_names_its_index_alone_stops_what_serves_while_another_image_does_not_come(
    sim: Simulation,
) -> None:
    index = of_an_index(sim, WEB)
    sim.port(Images).failures[ABSENT] = images.missing
    scan(sim, index, age_days=1)
    shop = environment(sim, organization(sim, "acme"), "shop", image_policy=limited("all"))
    await sim.settle()
    sim.change(shop, image_ref=ABSENT)
    await sim.settle()
    assert (sim.reason(shop), image(sim, shop), running(sim, shop)) == ("ImageNotFound", content(WEB), 1)
    scan(sim, index, critical=1)
    await sim.settle()
    assert (sim.reason(shop), running(sim, shop)) == ("ImageNotFound", 0)


@scenario()
async def what_is_allowed_by_its_index_goes_on_while_another_image_is_refused(sim: Simulation) -> None:
    allowed = {"allowed_patterns": [f"*@{of_an_index(sim, WEB).partition('@')[2]}"], "enforcement": "all"}
    shop = environment(sim, organization(sim, "acme"), "shop")
    await sim.settle()
    sim.change(shop, image_policy=allowed, image_ref=WEB2)
    await sim.settle()
    assert (sim.reason(shop), image(sim, shop), running(sim, shop)) == ("ImageNotAllowed", content(WEB), 1)


@scenario(counts=False)  # an old answer of who has the reports starts it, for as long as that one is old
async def what_was_stopped_comes_back_with_a_better_report_while_another_image_does_not_come(sim: Simulation) -> None:
    scan(sim, WEB, age_days=1)
    shop = environment(sim, organization(sim, "acme"), "shop", image_policy=limited("all"))
    sim.port(Images).failures[ABSENT] = images.missing
    await sim.settle()
    scan(sim, WEB, critical=1)
    await sim.settle()
    sim.change(shop, image_ref=ABSENT)
    await sim.settle()
    assert (sim.reason(shop), running(sim, shop)) == ("ImageNotFound", 0)
    scan(sim, WEB)
    await sim.settle()
    assert (sim.reason(shop), image(sim, shop), running(sim, shop)) == ("ImageNotFound", content(WEB), 1)


@scenario()
async def the_release_command_of_what_is_condemned_ends(sim: Simulation) -> None:
    processes = [process(sim, "shop", "web"), process(sim, "shop", "release", args=["worker"])]
    shop = environment(sim, organization(sim, "acme"), "shop", processes=processes[:1])
    await sim.settle()
    sim.change(shop, image_ref=WEB2, processes=processes)
    await until(sim, shop, "ReleaseCommandRunning")
    sim.change(shop, image_policy=policy("all", WEB2))
    await sim.settle()
    assert (sim.reason(shop), image(sim, shop), running(sim, shop)) == ("ImageBlocked", content(WEB), 1)
    assert not [t for t in sim.swarm.store.tasks.values() if t.iteration is not None and t.desired == "running"]


@scenario()
async def a_document_that_cannot_be_read_keeps_nothing_running_that_a_report_condemns(sim: Simulation) -> None:
    scan(sim, WEB, age_days=1)
    shop = environment(sim, organization(sim, "acme"), "shop", image_policy=limited("all"))
    await sim.settle()
    sim.change(shop, port=70_000)
    await sim.settle()
    assert (sim.reason(shop), running(sim, shop)) == ("InvalidSpec", 1)
    scan(sim, WEB, critical=1)
    await sim.settle()
    assert (sim.reason(shop), running(sim, shop)) == ("InvalidSpec", 0)


@scenario()
async def the_command_of_a_release_before_ends_where_its_image_is_condemned(sim: Simulation) -> None:
    long = process(sim, "shop", "release", args=["worker"])
    shop = environment(sim, organization(sim, "acme"), "shop", processes=[process(sim, "shop", "web")])
    await sim.settle()
    sim.change(shop, image_ref=WEB2, processes=[process(sim, "shop", "web"), long])
    await until(sim, shop, "ReleaseCommandRunning")
    done = process(sim, "shop", "release", args=["crash", "0"])
    sim.change(shop, image_ref=NEXT, processes=[process(sim, "shop", "web"), done], image_policy=policy("all", WEB2))
    await sim.settle()
    assert (sim.reason(shop), image(sim, shop), running(sim, shop)) == ("Deployed", content(NEXT), 1)


@scenario(counts=False)  # how far the hand-over is
async def a_former_service_does_not_serve_what_a_policy_stops(sim: Simulation) -> None:
    shop = environment(sim, organization(sim, "acme"), "shop", instances=2)
    await sim.settle()
    sim.change(shop, swarm_name="acme-store-production", image_ref=HUGE, image_policy=policy("all", WEB))
    await sim.settle()
    assert not [
        t
        for t in sim.swarm.store.tasks.values()
        if t.desired == "running" and t.spec["ContainerSpec"]["Image"] == content(WEB)
    ]
