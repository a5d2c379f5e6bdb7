"""What is to be written to the engine, as plain data: it passes from the planner through the loop's gates to the write.

The same change set is what ``skypanel plan`` shows, what an event says, and what is done. Nothing here prints the value
of what may be secret.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from controller.kit.flow import flow
from controller.records import Intent, InventoryUpdate
from reconcilers import labels, spec_fields
from reconcilers.jobs import Job
from reconcilers.objects import Desired, Objects, Service
from reconcilers.ports import LiveObject

Action = Literal["create", "update", "recreate", "delete", "connect", "prompt"]
_VERBS = {"create": "+", "update": "~", "recreate": "±", "delete": "-", "connect": "~", "prompt": "~"}
_SHOWN_DIFFERENCES = 6
_HASH_PATHS = {f"Labels.{labels.SPEC_HASH}", f"Labels.{labels.TEMPLATE_HASH}"}
_ENVIRONMENT = "TaskTemplate.ContainerSpec.Env"
# Words of commands, and what somebody may have set by hand with a password in it: the field alone is named.
_CONFIDENTIAL = (
    _ENVIRONMENT,
    "TaskTemplate.ContainerSpec.Command",
    "TaskTemplate.ContainerSpec.Args",
    "TaskTemplate.ContainerSpec.Healthcheck.Test",
    "TaskTemplate.ContainerSpec.Mounts",
    "TaskTemplate.LogDriver.Options",
    "Data",
)


@dataclass(frozen=True, slots=True)
class Difference:
    """One field: ``path`` such as ``TaskTemplate.ContainerSpec.Image``; None stands for absent."""

    path: str
    live: Any
    wanted: Any

    def document(self) -> dict[str, Any]:
        """For programs: both values, or ``change`` in the place of what may be secret."""
        if self._confidential:
            return {"path": self.path, "change": self._change}
        return {"path": self.path, "live": self.live, "wanted": self.wanted}

    @property
    def telling(self) -> str:
        """The same in the words of a spec, where the field is one of a spec; see ``reconcilers.spec_fields``."""
        field = spec_fields.field_of(self.path)
        if field is None:
            return str(self)
        if self._confidential or spec_fields.is_whole(field):
            return f"{field}: {self._change}"
        live, wanted = (spec_fields.value_of(self.path, value) for value in (self.live, self.wanted))
        return f"{field}: {flow(live)} -> {flow(wanted)}"

    @property
    def _confidential(self) -> bool:
        return any(self.path == field or self.path.startswith(f"{field}.") for field in _CONFIDENTIAL)

    @property
    def _change(self) -> str:
        if self.path == _ENVIRONMENT:
            return _variables(self.live or (), self.wanted or ())
        return "added" if self.live is None else "removed" if self.wanted is None else "changed"

    def __str__(self) -> str:
        if self._confidential:
            return f"{self.path}: {self._change}"
        return f"{self.path}: {flow(self.live)} -> {flow(self.wanted)}"


@dataclass(frozen=True, slots=True)
class Change:
    """One write.

    Args:
        action: what is done; ``prompt`` writes a service as it is, so that Swarm counts its tasks again.
        object_type: one of ``controller.swarm.types``, or ``edge``.
        name: of the object; for ``edge`` the network that the edge joins.
        target: what to make of it; None for a deletion.
        live: the object that it was planned on.
        differences: why, field by field.
        cause: one word for events: ``Created``, ``Updated``, ``Repaired``, ``Removed`` ...
        note: what somebody did that made it necessary; empty when that is not known.
    """

    action: Action
    object_type: str
    name: str
    target: Desired | None = None
    live: LiveObject | None = None
    differences: tuple[Difference, ...] = ()
    cause: str = ""
    note: str = ""

    @property
    def intent(self) -> Intent | None:
        """What the inventory must know before it is done; None for what it does not hold."""
        if self.action in ("connect", "prompt"):
            return None
        return Intent(self.object_type, self.name, "deleting" if self.action == "delete" else "applying")

    @property
    def starts_tasks(self) -> bool:
        """Whether doing it starts tasks, or replaces running ones; fewer of them, or another label, does neither."""
        if isinstance(self.target, Job):
            return True
        if not isinstance(self.target, Service) or not self.target.replicas:
            return False
        return self.action in ("create", "recreate") or any(
            d.path.startswith("TaskTemplate.")
            or (d.path == "Mode.Replicated.Replicas" and self.target.replicas > (d.live or 0))
            or (d.path == "UpdateConfig.Delay" and d.wanted is None)  # what rested goes on
            for d in self.differences
        )

    @property
    def touched(self) -> tuple[str, ...]:
        """Paths of the fields that differ, without their values; what else is the matter where there are none."""
        if not self.differences:
            return ("missing" if self.action == "create" else self.action,)
        return tuple(d.path for d in self._telling())

    def told(self) -> list[str]:
        """What differs, in the words of specs and each once; what follows from another field is left out."""
        telling = self._telling()
        first = [d for d in telling if not spec_fields.follows(d.path)]
        return list(dict.fromkeys(d.telling for d in first or telling))

    def _telling(self) -> Sequence[Difference]:
        """A hash says that something else changed; alone, it is what somebody changed."""
        return [d for d in self.differences if d.path not in _HASH_PATHS] or self.differences

    def __str__(self) -> str:
        text = f"{_VERBS[self.action]} {self.object_type} {self.name}"
        if self.action == "connect":
            text = f"~ edge joins network {self.name}"
        if self.note:
            text += f" ({self.note})"
        if not self.differences:
            return text
        told = self.told()
        shown = told[:_SHOWN_DIFFERENCES]
        if len(told) > _SHOWN_DIFFERENCES:
            shown.append(f"and {len(told) - _SHOWN_DIFFERENCES} more")
        return text + ": " + "; ".join(shown)


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """All writes for one owner, in the order in which they are safe, and what the loop must know beside them.

    Args:
        changes: the writes.
        blocked: why a wanted template is not applied (it failed before), by service name.
        failed: hashes of templates that Swarm has just rolled back, by service name: to be remembered.
        seen: what is live and as it should be, and not in the inventory yet: a crash after the write, a restored
            database.
        kept: what is not as it should be and stays: networks that would be made anew or removed, were they not in use,
            jobs that a repair would run again; by name, what is wrong and why it stays.
        left: type and name of what is not wanted and stays for now: it serves under a former name, is still needed, or
            goes when something else takes its place.
        wanted: what it was planned for: what is declared, without the host names that the owner must not have yet.
        missing_hosts: host names that were left out of it, as another owner still has them.
        spared: the writes without what stops, or loses a route, and nothing that is declared takes its place; None:
            nothing does.
    """

    changes: tuple[Change, ...] = ()
    blocked: Mapping[str, str] = field(default_factory=dict)
    failed: Mapping[str, str] = field(default_factory=dict)
    seen: tuple[InventoryUpdate, ...] = ()
    kept: Mapping[str, str] = field(default_factory=dict)
    left: frozenset[tuple[str, str]] = frozenset()
    wanted: Objects = field(default_factory=Objects)
    missing_hosts: frozenset[str] = frozenset()
    spared: tuple[Change, ...] | None = None

    def after(self, first: ChangeSet) -> ChangeSet:
        """The same, with the changes of ``first`` before its own."""
        return replace(self, changes=first.changes + self.changes)

    def without(self, unwanted: Callable[[Change], bool]) -> ChangeSet:
        """The same, leaving some of it undone."""
        changes = tuple(c for c in self.changes if not unwanted(c))
        spared = None if self.spared is None else tuple(c for c in self.spared if not unwanted(c))
        return replace(self, changes=changes, spared=None if spared == changes else spared)

    def __str__(self) -> str:
        return "\n".join(str(c) for c in self.changes)


@dataclass(frozen=True, slots=True)
class Succession:
    """What is next for the services of an owner that serve under former names.

    Args:
        changes: to be done now.
        names: of all former services that are left, whether something is to be done or not.
        seconds: until those that answer no host any more may go; None: something else is waited for.
    """

    changes: ChangeSet
    names: tuple[str, ...]
    seconds: float | None


def _variables(live: Sequence[str], wanted: Sequence[str]) -> str:
    """Names of variables that differ, never their values: what somebody set by hand may be a password."""
    had, has = (dict(entry.partition("=")[::2] for entry in entries) for entries in (live, wanted))
    told = [f"{name} removed" for name in sorted(had.keys() - has.keys())]
    told += [f"{name} added" for name in sorted(has.keys() - had.keys())]
    told += [f"{name} changed" for name in sorted(had.keys() & has.keys()) if had[name] != has[name]]
    return ", ".join(told) or "order or doubles"
