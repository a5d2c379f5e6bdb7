"""Makes scenes on one engine, keeps one as long as all goes well, and gives up one that a fault has broken."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from deploy.engine import Lab
from deploy.postgres import Server
from tests.chaos import oracles
from tests.chaos.clocks import remove_shared_memory
from tests.chaos.scene import Scene
from tests.e2e.world import world

_numbers = itertools.count(1)


class Stage:
    """Where scenes are made.

    Args:
        lab: with all images; an edge is used when there is one.
        server: whose connections may be ended.
        folder: for logs.
    """

    def __init__(self, lab: Lab, server: Server, folder: Path) -> None:
        self._lab, self._server, self._folder = lab, server, folder
        self._open = ExitStack()
        self._scene: Scene | None = None

    def scene(self, settings: Mapping[str, str] | None = None, *, seed: int = 1) -> Scene:
        """The one that is there, or a new one with more ``settings``, with its first environments converged."""
        if self._scene is None:
            made = world(self._lab, self._server, f"c{next(_numbers)}", self._folder, http_port=0)
            scene = Scene(self._open.enter_context(made), seed=seed, settings=settings)
            self._open.callback(_end, scene)
            self._scene = scene
            scene.workload.begin()
            scene.start()
            oracles.settled(scene)
        return self._scene

    def clear(self) -> None:
        """End the scene."""
        self._scene = None
        self._open.close()


def _end(scene: Scene) -> None:
    scene.close()
    for pid in (pid for seat in scene.seats for pid in seat.pids):
        remove_shared_memory(pid)
