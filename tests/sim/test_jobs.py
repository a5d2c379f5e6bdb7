"""Jobs through everything: run once for each content, whatever goes wrong, looked after, and removed; with faults.

What an environment declares has no job yet; here each has one (``jobs.py``).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.sim import explore, jobs
from tests.sim.faults import Plan
from tests.sim.jobs import BAD, EACH, LONG, SAID, name_of
from tests.sim.run import Verdict, execute
from tests.sim.scenario import Scenario, Simulation, scenarios
from tests.sim.scenarios.environment import WEB, WEB2, environment
from tests.sim.scenarios.organization import organization

ABOUT, OTHERS = 6, 2
"""So many faults are tried at steps about jobs, and at others, a scenario."""


@pytest.fixture(autouse=True)
def each_has_a_job(monkeypatch: pytest.MonkeyPatch) -> None:
    jobs.install(monkeypatch)


# -- scenarios ---------------------------------------------------------------------------------------------------------


def tasks(sim: Simulation, shop: Any) -> list[tuple[int | None, str]]:
    """Run and state of each."""
    return [(t.iteration, t.state) for t in sim.swarm.tasks(name_of(shop.id))]


async def is_run_once_for_each_content(sim: Simulation) -> None:
    shop = environment(sim, organization(sim, "acme"), "shop")
    await sim.settle()
    assert tasks(sim, shop) == [(0, "complete")] * 3
    sim.change(shop, instances=2)
    await sim.settle()
    sim.database.ask(shop, "once")
    await sim.settle()
    assert tasks(sim, shop) == [(0, "complete")] * 3, "neither another wish nor somebody's request runs it again"
    sim.change(shop, image_ref=WEB2)
    await sim.settle()
    assert [state for run, state in tasks(sim, shop) if run == 1] == ["complete"] * 3
    sim.delete(shop)
    await sim.settle()


async def fails_and_is_run_when_its_content_is_another(sim: Simulation) -> None:
    shop = environment(sim, organization(sim, "acme"), "shop", instances=0, image_ref=BAD)
    await sim.settle()
    assert tasks(sim, shop) == [(0, "failed")] * 2, "tried again once"
    sim.change(shop, image_ref=WEB)
    await sim.settle()
    assert [state for run, state in tasks(sim, shop) if run == 1] == ["complete"] * 3


async def fails_once_more_under_another_manager(sim: Simulation) -> None:
    shop = environment(sim, organization(sim, "acme"), "shop", instances=0, image_ref=BAD)
    await sim.settle()
    sim.swarm.lead_anew()
    await sim.settle()
    assert tasks(sim, shop) == [(0, "failed")] * 3
    sim.change(shop, image_ref=WEB)
    await sim.settle()
    sim.swarm.lead_anew()
    await sim.settle()
    assert [state for run, state in tasks(sim, shop) if run == 1] == ["complete"] * 3


async def is_made_again_when_somebody_removed_it(sim: Simulation) -> None:
    shop = environment(sim, organization(sim, "acme"), "shop")
    await sim.settle()
    await sim.hands.remove_service(name_of(shop.id))
    await sim.settle()
    assert tasks(sim, shop) == [(0, "complete")] * 3


async def is_left_as_somebody_changed_it(sim: Simulation) -> None:
    shop = environment(sim, organization(sim, "acme"), "shop")
    await sim.settle()
    await sim.hands.change_service(
        name_of(shop.id), lambda spec: spec["TaskTemplate"]["ContainerSpec"].update(Env=["BY=hand"])
    )
    await sim.settle()
    assert max(run or 0 for run, _ in tasks(sim, shop)) == 1, "somebody's run, and none of ours"


async def is_made_anew_where_somebody_put_a_service(sim: Simulation) -> None:
    shop = environment(sim, organization(sim, "acme"), "shop")
    await sim.settle()
    found = await sim.hands.call("GET", f"/services/{name_of(shop.id)}")
    await sim.hands.remove_service(name_of(shop.id))
    await sim.hands.call("POST", "/services/create", {**found["Spec"], "Mode": {"Replicated": {"Replicas": 0}}})
    await sim.settle()
    assert tasks(sim, shop) == [(0, "complete")] * 3


async def is_run_on_every_node_instead(sim: Simulation) -> None:
    shop = environment(sim, organization(sim, "acme"), "shop", instances=0)
    await sim.settle()
    sim.change(shop, image_ref=EACH)
    await sim.settle()
    assert sorted(t.node.hostname for t in sim.swarm.tasks(name_of(shop.id)) if t.node) == ["manager", "worker"]
    assert tasks(sim, shop) == [(0, "complete")] * 2, "one of another mode is made anew"


async def is_stopped_with_its_owner(sim: Simulation) -> None:
    shop = environment(sim, organization(sim, "acme"), "shop", instances=0, image_ref=LONG)
    await sim.settle()
    assert tasks(sim, shop) == [(0, "running")] * 2
    sim.delete(shop)
    await sim.settle()
    await sim.sleep(10.0)  # a container takes its time to stop
    assert not [t for t in sim.swarm.store.tasks.values() if t.iteration is not None]


OWN = [
    Scenario("jobs.is_run_once_for_each_content", is_run_once_for_each_content),
    Scenario("jobs.fails_and_is_run_when_its_content_is_another", fails_and_is_run_when_its_content_is_another),
    Scenario("jobs.fails_once_more_under_another_manager", fails_once_more_under_another_manager),
    Scenario("jobs.is_made_again_when_somebody_removed_it", is_made_again_when_somebody_removed_it),
    Scenario("jobs.is_left_as_somebody_changed_it", is_left_as_somebody_changed_it),
    Scenario("jobs.is_run_on_every_node_instead", is_run_on_every_node_instead),
    Scenario("jobs.is_stopped_with_its_owner", is_stopped_with_its_owner),
    Scenario("jobs.is_made_anew_where_somebody_put_a_service", is_made_anew_where_somebody_put_a_service, counts=False),
]
ENVIRONMENTS = ["environment.is_renamed", "environment.is_repaired"]


@pytest.mark.parametrize(
    "scenario", [*OWN, *(scenarios()[name] for name in ENVIRONMENTS)], ids=lambda scenario: scenario.name
)
def test_jobs_keep_every_promise_with_and_without_faults(scenario: Scenario) -> None:
    reference = execute(scenario, Plan(scenario.name))
    assert reference.problems == ()
    assert any(name.startswith("service migrate-") for name, _ in reference.counts), "it has a job"
    assert any(found.iteration is not None for found in SAID), "that is told of"
    for plan in faulty(reference):
        assert execute(scenario, plan, reference).problems == (), plan


def test_what_is_said_of_a_job_goes_from_waiting_to_its_end() -> None:
    assert execute(OWN[1], Plan(OWN[1].name)).problems == ()
    first = [found for found in SAID if found.iteration == 0]
    assert first[-1].state == "Failed"
    assert (first[-1].failed, first[-1].exit_code) == (2, 3)
    assert "non-zero exit (3)" in first[-1].problem
    assert all(not found.over for found in first[: next(i for i, found in enumerate(first) if found.over)])
    assert SAID[-1].state == "Succeeded"
    assert (SAID[-1].iteration, SAID[-1].completed, SAID[-1].wanted) == (1, 3, 3)


def test_whoever_has_a_job_is_woken_when_it_goes_on_without_asking(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "POLL_SECONDS", 0.0)
    assert execute(OWN[1], Plan(OWN[1].name)).problems == ()
    assert [found.state for found in SAID if found.over][:1] == ["Failed"]
    assert SAID[-1].state == "Succeeded"


async def loses_the_node_that_it_runs_on(sim: Simulation) -> None:
    environment(sim, organization(sim, "acme"), "shop", instances=0, image_ref=LONG)
    await sim.settle()
    assert (SAID[-1].state, SAID[-1].running, SAID[-1].lost) == ("Running", 2, 0)
    sim.swarm.node_down("worker")
    await sim.settle()
    assert (SAID[-1].state, SAID[-1].running, SAID[-1].lost) == ("Running", 2, 1)
    sim.swarm.node_up("worker")
    await sim.settle()
    assert SAID[-1].lost == 0


def test_a_lost_node_is_told_of_the_jobs_on_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "POLL_SECONDS", 0.0)
    scenario = Scenario("jobs.loses_the_node_that_it_runs_on", loses_the_node_that_it_runs_on)
    assert execute(scenario, Plan(scenario.name)).problems == ()


def faulty(reference: Verdict) -> Iterator[Plan]:
    plans = list(explore.singles(reference))
    about = [plan for plan in plans if "migrate-" in plan.faults[0][0].name]
    yield from explore.drawn(about, ABOUT, 0)
    yield from explore.drawn(plans, OTHERS, 0)
