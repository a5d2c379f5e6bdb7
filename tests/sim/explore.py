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

from tests.sim.faults import POSSIBLE, At, Fault, Plan, Sort, text
from tests.sim.run import Verdict

CORPUS = Path(__file__).with_name("corpus")
_LEASE = "database lease_"


def singles(reference: Verdict, begun: set[int] | None = None) -> Iterator[Plan]:
    """One plan for each fault at each step.

    Args:
        reference: the run without faults.
        begun: beginnings that other scenarios have tried, and this one adds to. Most scenarios begin alike; up to
            where they first settle, a step with the same course behind it is the same step.
    """
    course = 0
    behind: dict[At, int] = {}
    for step in reference.steps:
        course = hash((course, step.at, step.moves))
        if step.phase == 0:
            behind[step.at] = course
    for at, sort in _steps(reference):
        known = behind.get(at)
        if begun is not None and known is not None:
            if known in begun:
                continue
            begun.add(known)
        for fault in _possible(at, sort):
            yield Plan(reference.plan.scenario, ((at, fault),))


def combined(reference: Verdict, seed: int) -> Iterator[Plan]:
    """Endlessly: two or three faults at once, with uneven latencies; the same seed gives the same plans."""
    draw = random.Random(f"{reference.plan.scenario} {seed}")
    steps = list(_steps(reference))
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


def _steps(reference: Verdict) -> Iterator[tuple[At, Sort]]:
    """All steps but those that only repeat: the same step again, with nothing written anywhere since the last time."""
    seen: dict[str, tuple[int, int]] = {}
    for step in reference.steps:
        if seen.get(step.at.name) != step.moves:
            seen[step.at.name] = step.moves
            yield step.at, step.sort


def _possible(at: At, sort: Sort) -> tuple[Fault, ...]:
    if _LEASE in at.name and sort == "write":
        return tuple(f for f in POSSIBLE[sort] if f is not Fault.LEASE_LOST)
    return POSSIBLE[sort]
