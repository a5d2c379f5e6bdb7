"""The cells of the matrix of versions, and which of them is next."""

from __future__ import annotations

import subprocess
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).with_name("cells.toml")
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Cell:
    """One combination of versions, and what is run with it; see cells.toml."""

    name: str
    tests: tuple[str, ...]
    postgresql: int | None = None
    engine: str | None = None
    python: str | None = None

    @property
    def about(self) -> str:
        """What differs from what the tests have otherwise."""
        engine = f"engine of {self.engine}" if self.engine else ""
        postgresql = f"PostgreSQL {self.postgresql}" if self.postgresql else ""
        python = f"Python {self.python}" if self.python else ""
        return ", ".join(word for word in (engine, postgresql, python) if word)


def cells() -> dict[str, Cell]:
    """All of them by name, in the order in which they take turns."""
    listed = tomllib.loads(FILE.read_text())
    return {name: Cell(name, **{**given, "tests": tuple(given["tests"])}) for name, given in listed.items()}


def in_turn(known: dict[str, Cell], commits: int, can_be_had: Callable[[Cell], bool] = lambda _: True) -> Cell:
    """The cell whose turn it is after so many commits: each submission moves on by what it brings.

    One whose parts are not on this machine and in no archive of Debian's is passed over.
    """
    listed = list(known.values())
    turn = commits % len(listed)
    return next(cell for cell in (*listed[turn:], *listed[:turn]) if can_be_had(cell))


def commits() -> int:
    """How many commits lead to what is checked out.

    Raises:
        SystemExit: this is no checkout.
    """
    command = ["git", "rev-list", "--count", "HEAD"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"matrix: {' '.join(command)} says: {done.stderr.strip()}; name a cell instead")
    return int(done.stdout)
