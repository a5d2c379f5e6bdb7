"""Whatever SQL lets the panel write: it is as declared, or refused as that row's fault, and the neighbour goes on."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings

from tests.fuzz.harness import changes, columns, peak_megabytes, place
from tests.fuzz.values import KNOWN_TYPES
from tests.store.conftest import Database, database, server

__all__ = ["database", "server"]
EXAMPLES = 50
"""Of each sort; `make fuzz` has more."""
MEGABYTES = 300.0


@pytest.mark.timeout(300)
@pytest.mark.parametrize("guarded", [True, False], ids=["with constraints", "older than the constraints"])
def test_any_row_is_as_declared_or_refused_and_the_neighbour_goes_on(database: Database, guarded: bool) -> None:
    with place(database, guarded=guarded) as here:
        before = peak_megabytes()

        @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None)
        @given(changes(here.found))
        def example(drawn: list) -> None:  # type: ignore[type-arg]
            here.example(drawn)

        example()
        assert peak_megabytes() - before < MEGABYTES
        assert here.outcomes["as declared"] > EXAMPLES / 4
        assert guarded or here.outcomes["InvalidSpec"] > 0  # the constraints say what the reader says


def test_every_type_that_the_panel_may_write_has_values(database: Database) -> None:
    found = columns(database)
    assert len(found) > 100
    assert {column.type for column in found} <= KNOWN_TYPES
