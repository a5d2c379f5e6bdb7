"""Processes with a port are asked whether they listen: new releases are, and an upgrade restarts nothing for it."""

from __future__ import annotations

from typing import Any

from controller.records import Key
from reconcilers.helper import PROGRAM, SILENT
from specs.releases import release_of
from specs.snapshots import EnvironmentSnapshot
from tests.sim import images
from tests.sim.database.releases import Kept
from tests.sim.scenario import Simulation, scenario
from tests.sim.scenarios.config import container
from tests.sim.scenarios.environment import WEB, WEB2, environment
from tests.sim.scenarios.organization import organization
from tests.sim.scenarios.releases import runs, versions
from tests.sim.swarm.behaviour import Behaviour

ASKED = ["CMD", PROGRAM, "check", "tcp", "8080"]


def test_of(sim: Simulation, shop: Key) -> Any:
    """What the tasks of its process are asked."""
    return container(sim, sim.service(shop)).get("Healthcheck", {}).get("Test")


def released_before(sim: Simulation, shop: Key) -> None:
    """As a version before this one left it: a release by its content, without the check."""
    found = images.facts_of(WEB)
    facts = {"reference": WEB, "pinned": found.pinned, "architecture": found.architecture}
    snapshot = EnvironmentSnapshot.model_validate({**sim.document(shop), "resolved": facts})
    release = release_of(snapshot, f"{WEB}@{found.pinned.partition('@')[2]}")
    sim.database.releases[shop.id] = [Kept(1, release.digest, release, None, True)]


@scenario()
async def what_ran_without_a_check_has_none_until_its_next_release(sim: Simulation) -> None:
    shop = environment(sim, organization(sim, "acme"), "shop")
    released_before(sim, shop)
    await sim.settle()
    sim.change(shop, instances=3)
    await sim.settle()
    assert (test_of(sim, shop), versions(sim, shop)) == (None, [(1, True)])
    sim.change(shop, image_ref=WEB2)
    await sim.settle()
    assert (test_of(sim, shop), versions(sim, shop)) == (ASKED, [(1, True), (2, True)])
    runs(sim, shop, 1)
    await sim.settle()
    assert test_of(sim, shop) is None, "a release is what it was"


@scenario(extra=("update",))
async def what_never_listens_is_taken_back_and_says_so(sim: Simulation) -> None:
    shop = environment(sim, organization(sim, "acme"), "shop")
    says = f"/.skypanel/env: 8080: {SILENT} of 127.0.0.1"
    sim.swarm.behave(WEB2, Behaviour(healthy=False, check_says=says))
    await sim.settle()
    sim.change(shop, image_ref=WEB2)
    await sim.sleep(180.0)  # it may take its time to begin to listen
    await sim.settle()
    assert sim.reason(shop) == "RolledBack"
    assert container(sim, sim.service(shop))["Image"].startswith(WEB)
    sim.change(shop, healthcheck={"disabled": True})
    await sim.settle()
    assert (sim.reason(shop), test_of(sim, shop)) == ("Deployed", ["NONE"])
