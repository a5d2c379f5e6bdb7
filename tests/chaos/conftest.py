"""Two controllers with faults on all their ways; one scene goes through many tests, until one of them fails."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from deploy.engine import Lab
from deploy.postgres import Server, ensure
from tests.chaos.scene import Scene
from tests.chaos.stage import Stage
from tests.labs import kept


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A PostgreSQL of their own, whose connections these tests end."""
    server = ensure("chaos", durable=False)
    yield server
    if not kept():
        server.destroy()


@pytest.fixture(scope="session")
def stage(lab: Lab, server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Where scenes are made."""
    stage = Stage(lab, server, tmp_path_factory.mktemp("chaos"))
    yield stage
    stage.clear()


@pytest.fixture
def scene(stage: Stage, request: pytest.FixtureRequest) -> Iterator[Scene]:
    """Two controllers without faults, one of which leads; everything has converged."""
    failed = request.session.testsfailed
    scene = stage.scene()
    yield scene
    if request.session.testsfailed > failed:
        stage.clear()
        return
    scene.heal()
