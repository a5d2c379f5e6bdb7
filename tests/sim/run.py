"""One run of one plan, from an empty world to its verdict."""

from __future__ import annotations

import random
from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog

from tests.sim import loop, oracles
from tests.sim.border import Step
from tests.sim.faults import At, Fault, Plan
from tests.sim.scenario import Scenario, Simulation
from tests.sim.state import State
from tests.sim.world import NotConvergedError, World

NOT_REACHED = "the step was not reached, although nothing had gone wrong before it: two runs are not the same"


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a run ended.

    Args:
        plan: what was run.
        problems: what is wrong; empty is good.
        steps: the crossings that were taken.
        struck: steps of the plan that were reached.
        settled: the states that were settled to.
        counts: accepted writes.
    """

    plan: Plan
    problems: tuple[str, ...]
    steps: tuple[Step, ...] = ()
    struck: tuple[At, ...] = ()
    settled: tuple[State, ...] = ()
    counts: oracles.Counts = field(default_factory=oracles.Counts)

    @property
    def reference(self) -> oracles.Reference:
        """For the runs with faults."""
        return oracles.Reference(self.counts)


def execute(scenario: Scenario, plan: Plan, reference: Verdict | None = None) -> Verdict:
    """Run ``plan``; without a reference it is the run that the others are held against."""
    random.seed(plan.seed)
    world = World(plan, reference.settled if reference else None)
    listen_to(world)
    wrong: list[str] = []

    async def main() -> None:
        await world.furnish()
        two = any(fault is Fault.FROZEN for _, fault in plan.faults)
        async with world.running(("a", "b") if two else ("a",)):
            try:
                await scenario.body(Simulation(world))
                await world.rest()
            except (NotConvergedError, AssertionError) as error:
                wrong.append(str(error))

    try:
        loop.run(main)
    except BaseExceptionGroup as group:
        wrong.append(f"it fell over: {_innermost(group)!r}")
    held = oracles.Reference(reference.counts) if reference else None
    wrong += oracles.problems(world, held, counts=scenario.counts, extra=scenario.extra)
    if reference is not None and plan.faults and world.course.undisturbed:
        wrong.append(NOT_REACHED)
    return Verdict(
        plan,
        tuple(dict.fromkeys(wrong)),
        tuple(world.course.steps) if reference is None else (),
        tuple(world.course.struck),
        tuple(world.settled) if reference is None else (),
        oracles.counted(world) if reference is None else oracles.Counts(),
    )


def _innermost(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def listen_to(world: World) -> None:
    """Have all that living processes log in ``world.lines``."""

    def take(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        process = event.pop("process", None)
        if process is None or not process.border.dead:
            world.lines.append(dict(event))
        raise structlog.DropEvent

    processors: Sequence[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.format_exc_info,
        take,
    ]
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger("debug"),
        cache_logger_on_first_use=False,
    )
