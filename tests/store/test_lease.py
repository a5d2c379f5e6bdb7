"""The lease where many ask at once and clocks differ; its rules are in ``tests/conformance``."""

from __future__ import annotations

import time

import anyio
import pytest
from anyio.lowlevel import checkpoint

from tests.store.conftest import Database
from tests.store.leading import NAME, leader, process, run_out

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_many_that_ask_at_once_have_one_winner(database: Database) -> None:
    won = []

    async def ask() -> None:
        async with process(database) as one:
            if await one.lease.acquire():
                won.append(one.lease.epoch)

    async with anyio.create_task_group() as tasks:
        for _ in range(8):
            tasks.start_soon(ask)
    assert won == [1]


async def test_installations_do_not_share_an_epoch(database: Database) -> None:
    async with leader(database) as blue, process(database) as green:
        green.lease.name = "green"
        assert await green.lease.acquire()
        assert green.lease.epoch != blue.lease.epoch


async def test_the_holder_stops_trusting_itself_before_another_can_begin(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with leader(database) as one:
        now = time.monotonic()
        with monkeypatch.context() as later:
            later.setattr(time, "monotonic", lambda: now + 0.9 * one.lease.seconds - 1)
            still = one.lease.trusted
            later.setattr(time, "monotonic", lambda: now + 0.9 * one.lease.seconds - 0.4)
            no_more = one.lease.trusted
        assert (still, no_more) == (True, False)
        left = database.one("SELECT extract(epoch FROM expires_at - clock_timestamp()) FROM skypanel.lease")
        assert left > 1, "by the database's clock it still is the holder"


async def test_renewals_do_not_wait_for_a_fenced_write_and_a_take_over_does(database: Database) -> None:
    async with leader(database) as first, process(database) as second:
        with database.connect() as writer:
            writer.execute("BEGIN")
            writer.execute("SELECT 1 FROM skypanel.lease WHERE name = %s FOR KEY SHARE", [NAME])
            with anyio.fail_after(5):
                assert await first.lease.renew()
                run_out(database)
            taken = []

            async def take_over() -> None:
                taken.append(await second.lease.acquire())

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(take_over)
                with anyio.fail_after(5):
                    while not waits_for_a_lock(database):
                        await checkpoint()
                assert taken == []
                writer.execute("COMMIT")
        assert taken == [True]


def waits_for_a_lock(database: Database) -> bool:
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    return bool(database.one(waiting, role="postgres"))
