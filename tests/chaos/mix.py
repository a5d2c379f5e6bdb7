"""Rounds of work under faults drawn by chance: each ends in convergence, and in the same oracles as the tests."""

from __future__ import annotations

import json
import random
import time
import traceback
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos import oracles
from tests.chaos.faults import Fault
from tests.chaos.harness import ChaosHarness

SETTLE_SECONDS = 90.0
MOST_FAULTS = 3
MOST_STEPS = 12


@dataclass(slots=True)
class Round:
    """One round, so that it can be told."""

    number: int
    faults: list[str] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)
    seconds: float = 0.0
    """From the end of the faults until everything was as declared."""


class BrokenRoundError(AssertionError):
    """An oracle has failed; ``round`` is what led to it."""

    def __init__(self, found: Round, problem: str) -> None:
        super().__init__(problem)
        self.round = found


def play(chaos: ChaosHarness, faults: dict[str, Fault], seed: int, number: int) -> Round:
    """Round ``number`` of ``seed``.

    Raises:
        BrokenRoundError: something is not as it must be.
    """
    chance = random.Random(f"{seed}/{number}")
    found = Round(number)
    said = len(chaos.workload.said)
    try:
        for name in chance.sample(sorted(faults), chance.randrange(1, MOST_FAULTS + 1)):
            found.faults.append(name)
            chaos.workload.steps(chance.randrange(1, MOST_STEPS // MOST_FAULTS + 1))
            faults[name](chaos, chance)
        chaos.workload.steps(chance.randrange(1, 4))
        time.sleep(chance.uniform(0.0, 4.0))
        healed = time.monotonic()
        chaos.heal()
        oracles.settled(chaos, seconds=SETTLE_SECONDS)
        found.seconds = time.monotonic() - healed
        oracles.quiet(chaos)
        oracles.never_broken(chaos)
    except Exception as error:
        found.steps = chaos.workload.said[said:]
        raise BrokenRoundError(found, "".join(traceback.format_exception(error))) from error
    found.steps = chaos.workload.said[said:]
    return found


@dataclass
class Figures:
    """What the rounds came to."""

    rounds: int = 0
    steps: int = 0
    by_fault: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def add(self, found: Round) -> None:
        """Count a round."""
        self.rounds += 1
        self.steps += len(found.steps)
        for name in found.faults:
            self.by_fault[name].append(found.seconds)


def play_for(
    chaos: ChaosHarness, faults: dict[str, Fault], seed: int, *, until: float, tell: Callable[[Round], None]
) -> Figures:
    """Rounds until ``until`` (monotonic), at least one."""
    figures = Figures()
    number = 0
    while not number or time.monotonic() < until:
        number += 1
        found = play(chaos, faults, seed, number)
        figures.add(found)
        tell(found)
    return figures


def write_failure(file: Path, seed: int, broken: BrokenRoundError, logs: list[Path]) -> None:
    """What is needed to look at a failure, and to run it again."""
    file.write_text(
        json.dumps(
            {
                "seed": seed,
                "round": broken.round.number,
                "faults": broken.round.faults,
                "steps": broken.round.steps,
                "problem": str(broken),
                "logs": [log.read_text(errors="replace").splitlines()[-400:] for log in logs],
            },
            indent=2,
        )
        + "\n"
    )
