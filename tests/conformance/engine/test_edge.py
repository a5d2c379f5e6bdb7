"""Containers that are put on networks in here, as the edge is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest

from tests.conformance.engine.harness import PAUSE, EngineAnswer, EngineHarness

pytestmark = pytest.mark.anyio


async def connect(here: EngineHarness, network: str, container: str, address: str = "") -> EngineAnswer:
    endpoint = {"IPAMConfig": {"IPv4Address": address}} if address else {}
    return await here.ask("POST", f"/networks/{network}/connect", {"Container": container, "EndpointConfig": endpoint})


async def disconnect(here: EngineHarness, network: str, container: str) -> EngineAnswer:
    return await here.ask("POST", f"/networks/{network}/disconnect", {"Container": container, "Force": True})


def at(here: EngineHarness, number: int) -> str:
    return here.subnet.replace("0/24", str(number))


async def joined(here: EngineHarness, text: str = "edge") -> dict[str, str]:
    """Network -> address of a service's one container, the same in the list and by itself."""
    (listed,) = await here.containers(text)
    container = await here.get(f"/containers/{listed['Id']}/json")
    assert (container["Id"], container["Name"]) == (listed["Id"], listed["Names"][0])
    assert (container["State"]["Status"], container["State"]["Running"]) == ("running", True)
    addresses, again = (
        {name: found["IPAddress"] for name, found in of["NetworkSettings"]["Networks"].items()}
        for of in (listed, container)
    )
    assert addresses == again
    return addresses


async def test_a_container_by_itself_is_on_the_networks_that_its_event_speaks_of(here: EngineHarness) -> None:
    """The list can be older than the event; one container that is asked for waits for what is being done to it."""
    network = await here.network("tenant")
    for name in ("edge", "pin"):
        home = {"Networks": [{"Target": network}]} if name == "pin" else {}
        await here.create(name, replicas=1, container={"Image": PAUSE}, template=home)
    (edge,), _ = await here.runs("edge"), await here.runs("pin")
    container = edge["Status"]["ContainerStatus"]["ContainerID"]
    seen: list[bool] = []
    async with here.events() as heard:
        for action in ("connect", "disconnect") * 3:
            heard.clear()
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(connect if action == "connect" else disconnect, here, network, container)
                await here.until(_named(heard, action, container), what=f"the event {action}")
                found = await here.get(f"/containers/{container}/json")
                seen.append((here.name("tenant") in found["NetworkSettings"]["Networks"]) == (action == "connect"))
    assert seen == [True] * 6


def _named(heard: list[dict[str, Any]], action: str, container: str) -> Callable[[], Awaitable[bool]]:
    async def there() -> bool:
        return any(e["Action"] == action and e["Actor"]["Attributes"].get("container") == container for e in heard)

    return there


async def test_an_edge_joins_a_network_that_a_task_brought_and_leaves_it(here: EngineHarness) -> None:
    """One long story, as it takes two containers."""
    half = here.subnet.replace("/24", "/25")
    network = await here.network("tenant", IPRange=half)
    home = await here.network("home", subnet=f"10.{180 + here.number // 250}.{here.number % 250}.0/24")
    edge = {"container": {"Image": PAUSE}, "template": {"Networks": [{"Target": home}]}}
    await here.create("edge", labels={"io.skypanel.edge": "true"}, replicas=1, **edge)
    (task,) = await here.runs("edge")
    container = task["Status"]["ContainerStatus"]["ContainerID"]
    (listed,) = await here.containers("edge")
    assert listed["Id"] == container
    assert listed["State"] == "running"
    assert listed["Names"] == [f"/{here.name('edge')}.1.{task['ID']}"]
    own = {k: v for k, v in listed["Labels"].items() if k.startswith("com.docker.swarm.")}
    assert own == {
        "com.docker.swarm.node.id": task["NodeID"],
        "com.docker.swarm.service.id": task["ServiceID"],
        "com.docker.swarm.service.name": here.name("edge"),
        "com.docker.swarm.task": "",
        "com.docker.swarm.task.id": task["ID"],
        "com.docker.swarm.task.name": f"{here.name('edge')}.1.{task['ID']}",
    }
    assert (await joined(here)).keys() == {here.name("home")}

    # Nothing has brought the tenant's network to the node.
    early = await connect(here, network, container, at(here, 200))
    assert (early.status, early.error, early.text) == (404, "NotFound", f"network {network} not found")
    nothing = await disconnect(here, network, container)
    assert (nothing.status, nothing.error) == (500, "EngineUnavailable"), "an odd status for a plain refusal"
    assert nothing.text == f"container {container} is not connected to the network {network}"
    nobody = await connect(here, home, "nonesuch")
    assert (nobody.status, nobody.error, nobody.text) == (404, "NotFound", "No such container: nonesuch")

    await here.create("pin", replicas=1, container={"Image": PAUSE}, template={"Networks": [{"Target": network}]})
    (pin,) = await here.runs("pin")
    pins = pin["NetworksAttachments"][0]["Addresses"][0].partition("/")[0]
    outside = await connect(here, network, container, "10.255.0.1")
    assert (outside.status, outside.error) == (400, "Refused")
    assert outside.text == (
        "invalid endpoint settings: no configured subnet or ip-range contain the IP address 10.255.0.1"
    )
    for taken in (pins, at(here, 1), at(here, 255)):
        collision = await connect(here, network, container, taken)
        assert (collision.status, collision.error) == (403, "InUse")
        assert collision.text == "Address already in use"
    async with here.events() as heard:
        done = await connect(here, network, container, at(here, 200))
        assert (done.status, done.error) == (200, "")
        assert await joined(here) == {**(await joined(here)), here.name("tenant"): at(here, 200)}
        again = await connect(here, network, container, at(here, 201))
        assert (again.status, again.error) == (403, "NameTaken")
        assert again.text == (
            f"endpoint with name {here.name('edge')}.1.{task['ID']} already exists in network {here.name('tenant')}"
        )
        assert (await disconnect(here, network, container)).status == 200
        off = await disconnect(here, network, container)
        assert (off.status, off.error) == (500, "EngineUnavailable")
        assert off.text == f"container {container} is not connected to network {here.name('tenant')}"

        def told() -> list[tuple[str, str, dict[str, str]]]:
            return [
                (e["Action"], e["scope"], e["Actor"]["Attributes"])
                for e in heard
                if e["Type"] == "network" and e["Actor"]["ID"] == network
            ]

        attributes = {"container": container, "name": here.name("tenant"), "type": "overlay"}

        async def both() -> bool:
            return {action for action, _, _ in told()} >= {"connect", "disconnect"}

        await here.until(both, what="the events")
        assert ("connect", "local", attributes) in told()
        assert ("disconnect", "local", attributes) in told()

    # The edge stays on the network although its service is gone: the node keeps a copy for it.
    assert (await connect(here, network, container, at(here, 201))).status == 200
    await here.ask("DELETE", f"/services/{here.name('pin')}")
    assert (await here.ask("DELETE", f"/networks/{network}")).status == 204

    async def pin_gone() -> bool:
        return not await here.containers("pin")

    await here.until(pin_gone)
    assert here.name("tenant") in await joined(here)
    assert (await here.get(f"/networks/{network}"))["Id"] == network
    blocked = await here.ask("POST", "/networks/create", {"Name": here.name("tenant"), "Driver": "overlay"})
    assert blocked.error == "NameTaken"
    assert (await disconnect(here, network, container)).status == 200

    async def forgotten() -> bool:
        return (await here.ask("GET", f"/networks/{network}")).status == 404

    await here.until(forgotten, what="the node forgets the network")
