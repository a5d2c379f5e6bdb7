"""Rows that a kind writes in a table of its own: the same again does no harm, and only who leads writes."""

from __future__ import annotations

import pytest

from reconcilers.outcomes import FencedError
from tests.store.conftest import Database
from tests.store.leading import leader, run_out

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def runs(database: Database) -> Database:
    database.execute(
        "CREATE TABLE public.paas_things"
        " (place text, number int, said jsonb, at timestamptz, PRIMARY KEY (place, number))"
    )
    database.execute("GRANT SELECT, INSERT, UPDATE ON public.paas_things TO skypanel_controller")
    return database


async def test_a_row_is_inserted_changed_and_left_as_it_is(runs: Database) -> None:
    async with leader(runs) as one:
        where = {"place": "east", "number": 1}
        for said in ({"words": ["a"]}, {"words": ["b"]}, {"words": ["b"]}):
            await one.store.write_row("paas_things", where, {"said": said, "at": "2026-01-01T00:00:00Z"})
        await one.store.write_row("paas_things", {"place": "east", "number": 2}, {})
        await one.store.write_row("paas_things", where, {})
    found = runs.execute("SELECT number, said, at IS NULL FROM paas_things ORDER BY number")
    assert found == [(1, {"words": ["b"]}, False), (2, None, True)]


async def test_who_does_not_lead_any_more_writes_no_row(runs: Database) -> None:
    async with leader(runs) as one:
        run_out(runs)
        with pytest.raises(FencedError):
            await one.store.write_row("paas_things", {"place": "east", "number": 1}, {})
    assert runs.execute("SELECT * FROM paas_things") == []
