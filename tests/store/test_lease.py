"""The lease: one holder, a new epoch with each take-over, the database's clock for all, a stricter one for oneself."""

from __future__ import annotations

import time
from uuid import uuid4

import anyio
import pytest
from anyio.lowlevel import checkpoint

from controller.records import Key
from reconcilers.outcomes import FencedError
from tests.store.conftest import Database
from tests.store.leading import NAME, leader, process, run_out

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_the_first_takes_it_and_the_second_does_not(database: Database) -> None:
    async with process(database) as first, process(database) as second:
        assert await first.lease.acquire()
        assert first.lease.trusted
        assert not await second.lease.acquire()
        assert not second.lease.trusted
        assert first.lease.holder != second.lease.holder


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


async def test_a_take_over_after_it_ran_out_raises_the_epoch(database: Database) -> None:
    async with leader(database) as first, process(database) as second:
        run_out(database)
        assert await second.lease.acquire()
        assert second.lease.epoch == first.lease.epoch + 1


async def test_also_the_same_process_gets_a_new_epoch_after_it_ran_out(database: Database) -> None:
    async with leader(database) as one:
        before = one.lease.epoch
        run_out(database)
        assert await one.lease.acquire()
        assert one.lease.epoch == before + 1


async def test_installations_do_not_share_an_epoch(database: Database) -> None:
    async with leader(database) as blue, process(database) as green:
        green.lease.name = "green"
        assert await green.lease.acquire()
        assert green.lease.epoch != blue.lease.epoch


async def test_renewing_prolongs_it_within_the_same_epoch(database: Database) -> None:
    async with leader(database) as one:
        until = "SELECT expires_at FROM skypanel.lease"
        before, epoch = database.one(until), one.lease.epoch
        assert await one.lease.renew()
        assert database.one(until) > before
        assert one.lease.epoch == epoch


async def test_what_ran_out_cannot_be_renewed(database: Database) -> None:
    async with leader(database) as one:
        run_out(database)
        assert not await one.lease.renew()
        assert not one.lease.trusted


async def test_what_was_taken_over_cannot_be_renewed_or_released(database: Database) -> None:
    async with leader(database) as first, process(database) as second:
        run_out(database)
        assert await second.lease.acquire()
        assert not await first.lease.renew()
        await first.lease.release()
        assert await second.lease.renew(), "the release of the old holder is not the new one's"


async def test_a_release_lets_the_next_begin_at_once(database: Database) -> None:
    async with leader(database) as first, process(database) as second:
        await first.lease.release()
        assert not first.lease.trusted
        assert await second.lease.acquire()
        with pytest.raises(FencedError):
            await first.store.announce(Key("environment", str(uuid4())), None, [])


async def test_the_holder_stops_trusting_itself_before_another_can_begin(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with leader(database) as one:
        now = time.monotonic()
        with monkeypatch.context() as later:
            later.setattr(time, "monotonic", lambda: now + one.lease.seconds - 1)
            still = one.lease.trusted
            later.setattr(time, "monotonic", lambda: now + one.lease.seconds - 0.4)
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
