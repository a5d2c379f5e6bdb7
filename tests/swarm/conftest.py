"""One engine with an edge for all tests of the adapters; an installation of its own for each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from deploy import traefik
from deploy.engine import Lab
from tests.labs import exclusive_lab


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """A Swarm of one node with the edge on it."""
    with exclusive_lab("swarmtests", images=["web", "pause", "traefik", "socket-proxy"]) as running:
        traefik.deploy(running.api())
        yield running
