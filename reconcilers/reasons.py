"""Reasons of statuses and faults of tasks, with what they mean and how to mend it; data in ``reasons.toml``."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

ANY = "any"
_LINK = re.compile(r"\[([^]]+)\]\(([^)]*)\)")


@dataclass(frozen=True, slots=True)
class Reason:
    """What stands in the way, in general; ``reasons.toml`` says what each field is.

    Args:
        link: of a chain, which it breaks.
        cause: a sentence, with its full stop.
        mend: what to do, without the last full stop.
        call: name of the call of the HTTP API that does it; empty: none does it alone.
    """

    names: tuple[str, ...]
    link: str
    cause: str
    mend: str
    kinds: tuple[str, ...] = (ANY,)
    goes_on: bool = False
    holds: bool = False
    told_by_tasks: bool = False
    call: str = ""

    @property
    def row(self) -> str:
        """Of the operators' table, in Markdown."""
        names = ", ".join(f"`{name}`" for name in self.names)
        return f"| {names} | {', '.join(self.kinds)} | {self.cause} {self.mend} |"


@dataclass(frozen=True, slots=True)
class Fault:
    """What stops a task."""

    name: str
    link: str
    pattern: str
    cause: str
    mend: str

    @property
    def row(self) -> str:
        """Of the operators' table, in Markdown."""
        return f"| {self.name} | {self.link} | {self.cause} {self.mend} |"


@lru_cache(maxsize=1024)
def reason_of(name: str, kind: str) -> Reason | None:
    """What ``name`` means in a status of ``kind``; None for one that only its kind knows."""
    found = [reason for reason in reasons() if name in reason.names]
    return next((reason for reason in found if kind in reason.kinds), found[0] if found else None)


def fault_of(said: Iterable[str]) -> Fault | None:
    """What stops a task, by the first of ``said`` that tells."""
    return next((fault for text in said for fault in faults() if re.search(fault.pattern, text)), None)


def plain(text: str) -> str:
    """``text`` for whoever reads no page: where a link leads to, in words."""
    return _LINK.sub(lambda found: f"{found[1]} (docs/operations.md)" if found[2].startswith("#") else found[1], text)


@cache
def reasons() -> tuple[Reason, ...]:
    """All, in the order of the operators' table."""
    return tuple(
        Reason(**{**entry, "names": tuple(entry["names"]), "kinds": tuple(entry["kinds"])})
        for entry in _data()["reason"]
    )


@cache
def faults() -> tuple[Fault, ...]:
    """All; the first that fits is meant."""
    return tuple(Fault(**entry) for entry in _data()["fault"])


@cache
def _data() -> dict[str, list[dict[str, Any]]]:
    with Path(__file__).with_suffix(".toml").open("rb") as file:
        return tomllib.load(file)
