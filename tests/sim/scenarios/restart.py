"""Programs that may end: what ended well is done and stays so, what ended badly is started again."""

from __future__ import annotations

from typing import Any

from controller.records import Key
from reconcilers.images import Images
from tests.sim import images
from tests.sim.scenario import Simulation, scenario
from tests.sim.scenarios.config import container
from tests.sim.scenarios.environment import WEB2, environment, process
from tests.sim.scenarios.organization import organization
from tests.sim.scenarios.releases import versions


def ends(sim: Simulation, code: int = 0, **fields: Any) -> dict[str, Any]:
    """A process that ends soon."""
    return process(sim, "shop", "import", args=["crash", str(code)], restart="on-failure", **fields)


def states(sim: Simulation, shop: Key) -> list[str]:
    """Of the tasks of that process, the oldest first."""
    return [task.state for task in sim.swarm.tasks(sim.service(shop, "import"))]


@scenario()
async def is_done_when_it_has_ended_well(sim: Simulation) -> None:
    web = process(sim, "shop", "web")
    shop = environment(sim, organization(sim, "acme"), "shop", processes=[web, ends(sim)])
    await sim.settle()
    assert (sim.reason(shop), states(sim, shop)) == ("Deployed", ["complete"])
    assert versions(sim, shop) == [(1, True)]
    sim.change(shop, processes=[{**web, "instances": 2}, ends(sim)])
    await sim.settle()
    assert states(sim, shop) == ["complete"], "another process is no reason to run it again"
    sim.change(shop, processes=[web, ends(sim, instances=3)])
    await sim.settle()
    assert states(sim, shop) == ["complete"] * 3, states(sim, shop)
    sim.change(shop, image_ref=WEB2)
    await sim.settle()
    assert (sim.reason(shop), set(states(sim, shop))) == ("Deployed", {"complete"})
    assert len(states(sim, shop)) > 3, "another release is run"


@scenario(extra=("update",))
async def goes_back_when_it_ends_badly_again_and_again(sim: Simulation) -> None:
    web = process(sim, "shop", "web")
    shop = environment(sim, organization(sim, "acme"), "shop", processes=[web, ends(sim)])
    await sim.settle()
    sim.change(shop, processes=[web, ends(sim, code=3)])
    await sim.settle()
    assert sim.reason(shop) == "RolledBack"
    assert container(sim, sim.service(shop, "import"))["Args"] == ["crash", "0"], "what ended well comes back"


@scenario()
async def what_was_done_a_moment_ago_stays_so_when_the_next_release_cannot_be_made(sim: Simulation) -> None:
    web = process(sim, "shop", "web")
    shop = environment(sim, organization(sim, "acme"), "shop", processes=[web, ends(sim)])
    await sim.settle()
    again = ends(sim, stop_grace_seconds=3)
    sim.change(shop, processes=[web, again])
    await sim.settle()
    before = states(sim, shop)
    sim.port(Images).failures[WEB2] = images.unavailable
    sim.change(shop, image_ref=WEB2)
    await sim.settle()
    assert (sim.reason(shop), states(sim, shop)) == ("RegistryUnavailable", before)
    assert container(sim, sim.service(shop, "import"))["StopGracePeriod"] == 3_000_000_000
