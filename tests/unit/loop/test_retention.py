"""Pruning: soon after a term begins, in small pieces, each step to its end, and again when the database was away."""

from __future__ import annotations

import anyio
import pytest

from controller.loop import retention
from reconcilers.outcomes import FencedError, TransientError
from tests.unit.loop.parts import Table

pytestmark = pytest.mark.anyio


class Full(Table):
    """So many old rows of each sort; ``errors`` come first."""

    def __init__(self, *errors: Exception, **old: int) -> None:
        super().__init__()
        self.old = old
        self.errors = list(errors)
        self.pieces: list[tuple[str, int, int]] = []
        self.done = anyio.Event()

    async def prune(self, what: str, days: int, most: int) -> int:
        if self.errors:
            raise self.errors.pop(0)
        gone = min(self.old.get(what, 0), most)
        self.old[what] = self.old.get(what, 0) - gone
        self.pieces.append((what, days, gone))
        if what == retention.STEPS[-1]:
            self.done.set()
        return gone


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "FIRST_SECONDS", 0.001)
    monkeypatch.setattr(retention, "SECONDS", 0.001)
    monkeypatch.setattr(retention, "PIECE", 10)
    monkeypatch.setattr(retention, "PIECE_SECONDS", 0.0)


async def until_done(table: Full) -> None:
    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(retention.keep_small, table, 90, 400)
            await table.done.wait()
            tasks.cancel_scope.cancel()


async def test_what_is_old_goes_in_small_pieces_and_events_by_their_own_age() -> None:
    table = Full(events=25, statuses=10)
    await until_done(table)
    assert [(days, gone) for what, days, gone in table.pieces if what == "events"] == [(30, 10), (30, 10), (30, 5)]
    assert [(days, gone) for what, days, gone in table.pieces if what == "statuses"] == [(90, 10), (90, 0)]
    assert [days for what, days, _ in table.pieces if what == "audit"] == [400]
    assert {what for what, _, _ in table.pieces} == set(retention.STEPS)


async def test_a_database_that_was_away_is_asked_again() -> None:
    table = Full(TransientError("DatabaseUnavailable", "no answer"), events=1)
    await until_done(table)
    assert table.old["events"] == 0


async def test_who_does_not_lead_any_more_stops() -> None:
    with anyio.fail_after(10):
        await retention.keep_small(Full(FencedError()), 90, 400)
