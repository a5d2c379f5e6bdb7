"""What of a repository says how it runs: processes, a port, checks, and what has no place in a spec."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Note:
    """What was not carried over, and what to do.

    Args:
        where: the file, with a line where it has one.
        said: what it is.
        hint: what to do.
    """

    where: str
    said: str
    hint: str = ""

    def __str__(self) -> str:
        text = f"{self.where}: {self.said}" + (f" ({self.hint})" if self.hint else "")
        return " ".join(text.split())  # names of a repository's files are in it: one line, whatever they hold


@dataclass(frozen=True, slots=True)
class Found:
    """What one file, or all of them, say.

    Args:
        name: of the app, in whatever letters; empty: it says none.
        processes: command lines by type; a value that is empty: the image's own.
        replicas: by type.
        port: that ``web`` listens on.
        checks: paths of HTTP checks by type.
        entry_point: the image has one of its own.
        notes: on what was not carried over.
    """

    name: str = ""
    processes: Mapping[str, str] = field(default_factory=dict)
    replicas: Mapping[str, int] = field(default_factory=dict)
    port: int | None = None
    checks: Mapping[str, str] = field(default_factory=dict)
    entry_point: bool = False
    notes: Sequence[Note] = ()

    def beside(self, other: Found) -> Found:
        """Both; what both say is as it is here."""
        return Found(
            self.name or other.name,
            {**other.processes, **self.processes},
            {**other.replicas, **self.replicas},
            other.port if self.port is None else self.port,
            {**other.checks, **self.checks},
            self.entry_point or other.entry_point,
            (*self.notes, *other.notes),
        )
