"""What is said of a conversion: what is not carried over, and what is wrong."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from specs.compose.keys import Key
from specs.compose.project import Item
from specs.compose.variables import Variables
from specs.loader import FileProblem
from specs.problems import Path, RefusedError, quote


@dataclass(slots=True)
class Report:
    """Collects both. A value that variables were filled into is in no message: it may be a secret.

    Args:
        values: of variables, by name.
        notes: by service; what is of none is of ``""``.
        problems: that let nothing be written.
    """

    values: dict[str, str]
    notes: dict[str, list[FileProblem]] = field(default_factory=dict)
    problems: list[FileProblem] = field(default_factory=list)
    _unset: set[str] = field(default_factory=set)
    _used: dict[tuple[str, Path], set[str]] = field(default_factory=dict)

    def note(self, service: str, item: Item, name: str, message: str, hint: str = "", *below: str | int) -> None:
        """Something is not carried over, or not as it was."""
        entry = FileProblem(item.file, item.below(*below), shown(service), name, message, hint)
        there = self.notes.setdefault(service, [])
        if entry not in there:
            there.append(entry)

    def key(self, service: str, item: Item, name: str, key: Key, more: str = "", *below: str | int) -> None:
        """A key has no counterpart; ``more`` says of which part that is said."""
        self.note(service, item, name, f"{more}: {key.why}" if more else key.why, key.instead, *below)

    def problem(self, service: str, item: Item, name: str, error: RefusedError, *below: str | int) -> None:
        """Something is wrong."""
        message, hint = self.without_values(item, error.message, error.hint)
        self.problems.append(FileProblem(item.file, item.below(*below), shown(service), name, message, hint))

    def without_values(self, item: Item, message: str, hint: str) -> tuple[str, str]:
        """What is said of a value, unless variables were filled into it: then only which ones."""
        if used := self.used(item):
            return "what its variables make of it cannot be used", f"look at {', '.join(used)}"
        return message, hint

    def used(self, item: Item) -> list[str]:
        """The variables whose values were filled into an item."""
        return sorted(self._used.get((item.file, item.path), ()))

    def filled(self, service: str, item: Item, value: Any, name: str, *below: str | int) -> tuple[Any, set[str]]:
        """``value`` with the values of its variables, and which were filled in; those that are not set are told once.

        Raises:
            RefusedError: one has to be set, or is not written right.
        """
        variables = Variables(self.values)
        found = _filled(value, variables)
        for unset in sorted(variables.unset - self._unset):
            said = f"the variable {unset} is not set, and was taken as empty"
            self.note(service, item, name, said, "set it, or name a file with --env-file", *below)
        self._unset |= variables.unset
        self._used.setdefault((item.file, item.path), set()).update(variables.used)
        return found, variables.used


def shown(name: str) -> str:
    """A name as it is, where it is a plain one."""
    return name if name.replace("_", "").replace("-", "").replace(".", "").isalnum() or not name else quote(name)


def _filled(value: Any, variables: Variables) -> Any:
    if isinstance(value, str):
        return variables.filled(value)
    if isinstance(value, list):
        return [_filled(entry, variables) for entry in value]
    if isinstance(value, dict):
        return {name: _filled(entry, variables) for name, entry in value.items()}
    return value
