"""A Swarm of four nodes, three of them managers: it loses its leader, and a worker is cut off."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from deploy import engine
from deploy.engine import Lab, Node
from deploy.postgres import Server
from tests.chaos import oracles
from tests.chaos.scene import Scene
from tests.e2e.world import eventually, world
from tests.labs import exclusive_lab

NAME = "chaos"
NODES, MANAGERS = 4, 3
TASKS = 4
ELECTION_SECONDS = 60.0
RARELY = 4.0  # a comparison of everything is not what finds lost tasks


@pytest.fixture(scope="module")
def nodes() -> Iterator[Lab]:
    """The nodes, each with the images; taken down in any case, as one of them ends badly."""
    with exclusive_lab(NAME, images=("web", "pause"), nodes=NODES, managers=MANAGERS) as lab:
        yield lab
    engine.down(NAME)


@pytest.fixture(scope="module")
def wide(nodes: Lab, server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Two controllers at the two managers that do not lead, and an environment with a task for each node."""
    leader = swarm_leader(nodes)
    others = [node for node in nodes.nodes[:MANAGERS] if node is not leader]
    with ExitStack() as stack:
        made = stack.enter_context(world(nodes, server, "wide", tmp_path_factory.mktemp("swarm"), http_port=0))
        made.engine = others[0].api()
        sockets = tuple(node.socket for node in others)
        scene = Scene(made, seed=2, sockets=sockets, settings={"SKYPANEL_RESYNC_SECONDS": str(RARELY)})
        stack.callback(scene.close)
        scene.workload.begin()
        made.environment(scene.workload.apps[0], "wide", instances=TASKS)
        scene.start()
        oracles.settled(scene)
        yield scene


def swarm_leader(lab: Lab) -> Node:
    """The manager that leads the Swarm."""
    found = lab.api().get("/nodes")
    address = next(n["ManagerStatus"]["Addr"] for n in found if n.get("ManagerStatus", {}).get("Leader"))
    return next(node for node in lab.nodes if node.address == address.split(":")[0])


def places(scene: Scene) -> list[str]:
    """Nodes that the wide environment's tasks run on and shall run on."""
    name = f"{scene.world.name}-acme-app0-wide-web"
    tasks = scene.world.engine.get("/tasks", filters={"service": [name], "desired-state": ["running"]})
    return [task["NodeID"] for task in tasks if task["Status"]["State"] == "running"]


def make_available(scene: Scene, nodes: list[str], availability: str) -> None:
    """Whether these nodes take new tasks: ``active``, or ``pause``."""
    for node in nodes:
        found = scene.world.engine.get(f"/nodes/{node}")
        spec = {**found["Spec"], "Availability": availability}
        scene.world.engine.post(f"/nodes/{node}/update", spec, version=found["Version"]["Index"])


def test_a_worker_that_is_cut_off_and_comes_back(wide: Scene, nodes: Lab) -> None:
    worker, *others = (node.api().get("/info")["Swarm"]["NodeID"] for node in reversed(nodes.nodes))
    assert worker in places(wide)
    environment = wide.world.sql("SELECT id FROM paas_environments WHERE name = 'wide'")[0]["id"]
    make_available(wide, others, "pause")
    nodes.cut(NODES)
    try:
        eventually(
            lambda: (
                not (status := wide.world.status("environment", environment) or {})["ready"]
                and f"{TASKS - 1}/{TASKS} run" in status["message"]
            ),
            what="the status says that a task is lost and has no other node",
        )
        make_available(wide, others, "active")
        wide.workload.steps(4)
        oracles.settled(wide)
        assert worker not in places(wide)
    finally:
        nodes.heal(NODES)
    wide.workload.steps(4)
    oracles.everything(wide, resyncs=1)


def test_a_swarm_that_loses_its_leader(wide: Scene, nodes: Lab) -> None:
    lost = swarm_leader(nodes)
    lost.daemon.kill()
    wide.workload.rows_only = True  # hands would wait as long as the Swarm has no leader
    wide.workload.steps(8)
    oracles.everything(wide, seconds=ELECTION_SECONDS, resyncs=1)
