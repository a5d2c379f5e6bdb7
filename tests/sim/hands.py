"""Somebody's hands on the engine: what an operator does with the docker command, beside the controller."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from tests.sim.swarm.swarm import SimSwarm
from tests.sim.swarm.transport import SimTransport

Document = dict[str, Any]


class Hands:
    """A client of its own on the simulated Swarm."""

    def __init__(self, swarm: SimSwarm) -> None:
        self._transport = SimTransport(swarm, client="hands", epoch=lambda: 0)

    async def call(self, method: str, path: str, body: object = None, query: Mapping[str, Any] | None = None) -> Any:
        """One request; fails when the engine refuses it."""
        payload = None if body is None else orjson.dumps(body)
        status, answer = await self._transport.exchange(method, path, query, payload)
        assert status < 400, f"{method} {path}: {status} {answer.decode()}"
        return orjson.loads(answer) if answer else None

    async def create_service(
        self, name: str, labels: Mapping[str, str], *, secret: str = "", node: str | None = None
    ) -> None:
        """A service of somebody else's, on ``node`` if that is given."""
        container = {"Image": "127.0.0.1:5000/web:1", "Env": [f"PASSWORD={secret}"] if secret else []}
        spec = {
            "Name": name,
            "Labels": dict(labels),
            "TaskTemplate": {
                "ContainerSpec": container,
                "Placement": {"Constraints": [f"node.id == {node}"]} if node else {},
            },
            "Mode": {"Replicated": {"Replicas": 1}},
            "EndpointSpec": {"Mode": "dnsrr"},
        }
        await self.call("POST", "/services/create", spec)

    async def create_network(self, name: str, subnet: str) -> None:
        """A network of somebody else's."""
        pools = {"Driver": "default", "Config": [{"Subnet": subnet}]}
        await self.call("POST", "/networks/create", {"Name": name, "Driver": "overlay", "IPAM": pools})

    async def remove_service(self, name: str) -> None:
        """``docker service rm``."""
        await self.call("DELETE", f"/services/{name}")

    async def change_service(self, name: str, change: Callable[[Document], object]) -> None:
        """``docker service update`` of any field."""
        service = await self.call("GET", f"/services/{name}")
        change(service["Spec"])
        version = service["Version"]["Index"]
        await self.call("POST", f"/services/{service['ID']}/update", service["Spec"], {"version": version})

    async def roll_back(self, name: str) -> None:
        """``docker service rollback``."""
        service = await self.call("GET", f"/services/{name}")
        query = {"version": service["Version"]["Index"], "rollback": "previous"}
        await self.call("POST", f"/services/{service['ID']}/update", service["Spec"], query)

    async def scale(self, name: str, replicas: int) -> None:
        """``docker service scale``."""
        await self.change_service(name, lambda spec: spec["Mode"]["Replicated"].update(Replicas=replicas))

    async def take_edge_off(self, network: str) -> None:
        """``docker network disconnect`` of the edge's container."""
        for container in await self._edge():
            await self.call("POST", f"/networks/{network}/disconnect", {"Container": container["Id"], "Force": True})

    async def _edge(self) -> list[Document]:
        filters = {"label": ["com.docker.swarm.service.name=edge_traefik"], "status": ["running"]}
        found: list[Document] = await self.call("GET", "/containers/json", query={"filters": filters})
        return found

    async def remove_network(self, name: str) -> None:
        """``docker network rm``."""
        await self.call("DELETE", f"/networks/{name}")
