"""Organizations: a network each, kept on the edge's node by a pin, joined by the edge."""

from __future__ import annotations

from typing import Any

from controller.records import Key
from tests.sim.scenario import Desk, scenario


def organization(desk: Desk, slug: str, **fields: Any) -> Key:
    """An organization as the panel declares it."""
    found = desk.identify("organization", slug)
    document = {"id": found, "slug": slug, "name": slug.title(), "suspended": False, "network_prefix": 24, **fields}
    return desk.put("organization", slug, document, organization=found)


@scenario()
async def comes_and_goes(desk: Desk) -> None:
    acme = organization(desk, "acme")
    await desk.settle()
    desk.delete(acme)
    await desk.settle()


@scenario()
async def is_renamed_and_keeps_its_network(desk: Desk) -> None:
    acme = organization(desk, "acme")
    await desk.settle()
    before = desk.swarm.state()
    desk.change(acme, slug="apex")
    await desk.settle()
    assert desk.swarm.state() == before, "a network was touched for a name"


@scenario()
async def is_dropped_and_its_name_is_given_to_another(desk: Desk) -> None:
    acme = organization(desk, "acme")
    await desk.settle()
    desk.drop(acme)
    organization(desk, "other")
    other = desk.identify("organization", "another acme")
    document = {"id": other, "slug": "acme", "name": "Acme again", "suspended": False, "network_prefix": 24}
    desk.put("organization", "another acme", document, organization=other)
    await desk.settle()


@scenario()
async def is_repaired(desk: Desk) -> None:
    acme = organization(desk, "acme")
    await desk.settle()
    await desk.hands.remove_service(desk.pin(acme))
    await desk.settle()
    await desk.hands.change_service(desk.pin(acme), lambda spec: spec["Labels"].clear())
    await desk.settle()


@scenario()
async def gets_its_network_back(desk: Desk) -> None:
    acme = organization(desk, "acme")
    await desk.settle()
    await desk.hands.take_edge_off(desk.network(acme))
    await desk.settle()
    desk.swarm.fail_task("edge_traefik")
    await desk.settle()
