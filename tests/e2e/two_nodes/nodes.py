"""Hands of an operator on the nodes of a Swarm, and what is on each of them."""

from __future__ import annotations

from typing import Any

from deploy.engine import Lab, Node
from tests.e2e.world import World, eventually


def identity(node: Node) -> str:
    """Its id in the Swarm."""
    return str(node.api().get("/info")["Swarm"]["NodeID"])


def available(lab: Lab, node: Node, how: str) -> None:
    """``docker node update --availability``: active, pause or drain."""

    def update() -> bool:
        found = lab.api().get(f"/nodes/{identity(node)}")
        spec = {**found["Spec"], "Availability": how}
        lab.api().post(f"/nodes/{found['ID']}/update", spec, version=found["Version"]["Index"])
        return True

    eventually(update, what=f"a node is set to {how}")  # a node that reports meanwhile has another version


def tasks(here: World, service: str) -> list[dict[str, Any]]:
    """The service's, of now and before."""
    return list(here.engine.get("/tasks", filters={"service": [service]}))


def running(here: World, service: str) -> dict[str, str]:
    """The service's tasks that run and should, by id, and the node's id."""
    return {
        task["ID"]: task["NodeID"]
        for task in tasks(here, service)
        if task["Status"]["State"] == "running" == task["DesiredState"]
    }


def crash(here: World, node: Node, service: str) -> None:
    """The programs of the service's tasks end; all of them are on this node."""
    known = running(here, service)
    for task in tasks(here, service):
        if task["ID"] in known:
            node.api().post(f"/containers/{task['Status']['ContainerStatus']['ContainerID']}/kill")
