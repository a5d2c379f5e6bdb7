"""What the API does with networks, and which containers of an engine are on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.sim.swarm import addresses
from tests.sim.swarm.agents import Agents, container_labels
from tests.sim.swarm.base import Refusal
from tests.sim.swarm.behaviour import Pace
from tests.sim.swarm.objects import RANK, RUNNING, Document, Network, Node, Task
from tests.sim.swarm.store import Store

_STARTING = RANK["starting"]
FIRST_VXLAN = 4096
DEFAULT_POOL, DEFAULT_PREFIX = "10.201.0.0/16", 24
_OWN = ("none", "null"), ("host", "host"), ("bridge", "bridge"), ("docker_gwbridge", "bridge")


@dataclass(slots=True)
class Networks:
    """Create, remove, connect, disconnect."""

    store: Store
    agents: Agents
    pace: Pace
    last_vxlan: int = FIRST_VXLAN

    def begin(self) -> None:
        """The networks that every cluster has."""
        ingress = self._add({"Name": "ingress", "Driver": "overlay"})
        ingress.ingress = True
        self._allocate(ingress)
        for name, driver in _OWN:
            network = self._add({"Name": name, "Driver": driver, "Labels": {}})
            network.scope, network.driver = "local", driver

    def create(self, written: Document) -> tuple[Document, Network]:
        """POST /networks/create. The answer comes before anything is allocated."""
        name = written.get("Name", "")
        if any(n.name == name for n in self.store.networks.values()):
            raise Refusal(409, f"network with name {name} already exists")
        network = self._add(written)
        self.store.tell("network", "create", network.meta.id, name)
        self.store.agenda.at(self.pace.allocate / 2, lambda: self._allocate(network))
        return {"Id": network.meta.id, "Warning": ""}, network

    def remove(self, asked: str) -> Network:
        """DELETE /networks/{id}."""
        network = self.store.network(asked)
        if network.scope == "local":
            raise Refusal(403, f"{network.name} is a pre-defined network and cannot be removed")
        for service in self.store.services.values():
            if any(a["Target"] == network.meta.id for a in service.spec["TaskTemplate"].get("Networks") or ()):
                raise _in_use(network, f"service {service.meta.id}")
        for task in self.store.tasks.values():
            on_it = any(a["Target"] == network.meta.id for a in task.spec.get("Networks") or ())
            if on_it and task.rank <= RUNNING:
                raise _in_use(network, f"task {task.meta.id}")
        self.store.index += 1
        del self.store.networks[network.meta.id]
        self.store.tell("network", "remove", network.meta.id, network.name)
        return network

    def connect(self, asked: str, node: Node, written: Document) -> Network:
        """POST /networks/{id}/connect: put a running container of this engine on a network that is on its node."""
        task = self._container(written.get("Container", ""), node)
        network = self._here(asked, node)
        if network.meta.id in self._joined(task):
            raise Refusal(
                403,
                f"endpoint with name {task.name} already exists in network {network.name}",
            )
        endpoint = (written.get("EndpointConfig") or {}).get("IPAMConfig") or {}
        address = endpoint.get("IPv4Address", "")
        if address and address in self._node_addresses(network, node):
            raise Refusal(403, "Address already in use")
        task.joined[network.meta.id] = address or addresses.take(network, task.meta.id)
        self._tell("connect", network, task)
        return network

    def disconnect(self, asked: str, node: Node, written: Document) -> Network:
        """POST /networks/{id}/disconnect."""
        task = self._container(written.get("Container", ""), node)
        network = self._here(asked, node)
        if task.joined.pop(network.meta.id, None) is None:
            raise Refusal(403, f"container {task.container} is not connected to network {network.name}")
        self._tell("disconnect", network, task)
        return network

    def containers(self, node: Node) -> list[Document]:
        """Running containers of an engine, as ``GET /containers/json`` has them."""
        return [self._container_document(task) for task in self._running(node)]

    # -- inside --------------------------------------------------------------------------------------------------------

    def _add(self, written: Document) -> Network:
        network = Network(self.store.meta("network"), written["Name"], written.get("Labels"), written)
        self.store.networks[network.meta.id] = network
        return network

    def _allocate(self, network: Network) -> None:
        if network.meta.id not in self.store.networks:
            return
        swarm = [n for n in self.store.networks.values() if n.scope == "swarm"]
        config = ((network.wanted.get("IPAM") or {}).get("Config") or [{}])[0]
        subnet = config.get("Subnet") or addresses.next_free(DEFAULT_POOL, DEFAULT_PREFIX, swarm)
        if not subnet or self._refused(subnet, config.get("IPRange") or "", swarm):
            return  # 201 was said already; the network keeps an empty driver
        network.subnet = subnet
        network.task_range = config.get("IPRange") or ""
        network.gateway = config.get("Gateway") or addresses.gateway(subnet)
        network.driver = network.wanted.get("Driver") or "overlay"
        network.vxlan, self.last_vxlan = self.last_vxlan, self.last_vxlan + 1
        self.store.touch(network.meta)
        self.store.tell("network", "update", network.meta.id, network.name)
        self.agents.retry_addresses()

    def _refused(self, subnet: str, task_range: str, others: list[Network]) -> bool:
        return addresses.overlapping(subnet, others)

    def _running(self, node: Node) -> list[Task]:
        return [t for t in self.store.tasks.values() if t.node is node and _STARTING <= t.rank <= RUNNING]

    def _container(self, asked: str, node: Node) -> Task:
        for task in self._running(node):
            if asked and (task.container.startswith(asked) or task.name == asked):
                return task
        raise Refusal(404, f"No such container: {asked}")

    def _here(self, asked: str, node: Node) -> Network:
        """A network of the Swarm, if a task brought it to the node."""
        network = self.store.network(asked)
        used = any(network.meta.id in self._joined(task) for task in self._running(node))
        if network.scope == "swarm" and not used:
            raise Refusal(404, f"network {asked} not found")
        return network

    def _joined(self, task: Task) -> Mapping[str, str]:
        return task.addresses | task.joined

    def _node_addresses(self, network: Network, node: Node) -> set[str]:
        found = {network.gateway}
        for task in self._running(node):
            if address := self._joined(task).get(network.meta.id):
                found.add(address)
        return found

    def _tell(self, action: str, network: Network, task: Task) -> None:
        attributes = {"container": task.container, "name": network.name, "type": network.driver}
        self.store.tell_local("network", action, network.meta.id, attributes)

    def _container_document(self, task: Task) -> Document:
        joined: dict[str, Any] = {}
        for network_id, address in self._joined(task).items():
            network = self.store.networks.get(network_id)
            if network is not None:
                joined[network.name] = {
                    "NetworkID": network_id,
                    "IPAddress": address,
                    "IPPrefixLen": int(network.subnet.partition("/")[2]),
                    "IPAMConfig": {"IPv4Address": address},
                }
        return {
            "Id": task.container,
            "Names": [f"/{task.name}"],
            "Image": task.spec["ContainerSpec"]["Image"],
            "Labels": container_labels(task),
            "State": "running",
            "NetworkSettings": {"Networks": joined},
        }


def _in_use(network: Network, by: str) -> Refusal:
    text = f"rpc error: code = FailedPrecondition desc = network {network.meta.id} is in use by {by}"
    return Refusal(400, text)
