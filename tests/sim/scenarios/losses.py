"""What is lost by accident, and what is taken away on purpose: rows that vanish, that are hidden, that are deleted."""

from __future__ import annotations

from tests.sim.scenario import Simulation, scenario
from tests.sim.scenarios.environment import environment
from tests.sim.scenarios.organization import organization


@scenario()
async def documents_are_hidden_and_nothing_goes(sim: Simulation) -> None:
    home = organization(sim, "acme")
    shop = environment(sim, home, "shop")
    await sim.settle()
    before = sim.swarm.state()
    sim.database.hide(home, shop)
    sim.database.touch(home, shop)
    await sim.settle()
    assert sim.swarm.state() == before, "removed, although the rows are there"
    assert [sim.reason(key) for key in (home, shop)] == ["SnapshotMissing"] * 2
    sim.database.show()
    sim.database.touch(home, shop)
    await sim.settle()
    assert sim.reason(shop) == "Deployed"
    assert sim.swarm.state() == before
