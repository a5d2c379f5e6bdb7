"""A Swarm of several nodes, two controllers at its managers, and an environment with a task for each node."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from deploy.engine import Lab, Node
from deploy.postgres import Server
from tests.chaos import oracles
from tests.chaos.harness import ChaosHarness
from tests.chaos.workload import UNASKED
from tests.e2e.world import world

IMAGES = ("web", "pause")
RARELY = 4.0  # a comparison of everything is not what finds lost tasks


@contextmanager
def wide_chaos(nodes: Lab, server: Server, folder: Path) -> Iterator[ChaosHarness]:
    """Two controllers at two managers that do not lead; at the one that there is, if it is alone."""
    leader = swarm_leader(nodes)
    managers = nodes.nodes[: nodes.description.managers]
    others = [node for node in managers if node is not leader] or [leader, leader]
    with ExitStack() as stack:
        made = stack.enter_context(world(nodes, server, "wide", folder, http_port=0))
        made.engine = others[0].api()
        sockets = tuple(node.socket for node in others[:2])
        chaos = ChaosHarness(made, seed=2, sockets=sockets, settings={"SKYPANEL_RESYNC_SECONDS": str(RARELY)})
        stack.callback(chaos.close)
        chaos.workload.begin()
        made.environment(chaos.workload.apps[0], "wide", instances=len(nodes.nodes), healthcheck=UNASKED)
        chaos.start()
        oracles.settled(chaos)
        yield chaos


def swarm_leader(lab: Lab) -> Node:
    """The manager that leads the Swarm."""
    found = lab.api().get("/nodes")
    if lab.description.managers == 1:
        return lab.nodes[0]
    address = next(n["ManagerStatus"]["Addr"] for n in found if n.get("ManagerStatus", {}).get("Leader"))
    return next(node for node in lab.nodes if node.address == address.split(":")[0])


def all_ready(chaos: ChaosHarness) -> bool:
    """Whether the Swarm has all its nodes."""
    return all(node["Status"]["State"] == "ready" for node in chaos.world.engine.get("/nodes"))
