"""A copy, another Swarm, another installation: nothing is written where the parts do not belong together."""

from __future__ import annotations

from dataclasses import replace

from reconcilers import labels
from tests.sim.faults import Plan
from tests.sim.place import INSTALLATION, RESYNC_SECONDS
from tests.sim.run import execute
from tests.sim.scenario import Body, Desk, Scenario
from tests.sim.scenarios.environment import environment
from tests.sim.scenarios.organization import organization


def run(body: Body) -> None:
    assert execute(Scenario(f"identity.{body.__name__}", body, counts=False), Plan(body.__name__)).problems == ()


def marks(desk: Desk) -> list[dict[str, str]]:
    return [config.labels for config in desk.swarm.store.configs.values()]


def test_the_first_leader_marks_the_swarm() -> None:
    async def body(desk: Desk) -> None:
        organization(desk, "acme")
        await desk.settle()
        assert desk.database.identity is not None
        (mark,) = marks(desk)
        assert mark[labels.INSTALLATION] == INSTALLATION
        assert mark[labels.DATABASE] == desk.database.identity.database_id
        assert int(mark[labels.EPOCH]) == max(held.epoch for held in desk.database.leases.values())

    run(body)


def test_a_copy_of_the_database_writes_nothing_until_it_is_accepted() -> None:
    async def body(desk: Desk) -> None:
        home = organization(desk, "acme")
        environment(desk, home, "shop")
        await desk.settle()
        before = desk.swarm.state()
        desk.database.place = "another server/1"
        await desk.sleep(2 * RESYNC_SECONDS)  # it looks, and stops
        environment(desk, home, "blog")
        desk.database.lose(*desk.database.objects)
        await desk.sleep(3 * RESYNC_SECONDS)
        assert desk.swarm.state() == before
        assert desk.database.identity is not None
        desk.database.identity = replace(desk.database.identity, place=desk.database.place)
        home = organization(desk, "acme")
        environment(desk, home, "shop")
        environment(desk, home, "blog")
        await desk.settle()
        assert len(desk.swarm.state()["services"]) == len(before["services"]) + 1

    run(body)


def test_a_database_that_the_swarm_does_not_know_writes_nothing() -> None:
    async def body(desk: Desk) -> None:
        home = organization(desk, "acme")
        environment(desk, home, "shop")
        await desk.settle()
        before, known = desk.swarm.state(), desk.database.identity
        desk.database.identity = None
        desk.database.lose(*desk.database.objects)
        await desk.sleep(5 * RESYNC_SECONDS)
        assert desk.swarm.state() == before
        desk.database.identity = known
        home = organization(desk, "acme")
        environment(desk, home, "shop")
        await desk.settle()

    run(body)
