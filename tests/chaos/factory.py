"""Makes harnesses on one engine, keeps one as long as all goes well, and gives up one that a fault has broken."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from deploy.engine import Lab
from deploy.postgres import Server
from tests.chaos import oracles
from tests.chaos.clocks import remove_shared_memory
from tests.chaos.harness import ChaosHarness
from tests.e2e.world import world

_numbers = itertools.count(1)


class HarnessFactory:
    """Where harnesses are made.

    Args:
        lab: with all images; an edge is used when there is one.
        server: whose connections may be ended.
        folder: for logs.
    """

    def __init__(self, lab: Lab, server: Server, folder: Path) -> None:
        self._lab, self._server, self._folder = lab, server, folder
        self._open = ExitStack()
        self._scene: ChaosHarness | None = None

    def chaos(self, settings: Mapping[str, str] | None = None, *, seed: int = 1) -> ChaosHarness:
        """The one that is there, or a new one with more ``settings``, with its first environments converged."""
        if self._scene is None:
            made = world(self._lab, self._server, f"c{next(_numbers)}", self._folder, http_port=0)
            chaos = ChaosHarness(self._open.enter_context(made), seed=seed, settings=settings)
            self._open.callback(_end, chaos)
            self._scene = chaos
            chaos.workload.begin()
            chaos.start()
            oracles.settled(chaos)
        return self._scene

    def clear(self) -> None:
        """End the harness."""
        self._scene = None
        self._open.close()


def _end(chaos: ChaosHarness) -> None:
    chaos.close()
    for pid in (pid for controller in chaos.controllers for pid in controller.pids):
        remove_shared_memory(pid)
