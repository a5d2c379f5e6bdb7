"""What can go wrong at one step of a run, and the plan of a run: a scenario, a seed, and faults at named steps.

A step is one thing that crosses the border of a process: a request to the engine, a statement to the database, a hint
that comes in. It is named by the process, what it does and to which object, and by how often that has happened in this
run: ``a engine POST /services/create strangers-web`` for the first time. Names outlive changes of the code
better than numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from io import StringIO
from pathlib import Path
from typing import Any, Literal

from ruamel.yaml import YAML

Sort = Literal["write", "read", "hint"]


class Fault(StrEnum):
    """What happens at a step."""

    CRASH_BEFORE = "crash before"
    """The process dies, and nothing was done."""
    CRASH_AFTER = "crash after"
    """It is done, and the process dies before it hears of it."""
    REPLY_LOST = "reply lost"
    """It is done, and no answer ever comes: a time-out."""
    ERROR_AFTER = "error after"
    """It is done, and the answer says that it failed."""
    ERROR_BEFORE = "error before"
    """It is not done, and the answer says that there is no connection."""
    LEASE_LOST = "lease lost"
    """Somebody else takes the lease right before it, and lets it run out."""
    FROZEN = "frozen"
    """The process stands still for longer than its lease, right before it; a stand-by takes over meanwhile."""
    OLD_ANSWER = "old answer"
    """The answer is one that was true a while ago."""
    DROPPED = "dropped"
    DOUBLED = "doubled"
    LATE = "late"
    """A hint that never comes, comes twice, or comes half a minute later."""


POSSIBLE: Mapping[Sort, tuple[Fault, ...]] = {
    "write": (
        Fault.CRASH_BEFORE,
        Fault.CRASH_AFTER,
        Fault.REPLY_LOST,
        Fault.ERROR_AFTER,
        Fault.ERROR_BEFORE,
        Fault.LEASE_LOST,
        Fault.FROZEN,
    ),
    "read": (Fault.OLD_ANSWER, Fault.ERROR_BEFORE, Fault.LEASE_LOST),
    "hint": (Fault.DROPPED, Fault.DOUBLED, Fault.LATE),
}


@dataclass(frozen=True, slots=True, order=True)
class At:
    """A step: its name, and which time it is taken, from 1."""

    name: str
    occurrence: int

    def __str__(self) -> str:
        return self.name if self.occurrence == 1 else f"{self.name} (time {self.occurrence})"


@dataclass(frozen=True, slots=True)
class Plan:
    """One run.

    Args:
        scenario: its name.
        faults: what happens where.
        seed: of latencies and jitters; 0 has even latencies.
        rate: share of all steps at which something goes wrong besides, drawn by the seed.
    """

    scenario: str
    faults: tuple[tuple[At, Fault], ...] = ()
    seed: int = 0
    rate: float = 0.0

    def __str__(self) -> str:
        told = "; ".join(f"{fault} at {at}" for at, fault in self.faults) or "no fault"
        return f"{self.scenario}: {told}" + (f" (seed {self.seed})" if self.seed else "")

    def document(self) -> dict[str, Any]:
        """As it is in a file."""
        faults = [{"at": at.name, "time": at.occurrence, "fault": str(fault)} for at, fault in self.faults]
        return {"scenario": self.scenario, "seed": self.seed, "faults": faults}

    @classmethod
    def parse(cls, document: Mapping[str, Any]) -> Plan:
        """From such a document."""
        faults = tuple((At(f["at"], int(f.get("time", 1))), Fault(f["fault"])) for f in document.get("faults") or ())
        return cls(str(document["scenario"]), faults, int(document.get("seed", 0)))


def read(path: Path) -> Plan:
    """The plan in a YAML file."""
    return Plan.parse(YAML(typ="safe").load(path))


def text(plan: Plan, why: str) -> str:
    """A YAML file of the plan, with what it showed as a comment."""
    stream = StringIO()
    yaml = YAML()
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.dump(plan.document(), stream)
    return "".join(f"# {line}\n" for line in why.splitlines()) + stream.getvalue()
