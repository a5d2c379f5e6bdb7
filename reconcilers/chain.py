"""Why an object is not as declared: a chain of links, from its row to the requests that it answers. Pure.

What holds for every kind (a controller, a pause, the row) is asked by ``controller.actions.explain``; the links after
that are the kind's own: functions of what is known, which its reconciler has as ``links``, in the order of causality. A
reason of ``reasons.toml`` names the link that it breaks; of several that are broken the first is the cause, and the
others follow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from reconcilers.conditions import FUSE_TRIPPED
from reconcilers.reasons import Fault, fault_of, plain, reason_of


class State(StrEnum):
    """Of a link."""

    OK = "ok"
    BROKEN = "broken"
    WAITS = "waits"
    """As broken; it goes on without anybody's doing."""
    FOLLOWS = "follows"
    """Broken, by what is broken before it."""
    UNREACHED = "not reached"
    UNKNOWN = "unknown"
    """It could not be seen from here."""

    @property
    def is_fault(self) -> bool:
        """Whether it may be the cause of something."""
        return self in (State.BROKEN, State.WAITS)


@dataclass(frozen=True, slots=True)
class Link:
    """One link of a chain.

    Args:
        name: such as ``image``.
        evidence: what was seen, for people; never a secret.
        cause: what is wrong, a sentence; empty when nothing is.
        mend: what to do about it.
        proven: whether the evidence was seen on the engine now, and holds whatever is broken before it.
    """

    name: str
    state: State
    evidence: str
    cause: str = ""
    mend: str = ""
    proven: bool = False


@dataclass(frozen=True, slots=True)
class Said:
    """What the status of an object says; ``ready`` None: nothing, or nothing that anybody vouches for."""

    ready: bool | None = None
    reason: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Relative:
    """What the object belongs to, or what belongs to it; ``kind`` is its word, ``spec`` in the names of YAML."""

    kind: str
    name: str
    said: Said
    spec: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TaskSeen:
    """A task as the engine has it; ``memory``: the engine says that memory ran out."""

    service: str
    node: str
    desired: str
    state: str
    error: str = ""
    since: str = ""
    memory: bool = False

    @property
    def runs(self) -> bool:
        """Whether it does what it shall."""
        return self.desired == self.state == "running"


@dataclass(frozen=True, slots=True)
class Seen:
    """What the engine has now.

    Args:
        services: tasks that shall run, by the name of each service of the object.
        tasks: of them, the newest first.
        nodes: whether it is up and takes tasks, by the name of each node.
        network: name of the tenant's network; empty: there is none.
        faults: what is wrong with each router, by its name, as the edge says; None: it was not asked.
    """

    services: Mapping[str, int] = field(default_factory=dict)
    tasks: Sequence[TaskSeen] = ()
    nodes: Mapping[str, bool] = field(default_factory=dict)
    network: str = ""
    faults: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Blame:
    """The link that the status says is broken, in general words."""

    link: str
    cause: str
    mend: str
    goes_on: bool


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of an object, for its links.

    Args:
        kind: word of the kind that is asked about.
        name: its path, as people write it.
        said: its status.
        of: word of the kind that reconciles it: its own, or its owner's where it is a part.
        spec: of that object, in the names of YAML.
        details: of its status.
        snapshot: what its document is; None where that could not be read.
        owners: what it belongs to, the outermost first.
        parts: what belongs to it.
        seen: what the engine has; None: it could not be asked.
    """

    kind: str
    name: str
    said: Said
    of: str
    spec: Mapping[str, Any] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)
    snapshot: Any = None
    owners: Sequence[Relative] = ()
    parts: Sequence[Relative] = ()
    seen: Seen | None = None

    def owner(self, kind: str) -> Relative | None:
        """The one of this kind."""
        return next((found for found in self.owners if found.kind == kind), None)

    def parts_of(self, kind: str) -> list[Relative]:
        """Those of this kind."""
        return [found for found in self.parts if found.kind == kind]

    def fault(self) -> Fault | None:
        """What stops its tasks: by its status, else by what the engine has."""
        tasks = [] if self.seen is None else [task for task in self.seen.tasks if not task.runs]
        if any(task.memory for task in tasks):
            return fault_of(["OOMKilled"])
        return fault_of([self.said.message, *(task.error for task in tasks)])

    def blame(self) -> Blame | None:
        """What the status says is in the way; None: nothing, or what no reason is known of."""
        reason = None if self.said.ready else reason_of(self.said.reason, self.kind)
        if reason is None:
            return None
        fault = self.fault() if reason.told_by_tasks else None
        if fault is not None:
            return Blame(fault.link, plain(fault.cause), plain(fault.mend), goes_on=False)
        goes_on = reason.goes_on and self.said.reason != FUSE_TRIPPED
        return Blame(reason.link, plain(reason.cause), plain(reason.mend), goes_on)

    def judge(self, name: str, evidence: str, *, proven: bool = False) -> Link:
        """The link of this name: broken when the status says so, in its words; else as ``evidence`` says."""
        blame = self.blame()
        if blame is None or blame.link != name:
            return Link(name, State.OK, evidence, proven=proven)
        state = State.WAITS if blame.goes_on else State.BROKEN
        return Link(name, state, f"{self.said.reason}: {self.said.message}", blame.cause, blame.mend)


LinkOf = Callable[[Known], Link]


def of_reason(name: str, found: Relative) -> Link:
    """A link that is broken as the status of a relative says."""
    reason = reason_of(found.said.reason, found.kind)
    said = f"{found.kind} {found.name}: {found.said.reason}: {found.said.message}"
    if reason is None:
        return Link(name, State.BROKEN, said, f"{found.kind} {found.name} is not ready.", "The message says why")
    state = State.WAITS if reason.goes_on else State.BROKEN
    return Link(name, state, said, plain(reason.cause), plain(reason.mend))


def in_order(links: Sequence[Link]) -> list[Link]:
    """``links`` with what follows from the first that is broken."""
    found: list[Link] = []
    cause = False
    for link in links:
        if cause and link.state.is_fault:
            found.append(replace(link, state=State.FOLLOWS))
        elif cause and link.state is State.OK and not link.proven:
            found.append(Link(link.name, State.UNREACHED, ""))
        else:
            found.append(link)
        cause = cause or link.state.is_fault
    return found
