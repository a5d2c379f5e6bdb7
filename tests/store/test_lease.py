"""The lease where many ask at once and clocks differ; its rules are in ``tests/conformance``."""

from __future__ import annotations

import time
from contextlib import AsyncExitStack

import anyio
import pytest
from anyio.lowlevel import checkpoint

from controller.kit import clock
from controller.store.lease import Lease
from reconcilers.outcomes import FencedError
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
    assert len(won) == 1


async def test_many_that_start_on_an_empty_database_have_one_winner_and_no_error(database: Database) -> None:
    async with AsyncExitStack() as stack:
        standing = [await stack.enter_async_context(process(database)) for _ in range(4)]
        for _ in range(20):
            database.execute("DELETE FROM skypanel.lease")
            won: list[bool] = []

            async def ask(lease: Lease, won: list[bool] = won) -> None:
                won.append(await lease.acquire())

            async with anyio.create_task_group() as tasks:
                for one in standing:
                    tasks.start_soon(ask, one.lease)
            assert won.count(True) == 1


async def test_an_epoch_is_never_given_out_twice_by_a_server_that_has_lost_the_last_terms(database: Database) -> None:
    """As after a fail-over to a replica that was behind."""
    async with process(database) as first, process(database) as second:
        seen = list[int]()
        for one in (first, second, first, second, first):
            run_out(database)
            assert await one.lease.acquire()
            seen.append(one.lease.epoch)
            database.execute("DELETE FROM skypanel.lease")
            while database.one("SELECT extract(epoch FROM clock_timestamp()) * 1000000") <= seen[-1]:
                pass  # a clock that is set back by less than a fail-over takes
    assert seen == sorted(set(seen))
    assert abs(seen[0] / 1_000_000 - time.time()) < 60


async def test_a_process_that_was_paused_asks_the_database_before_it_writes(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its monotonic clock stood still, as that of a virtual machine does which is paused from outside."""
    async with leader(database) as one, process(database) as other:
        now = clock.monotonic()
        monkeypatch.setattr(clock, "monotonic", lambda: now)
        await one.store.affirm()
        run_out(database)
        assert await other.lease.acquire()
        await one.store.affirm()  # nothing tells it
        wall = clock.wall()
        monkeypatch.setattr(clock, "wall", lambda: wall + 60)
        assert one.store.leads, "by its own clock"
        with pytest.raises(FencedError):
            await one.store.affirm()


async def test_a_lease_that_was_proven_a_while_ago_is_proven_again(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = clock.monotonic()
    async with leader(database) as one:
        run_out(database)
        assert one.store.leads
        monkeypatch.setattr(clock, "monotonic", lambda: now + 2)
        assert one.store.leads, "by its own clock"
        with pytest.raises(FencedError):
            await one.store.affirm()


def test_the_clock_of_trust_goes_on_while_the_machine_is_suspended() -> None:
    assert abs(clock.monotonic() - time.clock_gettime(time.CLOCK_BOOTTIME)) < 1


async def test_installations_do_not_share_an_epoch(database: Database) -> None:
    async with leader(database) as blue, process(database) as green:
        green.lease.name = "green"
        assert await green.lease.acquire()
        assert green.lease.epoch != blue.lease.epoch


async def test_the_holder_stops_trusting_itself_before_another_can_begin(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with leader(database) as one:
        now = clock.monotonic()
        with monkeypatch.context() as later:
            later.setattr(clock, "monotonic", lambda: now + 0.9 * one.lease.seconds - 1)
            still = one.lease.trusted
            later.setattr(clock, "monotonic", lambda: now + 0.9 * one.lease.seconds - 0.4)
            no_more = one.lease.trusted
        assert (still, no_more) == (True, False)
        left = database.one("SELECT extract(epoch FROM expires_at - clock_timestamp()) FROM skypanel.lease")
        assert left > 1, "by the database's clock it still is the holder"


async def test_whoever_leads_knows_the_database_s_clock_whatever_his_own_says(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock, "wall", lambda: 1.0)
    async with leader(database) as one:
        for ask in (one.lease.renew, one.lease.renew):
            before = database.one("SELECT extract(epoch FROM clock_timestamp())::float")
            least, most = one.store.database_time
            after = database.one("SELECT extract(epoch FROM clock_timestamp())::float")
            assert least <= after
            assert most >= before
            assert await ask()


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
