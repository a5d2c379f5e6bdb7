"""A copy, another Swarm, another installation: nothing is written where the parts do not belong together."""

from __future__ import annotations

from dataclasses import replace

from reconcilers import labels
from tests.sim.faults import Plan
from tests.sim.run import execute
from tests.sim.scenario import Body, Scenario, Simulation
from tests.sim.scenarios.environment import environment
from tests.sim.scenarios.organization import organization
from tests.sim.settings import INSTALLATION, RESYNC_SECONDS


def run(body: Body) -> None:
    assert execute(Scenario(f"identity.{body.__name__}", body, counts=False), Plan(body.__name__)).problems == ()


def marks(sim: Simulation) -> list[dict[str, str]]:
    return [config.labels for config in sim.swarm.store.configs.values()]


def test_the_first_leader_marks_the_swarm() -> None:
    async def body(sim: Simulation) -> None:
        organization(sim, "acme")
        await sim.settle()
        assert sim.database.identity is not None
        (mark,) = marks(sim)
        assert mark[labels.INSTALLATION] == INSTALLATION
        assert mark[labels.DATABASE] == sim.database.identity.database_id
        assert int(mark[labels.EPOCH]) == max(held.epoch for held in sim.database.leases.values())

    run(body)


def test_a_copy_of_the_database_writes_nothing_until_it_is_accepted() -> None:
    async def body(sim: Simulation) -> None:
        home = organization(sim, "acme")
        environment(sim, home, "shop")
        await sim.settle()
        before = sim.swarm.state()
        sim.database.place = "another server/1"
        await sim.sleep(2 * RESYNC_SECONDS)  # it looks, and stops
        environment(sim, home, "blog")
        sim.database.lose(*sim.database.objects)
        await sim.sleep(3 * RESYNC_SECONDS)
        assert sim.swarm.state() == before
        assert sim.database.identity is not None
        sim.database.identity = replace(sim.database.identity, place=sim.database.place)
        home = organization(sim, "acme")
        environment(sim, home, "shop")
        environment(sim, home, "blog")
        await sim.settle()
        assert len(sim.swarm.state()["services"]) == len(before["services"]) + 1

    run(body)


def test_a_database_that_the_swarm_does_not_know_writes_nothing() -> None:
    async def body(sim: Simulation) -> None:
        home = organization(sim, "acme")
        environment(sim, home, "shop")
        await sim.settle()
        before, known = sim.swarm.state(), sim.database.identity
        sim.database.identity = None
        sim.database.lose(*sim.database.objects)
        await sim.sleep(5 * RESYNC_SECONDS)
        assert sim.swarm.state() == before
        sim.database.identity = known
        home = organization(sim, "acme")
        environment(sim, home, "shop")
        await sim.settle()

    run(body)
