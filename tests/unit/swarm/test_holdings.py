"""Listing what lives, of however many owners, leaves others their turn: without it the lease would be lost."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, cast
from uuid import UUID

import anyio
import anyio.lowlevel
import orjson
import pytest

from controller.records import Key
from controller.swarm.adapter import SwarmAdapter
from controller.swarm.service_cache import service_of
from reconcilers import labels

if TYPE_CHECKING:
    from controller.swarm.client import EngineClient

COUNT = 10_000


@pytest.mark.anyio
async def test_ten_thousand_owners_are_listed_in_slices_and_what_comes_and_goes_meanwhile_does_no_harm() -> None:
    cluster = SwarmAdapter(cast("EngineClient", SimpleNamespace(node_id="n")), "blue")
    for number in range(COUNT):
        hold(cluster, number)
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            await anyio.lowlevel.checkpoint()
            hold(cluster, COUNT + turns)
            turns += 1

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(others)
        found = await cluster.holdings()
        tasks.cancel_scope.cancel()
    assert turns >= COUNT // 1000
    assert {owner(number) for number in range(COUNT)} <= found.owners.keys()
    assert set(found.processes) <= {(key.id, "web") for key in found.owners}


def owner(number: int) -> Key:
    return Key("environment", str(UUID(int=(4 << 124) + number)))


def hold(cluster: SwarmAdapter, number: int) -> None:
    key = owner(number)
    owned = labels.owned("blue", key.kind, key.id, key.id)
    spec = {"Name": f"s{number}", "Labels": {**owned, labels.PROCESS: "web"}, "Mode": {"Replicated": {"Replicas": 1}}}
    document = {"ID": f"i{number}", "Version": {"Index": 1}, "Spec": spec}
    cluster.live.put_service(service_of(document), orjson.dumps(document), 0)
