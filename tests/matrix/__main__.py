"""`python -m tests.matrix`: the tests on other versions of engine, PostgreSQL and Python.

    python -m tests.matrix --list           the cells, and whose turn it is
    python -m tests.matrix --turn           the one whose turn it is
    python -m tests.matrix NAME...          these; without a name all
    python -m tests.matrix --record ...     and write what passed into docs/versions.md

The exit code is 0 when all are good. Labs and servers have a folder of their own, so another run is not disturbed.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree as ET

from deploy.engine.daemon import DEFAULT_SUITE, binaries
from deploy.postgres.binaries import find_bindir
from tests.matrix import postgresql, python, record
from tests.matrix.cells import ROOT, Cell, cells, commits, in_turn

LAB = "/var/lib/skypanel-matrix"


@dataclass(frozen=True, slots=True)
class Parts:
    """Where the parts of a cell are."""

    python: Path
    postgresql: Path
    suite: str

    @classmethod
    def of(cls, cell: Cell) -> Parts:
        """Fetch what is not here yet."""
        return cls(
            python.environment(cell.python) if cell.python else Path(sys.executable),
            postgresql.programs(cell.postgresql) if cell.postgresql else find_bindir(),
            cell.engine or DEFAULT_SUITE,
        )

    def environment(self) -> dict[str, str]:
        """The variables that the tests are run with."""
        own = {"SKYPANEL_LAB": LAB, "SKYPANEL_TEST_SUITE": self.suite, "PGBIN": str(self.postgresql)}
        return {**os.environ, **own, "PYTHONPATH": str(ROOT)}

    def versions(self) -> dict[str, str]:
        """As the programs say them."""
        dockerd = binaries(self.suite) / "usr/sbin/dockerd"
        commands = {
            "engine": [str(dockerd if dockerd.exists() else dockerd.parents[1] / "bin/dockerd"), "--version"],
            "postgresql": [str(self.postgresql / "postgres"), "--version"],
            "python": [str(self.python), "--version"],
        }
        answers = {name: subprocess.check_output(command, text=True) for name, command in commands.items()}
        return {name: next(w for w in text.split() if w[0].isdigit()).split("+")[0] for name, text in answers.items()}


def run(cell: Cell, *, keep_record: bool) -> bool:
    """Whether all tests of the cell passed."""
    parts = Parts.of(cell)
    versions = parts.versions()
    about = ", ".join(f"{name} {version}" for name, version in versions.items())
    print(f"\n=== {cell.name}: {about}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [str(parts.python), "-m", "pytest", "-q", f"--junitxml={report}", *cell.tests]
        good = subprocess.run(command, cwd=ROOT, env=parts.environment(), check=False).returncode == 0
        if good and keep_record:
            suite = next(ET.parse(report).iter("testsuite"))
            passed = int(suite.get("tests", 0)) - int(suite.get("skipped", 0))
            today = f"{datetime.now(UTC):%Y-%m-%d}"
            record.write(record.Tried(cell.name, **versions, passed=passed, on=today, commit=_commit()))
    return good


def _commit() -> str:
    command = ["git", "rev-parse", "--short", "HEAD"]
    return subprocess.check_output(command, cwd=ROOT, text=True).strip()


def _can_be_had(cell: Cell) -> bool:
    return cell.python is None or python.can_be_had(cell.python)


def main() -> int:
    """0 when all that was run is good."""
    known = cells()
    parser = argparse.ArgumentParser(prog="python -m tests.matrix", description="The tests on other versions.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(known)}")
    parser.add_argument("--list", action="store_true", help="list the cells, and whose turn it is")
    parser.add_argument("--turn", action="store_true", help="run the one whose turn it is")
    parser.add_argument("--record", action="store_true", help="write what passed into docs/versions.md")
    options = parser.parse_args()
    if unknown := sorted(set(options.names) - known.keys()):
        parser.error(f"no cell is called {', '.join(unknown)} (known: {', '.join(known)})")
    chosen = (
        [in_turn(known, commits(), _can_be_had)] if options.turn else [known[name] for name in options.names or known]
    )
    if options.list:
        turn = in_turn(known, commits(), _can_be_had).name
        for cell in known.values():
            print(f"{'*' if cell.name == turn else ' '} {cell.name:<14} {cell.about}")
        return 0
    failed = [cell.name for cell in chosen if not run(cell, keep_record=options.record)]
    if failed:
        print(f"\nfailed: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
