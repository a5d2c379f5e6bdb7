"""The border of a simulated process: every request, statement and hint crosses it as a named step.

Here steps get their names, their latency and, when the plan says so, their fault. A process that has died gets nothing
across any more, whatever its tasks still do.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

import anyio

from tests.sim.faults import POSSIBLE, At, Fault, Plan, Sort

R = TypeVar("R")
LATENCY_SECONDS = 0.002
LOST_SECONDS = 30.0
LATE_SECONDS = 30.0
FROZEN_SECONDS = 25.0


class SimCrash(BaseException):
    """The process has died at this line."""


class Step(NamedTuple):
    """One crossing."""

    at: At
    sort: Sort
    time: float
    moves: tuple[int, int]
    """How often anything had been written on either side by then."""
    phase: int
    """How often the scenario had settled."""


_OF_TWO = (Fault.FROZEN,)
"""What means something only beside another process."""


@dataclass
class Course:
    """The course of one run: its plan, and the steps that were taken.

    Args:
        plan: what goes wrong, and the seed.
        on_lease_lost: takes the lease away.
        moves: counts what was written on either side.
    """

    plan: Plan
    on_lease_lost: Callable[[], None] = lambda: None
    moves: Callable[[], tuple[int, int]] = lambda: (0, 0)
    steps: list[Step] = field(default_factory=list)
    struck: list[At] = field(default_factory=list)
    strikes: list[tuple[Fault, float]] = field(default_factory=list)
    """What struck there, and when."""
    phase: int = 0
    over: bool = False
    """Set when the scenario has ended: what comes then is no step any more."""
    answers: dict[str, list[Any]] = field(default_factory=dict)
    """By read: the answers that it had so far, where they differ; the newest last."""
    past: dict[str, Any] = field(default_factory=dict)
    """By kind of object on the engine: all of them before the last write to one."""

    def __post_init__(self) -> None:
        self._taken: Counter[str] = Counter()
        self._faults = dict(self.plan.faults)
        self._random = random.Random(self.plan.seed)
        self._chance = random.Random(self.plan.seed)

    def take(self, name: str, sort: Sort) -> Fault | None:
        """Number a step; what is to go wrong at it."""
        self._taken[name] += 1
        at = At(name, self._taken[name])
        if self.over:
            return None
        self.steps.append(Step(at, sort, asyncio.get_running_loop().time(), self.moves(), self.phase))
        fault = self._faults.get(at) or self._by_chance(sort)
        if fault is not None:
            self.struck.append(at)
            self.strikes.append((fault, asyncio.get_running_loop().time()))
        return fault

    def _by_chance(self, sort: Sort) -> Fault | None:
        if not self.plan.rate or self._chance.random() >= self.plan.rate:
            return None
        return self._chance.choice([fault for fault in POSSIBLE[sort] if fault not in _OF_TWO])

    @property
    def looks_back(self) -> bool:
        """Whether the past is needed."""
        return bool(self.plan.rate) or Fault.OLD_ANSWER in self._faults.values()

    @property
    def undisturbed(self) -> bool:
        """Whether all has been as it is without any fault."""
        return not self.struck and not self.plan.seed

    def latency(self) -> float:
        """Seconds that a crossing takes: even without a seed, else now and then much longer."""
        if not self.plan.seed:
            return LATENCY_SECONDS
        return LATENCY_SECONDS * self._random.choice((0.1, 0.5, 1, 1, 2, 5, 50))


class Border:
    """Where one start of one process meets the world.

    Args:
        course: of the run.
        name: of the process, the same for each of its starts.
        on_crash: ends the process.
    """

    def __init__(self, course: Course, name: str, on_crash: Callable[[], None]) -> None:
        self._course = course
        self._name = name
        self._on_crash = on_crash
        self._frozen_until = 0.0
        self._last_hint = 0.0
        self.dead = False

    async def cross(
        self,
        name: str,
        sort: Sort,
        effect: Callable[[], R],
        *,
        broken: Callable[[str], Exception],
        before: Callable[[], None] | None = None,
        older: Callable[[], R] | None = None,
        asked: str = "",
    ) -> R:
        """Do ``effect`` on the other side.

        Args:
            name: what is done to what.
            sort: ``write`` or ``read``.
            effect: happens at once, or not at all.
            broken: the error of a caller that got no answer, from a reason.
            before: the last look on this side; what it raises stops the crossing.
            older: an answer that was true a while ago; without it, the one that this read had before.
            asked: what of the name is not said: an id, as of another object of this name there is no answer.
        """
        name = f"{self._name} {name}"
        if sort == "read":  # nothing is left in the air when a read is cut off
            return await self._cross(name, asked, sort, effect, broken, before, older)
        with anyio.CancelScope(shield=True):  # as the real ends do: a write goes to its end
            result = await self._cross(name, asked, sort, effect, broken, before, older)
        return result  # noqa: RET504 - a scope may swallow what it cancelled, says its type

    async def _cross(
        self,
        name: str,
        asked: str,
        sort: Sort,
        effect: Callable[[], R],
        broken: Callable[[str], Exception],
        before: Callable[[], None] | None,
        older: Callable[[], R] | None,
    ) -> R:
        self._live()
        fault = self._course.take(name, sort)
        await asyncio.sleep(self._course.latency())
        await self._thaw()
        match fault:
            case Fault.CRASH_BEFORE:
                self.crash()
            case Fault.LEASE_LOST:
                self._course.on_lease_lost()
            case Fault.FROZEN:
                self._frozen_until = asyncio.get_running_loop().time() + FROZEN_SECONDS
                await self._thaw()
            case Fault.ERROR_BEFORE:
                raise broken("connection refused")
        if before is not None:
            before()
        if fault is Fault.OLD_ANSWER:
            result = older() if older is not None else self._earlier(name + asked, effect)
        else:
            result = effect()
        if sort == "read":
            self._remember(name + asked, result)
        match fault:
            case Fault.CRASH_AFTER:
                self.crash()
            case Fault.REPLY_LOST:
                await asyncio.sleep(LOST_SECONDS)
                await self._thaw()
                raise broken("no answer in time")
            case Fault.ERROR_AFTER:
                raise broken("the connection was lost")
        return result

    def hint(self, name: str, deliver: Callable[[], None]) -> None:
        """Let a hint in; it is called from the other side."""
        if self.dead:
            return

        def arrive() -> None:
            if not self.dead:
                deliver()

        loop = asyncio.get_running_loop()
        self._last_hint = max(self._last_hint + 1e-6, loop.time() + self._course.latency())  # a stream has an order
        match self._course.take(f"{self._name} {name}", "hint"):
            case Fault.DROPPED:
                return
            case Fault.DOUBLED:
                loop.call_at(self._last_hint, arrive)
                loop.call_at(self._last_hint + LATENCY_SECONDS, arrive)
            case Fault.LATE:
                loop.call_at(self._last_hint + LATE_SECONDS, arrive)
            case _:
                loop.call_at(self._last_hint, arrive)

    def crash(self) -> None:
        """Die here."""
        self.dead = True
        self._on_crash()
        raise SimCrash

    def _live(self) -> None:
        if self.dead:
            raise SimCrash

    async def _thaw(self) -> None:
        self._live()
        rest = self._frozen_until - asyncio.get_running_loop().time()
        if rest > 0:
            await asyncio.sleep(rest)
        self._live()

    def _remember(self, name: str, result: Any) -> None:
        answers = self._course.answers.setdefault(name, [])
        if not answers or answers[-1] != result:
            answers.append(result)

    def _earlier(self, name: str, effect: Callable[[], R]) -> R:
        now: Any = effect()
        answers = [a for a in self._course.answers.get(name, ()) if a != now]
        earlier: R = answers[-1] if answers else now
        return earlier
