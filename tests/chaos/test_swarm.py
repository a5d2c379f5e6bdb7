"""A Swarm of four nodes, three of them managers: it loses its leader, and a worker is cut off."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from deploy import engine
from deploy.engine import Lab
from deploy.postgres import Server
from tests.chaos import oracles
from tests.chaos.scene import Scene
from tests.chaos.wide import ELECTION_SECONDS, IMAGES, MANAGERS, NODES, TASKS, swarm_leader, wide_scene
from tests.e2e.world import eventually
from tests.labs import exclusive_lab

NAME = "chaos"


@pytest.fixture(scope="module")
def nodes() -> Iterator[Lab]:
    """The nodes, each with the images; taken down in any case, as one of them ends badly."""
    with exclusive_lab(NAME, images=IMAGES, nodes=NODES, managers=MANAGERS) as lab:
        yield lab
    engine.down(NAME)


@pytest.fixture(scope="module")
def wide(nodes: Lab, server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Two controllers at the two managers that do not lead, and an environment with a task for each node."""
    with wide_scene(nodes, server, tmp_path_factory.mktemp("swarm")) as scene:
        yield scene


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
