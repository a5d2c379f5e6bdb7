"""A Swarm of two nodes that pull: in this folder it stands for the lab of one node, as all of its tests take long."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from deploy import engine, traefik
from deploy.engine import Lab
from tests.conftest import EDGE_PORT, LAB
from tests.e2e.two_nodes.nodes import available
from tests.labs import exclusive_lab, free_port

IMAGES = ("web", "pause", "traefik", "socket-proxy")


@pytest.fixture(scope="package")
def lab() -> Iterator[Lab]:
    """A manager with the edge, a worker, and all images on both of them."""
    with exclusive_lab(f"{LAB}-two", images=IMAGES, nodes=2, pulls=True) as running:
        for node in running.nodes:
            available(running, node, "active")  # a test that was killed left them as it had them
        traefik.deploy(running.api())
        yield running


@pytest.fixture(scope="package")
def http_port(lab: Lab) -> int:
    """The port of this machine that leads to the edge."""
    port = free_port()
    engine.up(lab.name, forwards=[f"{port}:{EDGE_PORT}"])
    return port


@pytest.fixture(autouse=True)
def _available(lab: Lab) -> Iterator[None]:
    """Whatever a test does: afterwards all nodes take tasks."""
    yield
    for node in lab.nodes:
        available(lab, node, "active")
