"""Swarm mode of a lab: the first node begins it, the others join."""

import time
from typing import Any

from deploy.engine.api import EngineApi
from deploy.engine.errors import EngineApiError, LabError
from deploy.engine.network import node_address

# Networks without a subnet of their own (the ingress network first) are cut from here. The controller's own
# address pool must not overlap it.
DEFAULT_ADDRESS_POOL = "10.201.0.0/16"
SUBNET_SIZE = 24
PORT = 2377


def state(api: EngineApi) -> str:
    """Its state in Swarm: "active", "inactive", "pending", "error" or "locked"."""
    return str(api.get("/info")["Swarm"]["LocalNodeState"])


def begin(api: EngineApi) -> None:
    """Make node 1 the first manager, unless it is."""
    if state(api) == "active":
        return
    address = node_address(1)
    api.post(
        "/swarm/init",
        {
            "ListenAddr": f"{address}:{PORT}",
            "AdvertiseAddr": address,
            "DataPathAddr": address,
            "DefaultAddrPool": [DEFAULT_ADDRESS_POOL],
            "SubnetSize": SUBNET_SIZE,
            # A node that dies is seen in 5 s, not 15 s.
            "Spec": {"Dispatcher": {"HeartbeatPeriod": 2_000_000_000}},
        },
    )


def join(api: EngineApi, first: EngineApi, index: int, *, manager: bool) -> None:
    """Let a node join the first one, unless it has; a join that was broken off begins anew."""
    if state(api) == "active":
        return
    if state(api) != "inactive":
        api.post("/swarm/leave", force="true")
    address = node_address(index)
    tokens = first.get("/swarm")["JoinTokens"]
    api.post(
        "/swarm/join",
        {
            "ListenAddr": f"{address}:{PORT}",
            "AdvertiseAddr": address,
            "DataPathAddr": address,
            "RemoteAddrs": [f"{node_address(1)}:{PORT}"],
            "JoinToken": tokens["Manager" if manager else "Worker"],
        },
    )


def wait(first: EngineApi, nodes: int, *, seconds: float = 60.0) -> None:
    """Wait until the Swarm has a leader and that many nodes are ready.

    Raises:
        LabError: they are not in time.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            states = [_ready(node) for node in first.get("/nodes")]
            problem = f"{sum(states)} of {nodes} nodes are ready"
            if sum(states) >= nodes:
                return
        except EngineApiError as error:
            problem = error.message
        if time.monotonic() > deadline:
            raise LabError(f"the Swarm is not complete after {seconds:.0f} s: {problem}")
        time.sleep(0.05)


def _ready(node: dict[str, Any]) -> bool:
    return bool(node["Status"]["State"] == "ready")
