"""A worker of a Swarm is cut off, and comes back; what becomes of managers is in ``slow``."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from deploy.engine import Lab
from deploy.postgres import Server
from tests.chaos import oracles
from tests.chaos.harness import ChaosHarness
from tests.chaos.wide import IMAGES, wide_chaos
from tests.e2e.world import eventually
from tests.labs import exclusive_lab

NODES = 2


@pytest.fixture
def nodes() -> Iterator[Lab]:
    """A manager and a worker."""
    with exclusive_lab("chaos", images=IMAGES, nodes=NODES) as lab:
        yield lab


@pytest.fixture
def wide(nodes: Lab, server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChaosHarness]:
    """Two controllers, and an environment with a task on each node."""
    with wide_chaos(nodes, server, tmp_path_factory.mktemp("swarm")) as chaos:
        yield chaos


def places(chaos: ChaosHarness) -> list[str]:
    """Nodes that the wide environment's tasks run on and shall run on."""
    name = chaos.world.service("acme-app0-wide")
    tasks = chaos.world.engine.get("/tasks", filters={"service": [name], "desired-state": ["running"]})
    return [task["NodeID"] for task in tasks if task["Status"]["State"] == "running"]


def make_available(chaos: ChaosHarness, node: str, availability: str) -> None:
    """Whether the node takes new tasks: ``active``, or ``pause``."""
    found = chaos.world.engine.get(f"/nodes/{node}")
    spec = {**found["Spec"], "Availability": availability}
    chaos.world.engine.post(f"/nodes/{node}/update", spec, version=found["Version"]["Index"])


def test_a_worker_that_is_cut_off_and_comes_back(wide: ChaosHarness, nodes: Lab) -> None:
    manager, worker = (node.api().get("/info")["Swarm"]["NodeID"] for node in nodes.nodes)
    assert worker in places(wide)
    environment = wide.world.sql("SELECT id FROM paas_environments WHERE name = 'wide'")[0]["id"]
    make_available(wide, manager, "pause")
    nodes.cut(NODES)
    try:
        eventually(
            lambda: (
                not (status := wide.world.status("environment", environment) or {})["ready"]
                and f"{NODES - 1}/{NODES} run" in status["message"]
            ),
            what="the status says that a task is lost and has no other node",
        )
        make_available(wide, manager, "active")
        wide.workload.steps(4)
        oracles.settled(wide)
        assert worker not in places(wide)
    finally:
        nodes.heal(NODES)
    wide.workload.steps(4)
    oracles.everything(wide, resyncs=1)
