"""One half of a long run, in a process of its own."""

from __future__ import annotations

import os
import traceback
from collections import Counter
from typing import NamedTuple

from hypothesis import HealthCheck, given, seed, settings

from deploy.postgres import ensure
from tests.fuzz.harness import Change, changes, peak_megabytes, place
from tests.store.conftest import PREFIX, Database

SERVER = "fuzz"
"""A PostgreSQL of its own: that of the tests ends with the last of their runs."""


class Half(NamedTuple):
    """What one half found; ``failure`` is empty when nothing failed."""

    name: str
    outcomes: Counter[str]
    refused: int
    slowest: float
    megabytes: float
    failure: str


def half(guarded: bool, examples: int, number: int) -> Half:
    """Draw ``examples``; with the constraints, or as rows may have been before."""
    database = Database(ensure(SERVER, durable=False), f"{PREFIX}{os.getpid()}_fuzz")
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
