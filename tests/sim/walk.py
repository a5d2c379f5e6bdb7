"""What one changed row goes through, traced: every call from one module to another, from its NOTIFY to its status.

A controller runs in a simulated world with one environment that is as it should be; then a field of its row is changed.
Every call of a function of ``controller`` or ``reconcilers`` is looked at while the row is on its way, and its stack
says which module called. What the process does at the same time for other reasons, a comparison or an event of the
engine, has another loop at the bottom of its stack, and is left out.

The kit knows no room: what is called through a batcher was called by who called the batcher.
"""

from __future__ import annotations

import asyncio
import inspect
import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from tests.sim import loop
from tests.sim.faults import Plan
from tests.sim.run import listen_to
from tests.sim.scenario import Simulation
from tests.sim.scenarios.environment import environment
from tests.sim.scenarios.organization import organization
from tests.sim.world import World

_ROOT = Path(__file__).parents[2]
_ROOMS = ("controller", "reconcilers")
_STANDS_FOR = {
    ("tests/sim/database/store.py", "SimStore"): "controller/store/state",
    ("tests/sim/border.py", "Border.hint"): "controller/store/listener",
}
"""What is simulated, and what it stands for: the database's answers, and what brings its notifications."""
_BEGINS = {"Wakes.watch_changes", "Worker.run", "Worker._take"}
"""What is at the bottom of a stack that is about the row: the loops that wait for one."""
_THROUGH = ("controller/kit/", "controller/loop/loops.py")
_BELL = "controller/kit/bell.py"
_ENDS = {"controller/store/state", "controller/swarm/client"}
"""What is called there leaves the process."""
_HANDS_ON = {"Queue.add"}
"""What does not wait, and hands the row on to one that does."""


@dataclass
class Walk:
    """What was seen.

    Args:
        acts: calls from one module to another that may wait, or hand the row on to who waits for it.
        asks: those that are answered at once.
        leaves: modules through which a statement or a request left the process.
    """

    acts: set[tuple[str, str]] = field(default_factory=set)
    asks: set[tuple[str, str]] = field(default_factory=set)
    leaves: set[str] = field(default_factory=set)
    _rang: dict[int, str] = field(default_factory=dict)

    @property
    def modules(self) -> set[str]:
        """All that were called, or called."""
        return {each for pair in (*self.acts, *self.asks) for each in pair}

    def saw(self, frame: FrameType) -> None:
        """A function was called, or goes on."""
        if frame.f_code.co_name == "__init__":  # to make something is to ask nobody
            return
        stack = _stack(frame)
        modules = [each for above in stack if (each := _module(above)) is not None]
        about_it = any(each.f_code.co_qualname in _BEGINS for each in (frame, *stack))
        if modules and frame.f_code.co_filename.endswith(_BELL):
            self._bell(frame, modules[0], about_it=about_it)
        module = _module(frame)
        if module is None or not about_it:
            return
        waits = bool(frame.f_code.co_flags & inspect.CO_COROUTINE)
        if waits and module in _ENDS:
            self.leaves.update((module, *modules))
        if modules and modules[0] != module and modules[0] not in _ENDS:  # beyond them is simulated
            hands_on = waits or frame.f_code.co_qualname in _HANDS_ON
            (self.acts if hands_on else self.asks).add((modules[0], module))

    def _bell(self, frame: FrameType, caller: str, *, about_it: bool) -> None:
        """Who rings one hands on to who waits for it."""
        bell = id(frame.f_locals["self"])
        if frame.f_code.co_name == "ring":
            self._rang[bell] = caller
        elif about_it and bell in self._rang:
            self.acts.add((self._rang[bell], caller))


def _module(frame: FrameType) -> str | None:
    name = frame.f_code.co_filename
    if not name.startswith(f"{_ROOT}/"):
        return None
    path = name[len(str(_ROOT)) + 1 :]
    for (file, name), module in _STANDS_FOR.items():
        if path == file:
            return module if frame.f_code.co_qualname.startswith(name) else None
    if path.startswith(_THROUGH):
        return None
    return path.removesuffix(".py").removesuffix("/__init__") if path.startswith(_ROOMS) else None


def _stack(frame: FrameType) -> list[FrameType]:
    """From who called it to who began."""
    found = []
    while (above := frame.f_back) is not None:
        found.append(above)
        frame = above
    return found


@contextmanager
def _traced(walk: Walk) -> Iterator[None]:
    def look(frame: FrameType, event: str, _: Any) -> None:
        if event == "call":
            walk.saw(frame)

    sys.setprofile(look)
    try:
        yield
    finally:
        sys.setprofile(None)


def of_a_changed_row() -> Walk:
    """The walk of an environment that is scaled."""
    random.seed(1)
    walk, world = Walk(), World(Plan("walk"))
    listen_to(world)

    async def main() -> None:
        await world.furnish()
        async with world.running(("a",)):
            sim = Simulation(world)
            home = organization(sim, "acme")
            shop = environment(sim, home, "shop")
            await sim.settle()
            with _traced(walk):
                sim.change(shop, instances=4)
                said, row = world.database.statuses, world.database.objects
                while said[shop].observed_generation < row[shop].generation:  # noqa: ASYNC110 - it has no event
                    await asyncio.sleep(0.001)
                await asyncio.sleep(0.01)  # the reconcile ends after what it has said

    loop.run(main)
    return walk
