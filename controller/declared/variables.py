"""Config vars as people may see them; nothing of one has its value."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Variable:
    """One that is set.

    Args:
        owner: number of what it is set for, among those that were asked for.
        effective: whether no later one sets it, too.
        source: path of the source that declares it; None: none does.
    """

    owner: int
    name: str
    version: int
    as_file: bool
    changed_at: datetime
    effective: bool = True
    source: str | None = None
