"""What becomes of a folder of Compose files: ``python -m tests.compose_catalogue FOLDER``.

For a clone of a public catalogue: each file is converted by itself, without variables, and what comes out is read as
``validate`` reads it. A line a file, then the sums; it fails when anything comes out that is not taken.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from controller.actions.compose import convert_files
from specs.compose.convert import Wanted
from specs.loader import SpecFilesError, load


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of one file: how many services are written and things are told; or why nothing is."""

    file: str
    services: int = 0
    notes: int = 0
    refused: str = ""

    def __str__(self) -> str:
        said = self.refused or f"{self.services} written, {self.notes} told"
        return f"{self.file}: {said}"


def outcomes(folder: Path) -> Iterator[Outcome]:
    """Of every YAML file below ``folder``, in the order of their names."""
    for file in sorted([*folder.rglob("*.yaml"), *folder.rglob("*.yml")]):
        name = str(file.relative_to(folder))
        try:
            result = convert_files([str(file)], Wanted("acme"), BytesIO())
        except SpecFilesError as error:
            yield Outcome(name, refused=error.problems[-1].message)
        else:
            load(["-"], stdin=BytesIO(result.text.encode()))
            yield Outcome(name, len(result.written), len(result.notes))


def main(folder: str) -> None:
    """Show them."""
    found = list(outcomes(Path(folder)))
    sys.stdout.writelines(f"{outcome}\n" for outcome in found)
    sums = Counter(outcome.refused or ("with a list" if outcome.notes else "whole") for outcome in found)
    services = sum(outcome.services for outcome in found)
    sys.stdout.write(f"{len(found)} files, {services} services written: {dict(sums.most_common())}\n")


if __name__ == "__main__":
    main(sys.argv[1])
