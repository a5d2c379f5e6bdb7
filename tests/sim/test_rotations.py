"""A thousand rotations of a secret under faults: what can still be needed is kept, and nothing else."""

from __future__ import annotations

import pytest

from reconcilers import references
from tests.sim.faults import Plan
from tests.sim.run import execute
from tests.sim.scenario import Scenario, Simulation
from tests.sim.scenarios.config import VALUE, configure, secrets
from tests.sim.scenarios.environment import environment
from tests.sim.scenarios.organization import organization

ROTATIONS = 1000
FAULTS = 0.005
"""Share of all steps at which something goes wrong."""


def needed(sim: Simulation) -> set[str]:
    """What services refer to, and the specs before, which Swarm would go back to."""
    services = sim.swarm.store.services.values()
    specs = [spec for each in services for spec in (each.spec, *(each.previous or ())[:1])]
    return {name for spec in specs for _, name in references.named(spec)} & secrets(sim).keys()


async def rotate(sim: Simulation) -> None:
    shop = environment(sim, organization(sim, "acme"), "shop")
    for number in range(ROTATIONS):
        configure(sim, shop, {"TOKEN": f"{VALUE} {number}"})
        await sim.settle()
        assert f"TOKEN={VALUE} {number}\0".encode() in secrets(sim).values(), f"rotation {number} is not there"
    assert secrets(sim).keys() == needed(sim)
    assert len(secrets(sim)) == 2


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_thousand_rotations_under_faults_leave_exactly_what_can_still_be_needed() -> None:
    verdict = execute(Scenario("rotations", rotate), Plan("rotations", rate=FAULTS))
    assert verdict.problems == ()
    assert len(verdict.struck) > ROTATIONS // 10
