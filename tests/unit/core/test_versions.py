"""The matrix of versions: every cell has its turn and a row in docs/versions.md, and what a cell runs is there."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from controller.swarm.usable import MINIMUM_API
from deploy.engine.daemon import PACKAGES
from deploy.postgres.binaries import OLDEST_MAJOR
from tests.matrix import record
from tests.matrix.cells import ROOT, cells, in_turn
from tests.matrix.postgresql import VERSIONS
from tests.matrix.record import Tried, rows

PAGE = (ROOT / "docs/versions.md").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_each_cell_has_its_turn_before_one_has_a_second() -> None:
    known = cells()
    assert [in_turn(known, 100 + n).name for n in range(len(known))] != sorted(known)
    assert {in_turn(known, 100 + n).name for n in range(len(known))} == known.keys()


def test_a_cell_that_cannot_be_had_here_leaves_its_turn_to_the_next() -> None:
    known = cells()
    first, second, *_ = known
    assert in_turn(known, 0, lambda cell: cell.name != first).name == second
    last = list(known)[-1]
    assert in_turn(known, len(known) - 1, lambda cell: cell.name != last).name == first


def test_every_version_that_is_accepted_and_can_be_had_is_in_a_cell() -> None:
    known = cells().values()
    assert {cell.postgresql for cell in known} >= set(VERSIONS) - {15} >= set(range(OLDEST_MAJOR + 2, max(VERSIONS)))
    assert {cell.engine for cell in known} - {None} <= PACKAGES.keys()
    said = {word.rpartition(" :: ")[2] for word in PROJECT["classifiers"] if "Python :: 3." in word}
    assert {cell.python for cell in known} - {None} | {"3.11"} == said


def test_what_a_cell_runs_is_there() -> None:
    for cell in cells().values():
        paths = [word.partition("=")[2] or word for word in cell.tests if "tests/" in word]
        assert [path for path in paths if not (ROOT / path.partition("::")[0]).exists()] == [], cell.name
        for deselected in (word for word in cell.tests if word.startswith("--deselect=")):
            file, _, name = deselected.partition("=")[2].partition("::")
            assert f"def {name}(" in (ROOT / file).read_text(encoding="utf-8")


def test_the_page_says_of_every_cell_when_it_was_tried() -> None:
    assert rows(PAGE).keys() <= cells().keys()
    assert f"API {'.'.join(map(str, MINIMUM_API))}" in PAGE
    assert f"| PostgreSQL | {OLDEST_MAJOR} and newer |" in PAGE


def test_a_row_takes_the_place_of_that_cells_row_of_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "versions.md"
    page.write_text(f"before\n{record.BEGIN}{record.HEAD}| gone | x |\n{record.END}after\n")
    monkeypatch.setattr(record, "PAGE", page)
    for passed in (7, 1200):
        record.write(Tried("newest", "28.5.2", "18.4", "3.14.8", passed, "2026-11-26", "abc1234"))
    row = "| newest | 28.5.2 | 18.4 | 3.14.8 | 1,200 | 2026-11-26 | abc1234 |\n"
    assert page.read_text() == f"before\n{record.BEGIN}{record.HEAD}{row}{record.END}after\n"
