"""`python -m tests.fuzz`: the same as the test, for long; half with the constraints, half as before there were any.

python -m tests.fuzz --examples 10000
python -m tests.fuzz --examples 2000 --seed 7
"""

from __future__ import annotations

import argparse
import os
import secrets
import sys
import time
import traceback
from collections import Counter
from multiprocessing import get_context
from typing import NamedTuple

from hypothesis import HealthCheck, given, seed, settings

from deploy.postgres import ensure
from tests.fuzz.place import Change, changes, peak_megabytes, place
from tests.store.conftest import PREFIX, Database


class Half(NamedTuple):
    """What one half found; ``failure`` is empty when nothing failed."""

    name: str
    outcomes: Counter[str]
    refused: int
    slowest: float
    megabytes: float
    failure: str


def main() -> int:
    """0 when every example was as declared, or refused as its own fault."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--examples", type=int, default=10_000, help="in all")
    parser.add_argument("--seed", type=int, help="of what is drawn; says which it was, when left out")
    options = parser.parse_args()
    number = secrets.randbelow(2**32) if options.seed is None else options.seed
    began = time.monotonic()
    tasks = [(guarded, options.examples // 2, number) for guarded in (True, False)]
    with get_context("spawn").Pool(len(tasks)) as pool:
        halves = pool.starmap(_half, tasks)
    for half in halves:
        told = ", ".join(f"{count} {outcome}" for outcome, count in half.outcomes.most_common())
        sys.stdout.write(
            f"{half.name}: {told}; {half.refused} values refused by the database; "
            f"slowest {half.slowest:.2f} s, {half.megabytes:.0f} MB more memory\n{half.failure}"
        )
    sys.stdout.write(f"{options.examples} examples in {time.monotonic() - began:.0f} s, seed {number}\n")
    return 1 if any(half.failure for half in halves) else 0


def _half(guarded: bool, examples: int, number: int) -> Half:
    database = Database(ensure("test", durable=False), f"{PREFIX}{os.getpid()}_fuzz")
    database.server.create_database(database.name)
    failure = ""
    try:
        with place(database, guarded=guarded) as here:
            before = peak_megabytes()

            @seed(number)
            @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck), database=None)
            @given(changes(here.found))
            def example(drawn: list[Change]) -> None:
                here.example(drawn)

            try:
                example()
            except BaseException:  # noqa: BLE001 - told, with what led to it
                failure = traceback.format_exc()
            name = "with constraints" if guarded else "older than the constraints"
            grown = peak_megabytes() - before
            return Half(name, here.outcomes, here.refused.total(), here.slowest, grown, failure)
    finally:
        database.close()
        database.server.drop_database(database.name)


if __name__ == "__main__":
    sys.exit(main())
