"""One finding of ``doctor``: how it is, and how to mend it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Check:
    """One line.

    Args:
        name: what was looked at.
        level: ``fail``: it cannot work, or is not safe; ``warn``: it works, but should be mended.
        message: how it is.
        mend: what to do; empty when it is well.
    """

    name: str
    level: Level
    message: str
    mend: str = ""


def ok(name: str, message: str) -> Check:
    """It is well."""
    return Check(name, "ok", message)


def warn(name: str, message: str, mend: str) -> Check:
    """It works, but should be mended."""
    return Check(name, "warn", message, mend)


def fail(name: str, message: str, mend: str) -> Check:
    """It cannot work, or is not safe."""
    return Check(name, "fail", message, mend)
