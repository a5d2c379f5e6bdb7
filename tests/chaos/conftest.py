"""Two controllers with faults on all their ways; one scene goes through many tests, until one of them fails."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from deploy.engine import Lab
from deploy.postgres import Server, ensure
from tests.chaos import oracles
from tests.chaos.scene import Scene
from tests.e2e.world import world
from tests.labs import kept

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A PostgreSQL of their own, whose connections these tests end."""
    server = ensure("chaos", durable=False)
    yield server
    if not kept():
        server.destroy()


class Stage:
    """Makes scenes, and gives up one on which a test has failed."""

    def __init__(self, lab: Lab, server: Server, http_port: int, folder: Path) -> None:
        self._lab, self._server, self._http_port, self._folder = lab, server, http_port, folder
        self._open = ExitStack()
        self._scene: Scene | None = None

    def scene(self, settings: Mapping[str, str] | None = None) -> Scene:
        """The one that is there, or a new one with more ``settings``, with its first environments converged."""
        if self._scene is None:
            name = f"c{next(_numbers)}"
            made = world(self._lab, self._server, name, self._folder, http_port=self._http_port)
            scene = Scene(self._open.enter_context(made), seed=1, settings=settings)
            self._open.callback(scene.close)
            self._scene = scene
            scene.workload.begin()
            scene.start()
            oracles.settled(scene)
        return self._scene

    def clear(self) -> None:
        """End the scene."""
        self._scene = None
        self._open.close()


@pytest.fixture(scope="session")
def stage(lab: Lab, server: Server, http_port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Where scenes are made."""
    stage = Stage(lab, server, http_port, tmp_path_factory.mktemp("chaos"))
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
