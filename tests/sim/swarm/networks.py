"""What the API does with networks, and which containers of an engine are on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.sim.swarm import addresses
from tests.sim.swarm.agents import NODE, Agents, balancer, container_labels
from tests.sim.swarm.base import Refusal
from tests.sim.swarm.behaviour import SECOND, Pace
from tests.sim.swarm.objects import RANK, RUNNING, Document, Network, Node, Task
from tests.sim.swarm.store import Store

_STARTING = RANK["starting"]
FIRST_VXLAN = 4096
_DEPARTURE_SECONDS = 0.2
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
        self.agents.listeners.append(self._task_changed)
        ingress = self._add({"Name": "ingress", "Driver": "overlay"})
        ingress.ingress = True
        self._allocate(ingress)
        for name, driver in _OWN:
            network = self._add({"Name": name, "Driver": driver, "Labels": {}})
            network.scope, network.driver = "local", driver

    def create(self, node: Node, written: Document) -> tuple[Document, Network]:
        """POST /networks/create. The answer comes before anything is allocated."""
        name = written.get("Name", "")
        if not name:
            raise Refusal(400, f"invalid name: {name}")
        _check_pools((written.get("IPAM") or {}).get("Config") or ())
        if any(n.name == name for n in (*self.store.networks.values(), *self.leftovers(node).values())):
            raise Refusal(409, f"network with name {name} already exists")
        network = self._add(written)
        self.store.tell("network", "create", network.meta.id, name)
        self.store.agenda.at(self.pace.allocate / 2, lambda: self._allocate(network))
        return {"Id": network.meta.id, "Warning": ""}, network

    def remove(self, node: Node, asked: str) -> Network:
        """DELETE /networks/{id}. Tasks that are not wanted any more do not count, also while they still run."""
        if any(asked in (n.meta.id, n.name) for n in self.leftovers(node).values()):
            raise Refusal(500, f"network {asked} not found")
        network = self.store.network(asked)
        if network.scope == "local":
            raise Refusal(403, f"{network.name} is a pre-defined network and cannot be removed")
        for service in self.store.services.values():
            if any(a["Target"] == network.meta.id for a in service.spec["TaskTemplate"].get("Networks") or ()):
                raise _in_use(network, f"service {service.meta.id}")
        for task in self.store.tasks.values():
            on_it = any(a["Target"] == network.meta.id for a in task.spec.get("Networks") or ())
            if on_it and task.rank <= RUNNING and task.alive:
                raise _in_use(network, f"task {task.meta.id}")
        self.store.index += 1
        del self.store.networks[network.meta.id]
        self.store.tell("network", "remove", network.meta.id, network.name)
        for other in self.store.networks.values():
            if not other.driver:
                self._allocate(other)  # what it could not have before may be free now
        return network

    def leftovers(self, node: Node) -> dict[str, Network]:
        """Networks that are gone, and that a container still keeps on this node."""
        return {
            network_id: network
            for (node_id, network_id), network in self.store.copies.items()
            if node_id == node.meta.id and network_id not in self.store.networks
        }

    def connect(self, asked: str, node: Node, written: Document) -> Network:
        """POST /networks/{id}/connect: put a running container of this engine on a network that is on its node."""
        task = self._container(written.get("Container", ""), node)
        network = self._here(asked, node)
        if network is None:
            raise Refusal(404, f"network {asked} not found")
        endpoint = (written.get("EndpointConfig") or {}).get("IPAMConfig") or {}
        address = endpoint.get("IPv4Address", "")
        if address and not addresses.within(address, network.subnet):
            text = f"no configured subnet or ip-range contain the IP address {address}"
            raise Refusal(400, f"invalid endpoint settings:\n{text}")
        if network.meta.id in _joined(task):
            raise Refusal(403, f"endpoint with name {task.name} already exists in network {network.name}")
        taken = self._node_addresses(network, node)
        if address in taken:
            raise Refusal(403, "Address already in use")
        task.left.discard(network.meta.id)
        task.joined[network.meta.id] = address or addresses.first_free(network, taken)
        self._tell("connect", network, task)
        return network

    def disconnect(self, asked: str, node: Node, written: Document) -> Network:
        """POST /networks/{id}/disconnect."""
        task = self._container(written.get("Container", ""), node)
        network = self._here(asked, node)
        if network is None:
            raise Refusal(500, f"container {task.container} is not connected to the network {asked}")
        if network.meta.id not in _joined(task):
            raise Refusal(500, f"container {task.container} is not connected to network {network.name}")
        if task.joined.pop(network.meta.id, None) is None:
            task.left.add(network.meta.id)
        self._tell("disconnect", network, task)
        self._depart_soon(node)
        return network

    def containers(self, node: Node) -> list[Document]:
        """Running containers of an engine, as ``GET /containers/json`` has them."""
        return [self._container_document(task, node) for task in self._running(node)]

    def container(self, asked: str, node: Node) -> Document:
        """One of them, or one that has ended and whose task is remembered, as ``GET /containers/{id}/json`` has it."""
        ended = next((t for t in self.store.tasks.values() if t.container == asked and t.node is node), None)
        if ended is not None and ended.rank > RUNNING:
            state: Document = {"Status": "exited", "Running": False, "ExitCode": ended.exit_code or 0}
            return {"Id": asked, **self._health(ended, state), "NetworkSettings": {"Networks": {}}}
        listed = self._container_document(self._container(asked, node), node)
        state = {"Status": listed["State"], "Running": listed["State"] == "running"}
        return {
            "Id": listed["Id"],
            "Name": listed["Names"][0],
            **self._health(self._container(asked, node), state),
            "NetworkSettings": {"Networks": listed["NetworkSettings"]["Networks"]},
        }

    def _health(self, task: Task, state: Document) -> Document:
        """``State`` and ``Config`` with what there is of its health check."""
        check = task.spec["ContainerSpec"].get("Healthcheck") or {}
        if not check.get("Test") or check["Test"] == ["NONE"]:
            return {"State": state, "Config": {}}
        does, ended = self.agents.behaviours.of(task.spec["ContainerSpec"]), task.rank > RUNNING
        output = "" if does.healthy else does.check_says
        asked = task.since if ended else self.store.agenda.stamp()
        log = [{"Start": asked, "ExitCode": int(not does.healthy), "Output": output}]
        counts = (task.stamp if ended else self.store.agenda.now) - task.began >= check.get("StartPeriod", 0) / SECOND
        status = "healthy" if does.healthy else "unhealthy" if counts or ended else "starting"
        health = {"Status": status, "FailingStreak": int(counts and not does.healthy), "Log": log}
        config = {"Healthcheck": check, "Labels": task.spec["ContainerSpec"].get("Labels") or {}}
        return {"State": {**state, "StartedAt": task.began_at, "Health": health}, "Config": config}

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
        if not subnet or addresses.refused(subnet, config.get("IPRange") or "", swarm):
            return  # 201 was said already; the network keeps an empty driver
        network.subnet = subnet
        network.task_range = config.get("IPRange") or ""
        network.gateway = config.get("Gateway") or addresses.gateway(subnet)
        network.driver = network.wanted.get("Driver") or "overlay"
        network.vxlan, self.last_vxlan = self.last_vxlan, self.last_vxlan + 1
        self.store.touch(network.meta)
        self.store.tell("network", "update", network.meta.id, network.name)
        self.agents.retry_addresses()

    def _running(self, node: Node) -> list[Task]:
        return [t for t in self.store.tasks.values() if t.node is node and _STARTING <= t.rank <= RUNNING]

    def _container(self, asked: str, node: Node) -> Task:
        for task in self._running(node):
            if asked and (task.container.startswith(asked) or task.name == asked):
                return task
        raise Refusal(404, f"No such container: {asked}")

    def _here(self, asked: str, node: Node) -> Network | None:
        """A network that has reached the node: only a task on it brings one there."""
        for (node_id, network_id), network in self.store.copies.items():
            if node_id == node.meta.id and (network_id.startswith(asked) or network.name == asked):
                return network
        return None

    def _task_changed(self, task: Task) -> None:
        if task.node is None:
            return
        if task.state == "starting":
            for network_id in task.addresses:
                network = self.store.networks.get(network_id)
                if network is None:
                    continue
                key = task.node.meta.id, network_id
                if key not in self.store.copies:
                    self.store.copies[key] = network
                    self._tell_node("create", network, task.node)
                self._tell("connect", network, task)
        elif task.rank > RUNNING and task.container:
            for (node_id, _), network in self.store.copies.items():
                if node_id == task.node.meta.id and network.meta.id in task.held:
                    self._tell("disconnect", network, task)
            self._depart_soon(task.node)

    def _depart_soon(self, node: Node) -> None:
        self.store.agenda.at(_DEPARTURE_SECONDS, lambda: self._depart(node), quiet=True)

    def _depart(self, node: Node) -> None:
        """Networks that no container of the node is on any more leave it."""
        used = {network_id for task in self._running(node) for network_id in _joined(task)}
        for key, network in list(self.store.copies.items()):
            if key[0] == node.meta.id and key[1] not in used:
                del self.store.copies[key]
                network.addresses.pop(balancer(node), None)
                self._tell_node("destroy", network, node)

    def _node_addresses(self, network: Network, node: Node) -> set[str]:
        found = {network.gateway, *addresses.ends(network.subnet)}
        for task in self._running(node):
            if address := _joined(task).get(network.meta.id):
                found.add(address)
        return found

    def _tell(self, action: str, network: Network, task: Task) -> None:
        attributes = {"container": task.container, "name": network.name, "type": network.driver}
        self.store.tell_local("network", action, network.meta.id, attributes)

    def _tell_node(self, action: str, network: Network, node: Node) -> None:
        attributes = {"name": network.name, "type": network.driver, NODE: node.meta.id}
        self.store.tell_local("network", action, network.meta.id, attributes)

    def _container_document(self, task: Task, node: Node) -> Document:
        joined: dict[str, Any] = {}
        for network_id, address in _joined(task).items():
            network = self.store.copies.get((node.meta.id, network_id))
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


def _joined(task: Task) -> Mapping[str, str]:
    """Networks that a container is on, and its addresses there."""
    both = task.addresses | task.joined
    return {network_id: address for network_id, address in both.items() if network_id not in task.left}


def _check_pools(pools: Any) -> None:
    for pool in pools:
        subnet, task_range = pool.get("Subnet", ""), pool.get("IPRange", "")
        try:
            whole = addresses.parse(subnet) if subnet else None
        except ValueError as error:
            text = f"invalid subnet {subnet}: invalid CIDR block notation"
            raise Refusal(400, f"invalid network config:\n{text}") from error
        if task_range and (whole is None or not addresses.parse(task_range).subnet_of(whole)):
            text = f"invalid ip-range {task_range}: parent subnet {subnet} doesn't contain ip-range"
            raise Refusal(400, f"invalid network config:\n{text}")


def _in_use(network: Network, by: str) -> Refusal:
    text = f"rpc error: code = FailedPrecondition desc = network {network.meta.id} is in use by {by}"
    return Refusal(400, text)
