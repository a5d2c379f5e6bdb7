"""What was tried when, as the table in docs/versions.md."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tests.matrix.cells import ROOT, cells

PAGE = ROOT / "docs/versions.md"
BEGIN, END = "<!-- tried: written by `make matrix` -->\n", "<!-- end of tried -->\n"
HEAD = "| Cell | Engine | PostgreSQL | Python | Tests passed | On | At commit |\n|---|---|---|---|---|---|---|\n"


@dataclass(frozen=True, slots=True)
class Tried:
    """One row of the table: the versions as the parts themselves say them."""

    cell: str
    engine: str
    postgresql: str
    python: str
    passed: int
    on: str
    commit: str

    def row(self) -> str:
        """As it stands in the table."""
        words = (self.cell, self.engine, self.postgresql, self.python, f"{self.passed:,}", self.on, self.commit)
        return f"| {' | '.join(words)} |\n"


def rows(page: str) -> dict[str, str]:
    """The rows that stand in the page, by the name of their cell."""
    table = page.partition(BEGIN)[2].partition(END)[0].removeprefix(HEAD)
    return {match[1]: f"{match[0]}\n" for match in re.finditer(r"^\| ([^ |]+) \|.*$", table, re.MULTILINE)}


def write(tried: Tried) -> None:
    """Put a row into the page, in the place of that cell's row of before; rows of cells that are no more go."""
    page = PAGE.read_text()
    present = rows(page) | {tried.cell: tried.row()}
    table = "".join(present[name] for name in cells() if name in present)
    before, after = page.partition(BEGIN)[0], page.partition(END)[2]
    PAGE.write_text(f"{before}{BEGIN}{HEAD}{table}{END}{after}")
