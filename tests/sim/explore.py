"""Every plan there is: from the steps of the run without faults, every fault that is possible at each of them.

Two or three faults at once are drawn by a seed. A plan that fails is written to the corpus as a small file that replays
alone.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from tests.sim.border import Step
from tests.sim.faults import POSSIBLE, At, Fault, Plan, Sort, text
from tests.sim.run import Verdict

CORPUS = Path(__file__).with_name("corpus")
_LEASE = "database lease_"


def singles(reference: Verdict, begun: set[int] | None = None, *, every: bool = False) -> Iterator[Plan]:
    """One plan for each fault at each step.

    Args:
        reference: the run without faults.
        begun: beginnings that other scenarios have tried, and this one adds to. Most scenarios begin alike; up to
            where they first settle, a step with the same course behind it is the same step.
        every: also each fault at each step of each time in which the run only waits, where one is like the other.
    """
    course = 0
    behind: dict[At, int] = {}
    for step in reference.steps:
        course = hash((course, step.at, step.moves))
        if step.phase == 0:
            behind[step.at] = course
    waits = _Waits()
    for step, waiting in _steps(reference):
        at = step.at
        known = behind.get(at)
        if begun is not None and known is not None:
            if known in begun:
                continue
            begun.add(known)
        for fault in _possible(at, step.sort):
            if every or not waiting or waits.are_new(step, fault):
                yield Plan(reference.plan.scenario, ((at, fault),))


def combined(reference: Verdict, seed: int) -> Iterator[Plan]:
    """Endlessly: two or three faults at once, with uneven latencies; the same seed gives the same plans.

    Not while the run only waits: with other latencies it waits for another time, and in other steps.
    """
    draw = random.Random(f"{reference.plan.scenario} {seed}")
    steps = [(step.at, step.sort) for step, waiting in _steps(reference) if not waiting]
    while True:
        chosen = sorted(draw.sample(steps, k=draw.choice((2, 2, 3))))
        faults = tuple((at, draw.choice(_possible(at, sort))) for at, sort in chosen)
        yield Plan(reference.plan.scenario, faults, draw.randrange(1, 1_000_000))


def drawn(plans: list[Plan], most: int, seed: int) -> list[Plan]:
    """Those that are tried when all would take too long: another seed draws others; in their order."""
    if len(plans) <= most:
        return plans
    draw = random.Random(f"{plans[0].scenario} {seed}")
    return [plans[place] for place in sorted(draw.sample(range(len(plans)), most))]


def some(plans: Iterable[Plan], count: int) -> list[Plan]:
    """The first ``count``."""
    return list(islice(plans, count))


def keep(verdict: Verdict, folder: Path = CORPUS) -> Path:
    """Write a failing plan to the corpus; the file."""
    faults = "-and-".join(f"{fault}-at-{at}" for at, fault in verdict.plan.faults)
    name = re.sub(r"[^a-z0-9]+", "-", f"{verdict.plan.scenario}-{faults}".lower()).strip("-")[:150]
    path = folder / f"{name}.yml"
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(text(verdict.plan, "\n".join(verdict.problems)), encoding="utf-8")
    return path


def _steps(reference: Verdict) -> Iterator[tuple[Step, bool]]:
    """All steps but those that only repeat, and whether nothing is written any more until the scenario goes on.

    What repeats is the same step again, with nothing written anywhere since the last time.
    """
    last = {step.phase: step.moves for step in reference.steps}
    seen: dict[str, tuple[int, int]] = {}
    for step in reference.steps:
        if seen.get(step.at.name) != step.moves:
            seen[step.at.name] = step.moves
            yield step, step.moves == last[step.phase]


class _Waits:
    """What was tried at the times in which a run only waits.

    Whatever strikes there is felt by what the scenario does next, and at which of the steps it strikes is the same: so
    each fault once at each step, at each time once at any step, and old answers always.
    """

    def __init__(self) -> None:
        self._tried: set[tuple[object, Fault]] = set()

    def are_new(self, step: Step, fault: Fault) -> bool:
        about = {(step.at.name, fault), ((step.phase, step.sort), fault)}
        new = bool(about - self._tried) or fault is Fault.OLD_ANSWER
        self._tried |= about
        return new


def _possible(at: At, sort: Sort) -> tuple[Fault, ...]:
    if _LEASE in at.name and sort == "write":
        return tuple(f for f in POSSIBLE[sort] if f is not Fault.LEASE_LOST)
    return POSSIBLE[sort]
