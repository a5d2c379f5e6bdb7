"""What is lost by accident, and what is taken away on purpose: rows that vanish, that are hidden, that are deleted."""

from __future__ import annotations

from tests.sim.scenario import Desk, scenario
from tests.sim.scenarios.environment import environment
from tests.sim.scenarios.organization import organization


@scenario()
async def documents_are_hidden_and_nothing_goes(desk: Desk) -> None:
    home = organization(desk, "acme")
    shop = environment(desk, home, "shop")
    await desk.settle()
    before = desk.swarm.state()
    desk.database.hide(home, shop)
    desk.database.touch(home, shop)
    await desk.settle()
    assert desk.swarm.state() == before, "removed, although the rows are there"
    assert [desk.reason(key) for key in (home, shop)] == ["SnapshotMissing"] * 2
    desk.database.show()
    desk.database.touch(home, shop)
    await desk.settle()
    assert desk.reason(shop) == "Deployed"
    assert desk.swarm.state() == before
