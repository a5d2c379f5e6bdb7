"""Rows that a kind writes in a table of its own: the same again does no harm, and only who leads writes."""

from __future__ import annotations

import contextlib
from typing import Any

import anyio
import psycopg
import pytest

from controller.postgres.database import Database as Connections
from reconcilers.outcomes import FencedError, TransientError
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


async def test_of_rows_that_are_written_at_once_one_that_is_refused_fails_alone(runs: Database) -> None:
    runs.execute("ALTER TABLE public.paas_things ADD CHECK (number < 40)")
    failed: list[int] = []

    async def write(store: Any, number: int) -> None:
        try:
            await store.write_row("paas_things", {"place": "east", "number": number}, {"said": {"n": number}})
        except psycopg.errors.CheckViolation:
            failed.append(number)

    async with leader(runs) as one, anyio.create_task_group() as tasks:
        for number in range(1, 41):
            tasks.start_soon(write, one.store, number)
    assert failed == [40]
    assert runs.execute("SELECT number, said -> 'n' FROM paas_things ORDER BY number") == [(n, n) for n in range(1, 40)]


async def test_a_row_that_somebody_holds_keeps_no_other_one_waiting(runs: Database) -> None:
    wrote: list[int] = []
    runs.execute("INSERT INTO paas_things (place, number) VALUES ('east', 3)")

    async def write(store: Any, number: int) -> None:
        with contextlib.suppress(TransientError):
            await store.write_row("paas_things", {"place": "east", "number": number}, {"said": {"n": number}})
            wrote.append(number)

    with runs.connect("skypanel_owner") as panel, panel.transaction():
        panel.execute("SELECT FROM paas_things WHERE number = 3 FOR UPDATE")
        async with leader(runs) as one, anyio.create_task_group() as tasks:
            for number in range(8):
                tasks.start_soon(write, one.store, number)
    assert sorted(wrote) == [0, 1, 2, 4, 5, 6, 7]


async def test_rows_that_are_written_at_once_share_their_statements(
    runs: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    fetch = Connections.fetch

    async def counted(self: Connections, query: Any, *args: Any, **kwargs: Any) -> Any:
        asked.append(query)
        return await fetch(self, query, *args, **kwargs)

    async with leader(runs) as one:
        monkeypatch.setattr(Connections, "fetch", counted)
        async with anyio.create_task_group() as tasks:
            for number in range(40):
                tasks.start_soon(one.store.write_row, "paas_things", {"place": "east", "number": number}, {})
    assert len(asked) <= 2 + 1  # the first by itself, all others, and perhaps the lease
    assert runs.execute("SELECT count(*) FROM paas_things") == [(40,)]


async def test_who_does_not_lead_any_more_writes_no_row(runs: Database) -> None:
    async with leader(runs) as one:
        run_out(runs)
        with pytest.raises(FencedError):
            await one.store.write_row("paas_things", {"place": "east", "number": 1}, {})
    assert runs.execute("SELECT * FROM paas_things") == []
