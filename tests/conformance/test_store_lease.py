"""The lease: one holder, a new epoch with each take-over, and no write by anybody else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from uuid import UUID

import anyio
import pytest

from controller.loop.ports import Store
from controller.records import EventRecord, Intent, InventoryUpdate, Key, Loss, Report
from reconcilers.conditions import Status, ready
from reconcilers.outcomes import FencedError
from tests.conformance.store_world import StoreWorld

pytestmark = pytest.mark.anyio

ME, OTHER = (Key("environment", str(UUID(int=(1 << 100) + number))) for number in (1, 2))
ORGANIZATION = str(UUID(int=(1 << 100) + 9))
WEB = "acme-shop-production-web"
SHORT_SECONDS = 1.0
LOST = Loss("deleted", 1, 0, 0)


async def test_the_first_takes_it_and_the_second_does_not(store_world: StoreWorld) -> None:
    async with store_world.process() as first, store_world.process() as second:
        assert await first.lease.acquire()
        assert (first.lease.trusted, first.store.leads) == (True, True)
        assert not await second.lease.acquire()
        assert (second.lease.trusted, second.store.leads) == (False, False)
        assert first.lease.holder != second.lease.holder
        holder, epoch, left = store_world.tables.lease()
        assert (holder, epoch) == (first.lease.holder, first.lease.epoch)
        assert 20 < left <= first.lease.seconds


async def test_who_holds_it_cannot_take_it_once_more(store_world: StoreWorld) -> None:
    async with store_world.leader() as one:
        epoch = one.lease.epoch
        assert not await one.lease.acquire()
        assert store_world.tables.lease()[:2] == (one.lease.holder, epoch)


async def test_every_take_over_raises_the_epoch_also_by_the_same_process(store_world: StoreWorld) -> None:
    async with store_world.leader() as first, store_world.process() as second:
        epochs = [first.lease.epoch]
        for taker in (second, first, first, second):
            store_world.tables.run_out()
            assert await taker.lease.acquire()
            epochs.append(taker.lease.epoch)
    assert epochs == sorted(set(epochs))


async def test_a_lease_runs_out_by_itself_and_its_holder_knows_before(store_world: StoreWorld) -> None:
    async with store_world.process(SHORT_SECONDS) as first, store_world.process() as second:
        assert await first.lease.acquire()
        await anyio.sleep(SHORT_SECONDS)
        assert not first.store.leads, "it stops before another can begin"
        assert await second.lease.acquire()
        assert not await first.lease.renew()
        assert second.lease.epoch > first.lease.epoch


async def test_renewing_prolongs_it_within_the_same_epoch_also_while_a_write_is_open(store_world: StoreWorld) -> None:
    async with store_world.process(20.0) as one:
        assert await one.lease.acquire()
        one.lease.seconds = 60.0
        _, epoch, before = store_world.tables.lease()
        with store_world.tables.open_write(), anyio.fail_after(5):
            assert await one.lease.renew()
        assert store_world.tables.lease()[1] == one.lease.epoch == epoch
        assert store_world.tables.lease()[2] > before


async def test_what_ran_out_cannot_be_renewed(store_world: StoreWorld) -> None:
    async with store_world.leader() as one:
        store_world.tables.run_out()
        assert not await one.lease.renew()
        assert not one.lease.trusted


async def test_what_was_taken_over_cannot_be_renewed_or_released(store_world: StoreWorld) -> None:
    async with store_world.leader() as first, store_world.process() as second:
        store_world.tables.run_out()
        assert await second.lease.acquire()
        assert not await first.lease.renew()
        await first.lease.release()
        assert await second.lease.renew(), "the release of the old holder is not the new one's"


async def test_a_release_lets_the_next_begin_at_once(store_world: StoreWorld) -> None:
    async with store_world.leader() as first, store_world.process() as second:
        await second.lease.release()
        assert not await second.lease.acquire(), "it was not the second's to release"
        await first.lease.release()
        assert not first.lease.trusted
        assert await second.lease.acquire()
        with pytest.raises(FencedError):
            await first.store.announce(ME, None, [])


# -- only the leader writes ------------------------------------------------------------------------------------------


def report(
    *statuses: Status, events: tuple[EventRecord, ...] = (), learned: tuple[InventoryUpdate, ...] = ()
) -> Report:
    return Report(ME, ORGANIZATION, list(statuses), list(events), list(learned))


def status(generation: int = 1) -> Status:
    return Status(*ME, ORGANIZATION, generation, ready("Deployed", "1 task runs"), {})


CREATED = EventRecord("Normal", "Created", "made")

WRITES: dict[str, Callable[[Store], Awaitable[object]]] = {
    "announce": lambda store: store.announce(ME, ORGANIZATION, [Intent("service", "new", "applying")]),
    "announce nothing": lambda store: store.announce(ME, ORGANIZATION, []),
    "announce a removal": lambda store: store.announce(ME, ORGANIZATION, [Intent("service", WEB, "deleting")]),
    "report a status": lambda store: store.report(report(status(7))),
    "report the same status": lambda store: store.report(report(status())),
    "report an event": lambda store: store.report(report(events=(EventRecord("Warning", "Failed", "x"),))),
    "report an event again": lambda store: store.report(report(events=(CREATED,))),
    "report what was learned": lambda store: store.report(
        report(learned=(InventoryUpdate("service", WEB, spec_hash="h"),))
    ),
    "report what is gone": lambda store: store.report(report(learned=(InventoryUpdate("service", WEB, gone=True),))),
    "allocate a new subnet": lambda store: store.allocate_subnet(ME.id, "10.64.0.0/12", 24, [], 0),
    "allocate its own": lambda store: store.allocate_subnet(ORGANIZATION, "10.64.0.0/12", 24, [], 0),
    "allocate another": lambda store: store.allocate_subnet(ORGANIZATION, "10.64.0.0/12", 24, ["10.64.0.0/24"], 0),
    "adopt a subnet": lambda store: store.adopt_subnet(ORGANIZATION, "10.64.9.0/24", None),
    "release a subnet": lambda store: store.release_subnet(ORGANIZATION),
    "trip the fuse": lambda store: store.record_losses({ME: LOST}, tripped=True, live=1),
    "clear the fuse": lambda store: store.record_losses({}, tripped=False, live=1),
}


@pytest.mark.parametrize("how", ["ran out", "was taken over", "was taken over and back", "was never held"])
async def test_a_process_that_does_not_lead_writes_nothing(store_world: StoreWorld, how: str) -> None:
    async with store_world.leader() as first, store_world.process() as second:
        await first.store.report(
            report(status(), events=(CREATED,), learned=(InventoryUpdate("service", WEB, engine_id="e"),))
        )
        await first.store.allocate_subnet(ORGANIZATION, "10.64.0.0/12", 24, [], 0)
        await first.store.record_losses({OTHER: LOST}, tripped=True, live=1)
        before = store_world.tables.written()
        loser = second if how == "was never held" else first
        if how != "was never held":
            store_world.tables.run_out()
        if how.startswith("was taken over"):
            assert await second.lease.acquire()
        if how.endswith("and back"):  # a holder with an older epoch is not the holder
            stale = first.lease.epoch
            store_world.tables.run_out()
            assert await first.lease.acquire()
            first.lease.epoch = stale
        for name, write in WRITES.items():
            with pytest.raises(FencedError):
                await write(loser.store)
            assert store_world.tables.written() == before, name


@pytest.mark.parametrize("write", WRITES)
async def test_the_leader_may_write(store_world: StoreWorld, write: str) -> None:
    async with store_world.leader() as one:
        await WRITES[write](one.store)


async def test_a_report_of_nothing_asks_nobody(store_world: StoreWorld) -> None:
    async with store_world.process() as one:
        await one.store.report(report())
