"""Fixtures of all tests that need a real engine or database; see `tests.labs` for how runs are kept apart."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from deploy import engine, traefik
from deploy.engine import Lab
from deploy.engine.forward import Forward
from deploy.postgres import Server, ensure
from tests.labs import exclusive_lab, free_port

NAME = "test"
IMAGES = ("web", "pause", "traefik", "socket-proxy", "postgres", "redis")
EDGE_PORT = 80


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """A Swarm of one node with all images and the edge; a folder may have one of its own under the same name."""
    with exclusive_lab(NAME, images=IMAGES) as running:
        traefik.deploy(running.api())
        yield running


@pytest.fixture(scope="session")
def http_port(lab: Lab) -> int:
    """The port of this machine that leads to the edge."""
    present = (Forward.parse(text) for text in lab.description.forwards)
    if found := next((f.host_port for f in present if f.node_port == EDGE_PORT), None):
        return found
    port = free_port()
    engine.up(lab.name, forwards=[f"{port}:{EDGE_PORT}"])
    return port


@pytest.fixture(scope="session")
def postgres() -> Server:
    """The tests' PostgreSQL; it has no state worth keeping, so it does not wait for the disk."""
    return ensure(NAME, durable=False)
