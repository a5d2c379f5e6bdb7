"""What became of objects that were written, in the words of the spec: ``replicas: 2 -> 3``, not ``instances``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

from controller.kit.flow import flow
from specs.kinds import KINDS

if TYPE_CHECKING:
    from specs.loader import Located
    from specs.problems import Path

Action = Literal["created", "updated", "unchanged", "deleted", "restored", "absent"]
VARIABLE = "config."
"""In front of the name of a config var, whose value is nowhere: ``before`` says whether there was one."""
_CONFIDENTIAL = ("command", "args", "healthcheck", "healthcheck.command")  # they hold words of a command


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One spec field, such as ``healthcheck.interval``; None stands for not set."""

    field: str
    before: Any
    after: Any

    def document(self) -> dict[str, Any]:
        """For programs: both values, or ``change`` in the place of words of a command, which may be secret."""
        if self._confidential:
            return {"field": self.field, "change": self._change}
        return {"field": self.field, "before": self.before, "after": self.after}

    @property
    def _confidential(self) -> bool:
        return self.field in _CONFIDENTIAL or self.field.startswith(VARIABLE)

    @property
    def _change(self) -> str:
        return "added" if self.before is None else "removed" if self.after is None else "changed"

    def __str__(self) -> str:
        if self._confidential:
            return f"{self.field}: {self._change}"
        return f"{self.field}: {flow(self.before)} -> {flow(self.after)}"


@dataclass(frozen=True, slots=True)
class Target:
    """A declared object by its names.

    Args:
        kind: one of ``specs.kinds.KINDS``.
        path: names from the outermost owner down to its own.
        place: ``file:line:column`` where it is declared; may be empty.
        entry: what declares it, if anything.
    """

    kind: str
    path: tuple[str, ...]
    place: str = ""
    entry: Located | None = field(default=None, compare=False, repr=False)

    @classmethod
    def of(cls, entry: Located) -> Target:
        """The object that ``entry`` declares."""
        metadata = entry.resource.metadata
        return cls(entry.resource.kind, (*metadata.parents.values(), metadata.name), entry.place, entry)

    def at(self, path: Path) -> str:
        """``file:line:column`` of one of its fields; may be empty."""
        return self.entry.at(path) if self.entry else self.place

    @property
    def name(self) -> str:
        """The path as people write it; a globally named object (a domain) is its last part alone."""
        return self.path[-1] if KINDS[self.kind].globally_named else "/".join(self.path)

    @property
    def owner(self) -> tuple[str, tuple[str, ...]] | None:
        """Kind and path of what it belongs to."""
        parent = KINDS[self.kind].binding.parent
        return (parent, self.path[:-1]) if parent else None

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


@dataclass(frozen=True, slots=True)
class Written:
    """What became of one object.

    Args:
        target: which.
        id: of its row; None for one that is absent.
        action: what was done.
        changes: fields that an update changed.
    """

    target: Target
    id: UUID | None
    action: Action
    changes: tuple[FieldChange, ...] = ()

    @property
    def changed(self) -> bool:
        """Whether anything was written."""
        return self.action not in ("unchanged", "absent")

    @property
    def status_key(self) -> tuple[str, UUID, bool]:
        """Kind as the status tables name it, id, and whether anything was written; not of one that is absent."""
        assert self.id is not None
        return KINDS[self.target.kind].word(), self.id, self.changed


def written_document(written: Written) -> dict[str, object]:
    """For programs."""
    return {
        "kind": written.target.kind,
        "name": written.target.name,
        "id": written.id,
        "action": written.action,
        "changes": [c.document() for c in written.changes],
    }
