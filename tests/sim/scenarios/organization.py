"""Organizations: a network each, kept on the edge's node by a pin, joined by the edge."""

from __future__ import annotations

from typing import Any

from controller.records import Key
from tests.sim.scenario import Simulation, scenario


def organization(sim: Simulation, slug: str, **fields: Any) -> Key:
    """An organization as the panel declares it."""
    found = sim.identify("organization", slug)
    document = {"id": found, "slug": slug, "name": slug.title(), "suspended": False, "network_prefix": 24, **fields}
    return sim.put("organization", slug, document, organization=found)


@scenario()
async def comes_and_goes(sim: Simulation) -> None:
    acme = organization(sim, "acme")
    await sim.settle()
    sim.delete(acme)
    await sim.settle()


@scenario()
async def is_renamed_and_keeps_its_network(sim: Simulation) -> None:
    acme = organization(sim, "acme")
    await sim.settle()
    before = sim.swarm.state()
    sim.change(acme, slug="apex")
    await sim.settle()
    assert sim.swarm.state() == before, "a network was touched for a name"


@scenario()
async def is_dropped_and_its_name_is_given_to_another(sim: Simulation) -> None:
    acme = organization(sim, "acme")
    await sim.settle()
    sim.drop(acme)
    organization(sim, "other")
    other = sim.identify("organization", "another acme")
    document = {"id": other, "slug": "acme", "name": "Acme again", "suspended": False, "network_prefix": 24}
    sim.put("organization", "another acme", document, organization=other)
    await sim.settle()


@scenario()
async def is_repaired(sim: Simulation) -> None:
    acme = organization(sim, "acme")
    await sim.settle()
    await sim.hands.remove_service(sim.pin(acme))
    await sim.settle()
    await sim.hands.change_service(sim.pin(acme), lambda spec: spec["Labels"].clear())
    await sim.settle()


@scenario()
async def gets_its_network_back(sim: Simulation) -> None:
    acme = organization(sim, "acme")
    await sim.settle()
    await sim.hands.take_edge_off(sim.network(acme))
    await sim.settle()
    sim.swarm.fail_task("edge_traefik")
    await sim.settle()
