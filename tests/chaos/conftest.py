"""Two controllers with faults on all their ways; one harness goes through many tests, until one of them fails."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from deploy.engine import Lab
from deploy.postgres import Server, ensure
from tests.chaos.factory import HarnessFactory
from tests.chaos.harness import ChaosHarness
from tests.labs import kept


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A PostgreSQL of their own, whose connections these tests end."""
    server = ensure("chaos", durable=False)
    yield server
    if not kept():
        server.destroy()


@pytest.fixture(scope="session")
def factory(lab: Lab, server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HarnessFactory]:
    """Where harnesses are made."""
    factory = HarnessFactory(lab, server, tmp_path_factory.mktemp("chaos"))
    yield factory
    factory.clear()


@pytest.fixture
def chaos(factory: HarnessFactory, request: pytest.FixtureRequest) -> Iterator[ChaosHarness]:
    """Two controllers without faults, one of which leads; everything has converged."""
    failed = request.session.testsfailed
    chaos = factory.chaos()
    yield chaos
    if request.session.testsfailed > failed:
        factory.clear()
        return
    chaos.heal()
