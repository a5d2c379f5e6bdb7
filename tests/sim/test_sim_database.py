"""What the simulated database has beside the real one: links, hooks, older looks and a history."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar
from uuid import UUID

import pytest

from controller.records import EventRecord, Holdings, Intent, InventoryUpdate, Key, Report
from reconcilers.conditions import Status, ready
from reconcilers.outcomes import FencedError
from tests.sim.database.database import SimDatabase
from tests.sim.database.lease import SimLease
from tests.sim.database.link import Link, direct
from tests.sim.database.rows import EventWritten, Logged
from tests.sim.database.store import SimStore

pytestmark = pytest.mark.anyio

R = TypeVar("R")
HOME, WEB = Key("organization", str(UUID(int=1))), Key("environment", str(UUID(int=2)))


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def process(database: SimDatabase, holder: str = "a", link: Link = direct) -> tuple[SimLease, SimStore]:
    lease = SimLease(database, "blue", 10.0, holder=holder, link=link)
    return lease, SimStore(database, lease, link=link)


def deployed(generation: int = 1) -> Report:
    return Report(WEB, HOME.id, [Status(*WEB, HOME.id, generation, ready("Deployed", "runs"), {"image": "web:1"})])


async def test_a_write_in_flight_carries_the_epoch_of_its_sending() -> None:
    """Lost and won again while it was under way: it is not the new term's write."""
    database = SimDatabase()

    async def slow(operation: str, keys: tuple[Key, ...], effect: Callable[[], R], /) -> R:
        if operation == "announce":
            database.run_out("blue")
            assert await lease.acquire()
        return effect()

    lease, store = process(database, link=slow)
    assert await lease.acquire()
    with pytest.raises(FencedError):
        await store.announce(WEB, HOME.id, [Intent("service", "web", "applying")])
    assert database.inventory == {}
    refused = database.history.writes[-1]
    assert (refused.operation, refused.epoch, refused.accepted, lease.epoch) == ("announce", 1, False, 2)


async def test_a_report_in_flight_is_what_it_was_when_it_was_sent() -> None:
    database = SimDatabase()
    report = deployed()
    report.events.append(EventRecord("Normal", "Created", "made"))
    good = {"Name": "web"}
    report.inventory.append(InventoryUpdate("service", "web", last_good=good))

    async def slow(operation: str, keys: tuple[Key, ...], effect: Callable[[], R], /) -> R:
        if operation == "report":
            good["Name"] = "spoiled"
            report.statuses[0].details["image"] = "spoiled"
            report.events.clear()
        return effect()

    lease, store = process(database, link=slow)
    assert await lease.acquire()
    await store.report(report)
    loaded = await store.load(WEB)
    assert loaded.inventory[0].last_good == {"Name": "web"}
    assert loaded.status is not None
    assert loaded.status["details"] == {"image": "web:1"}
    assert [event.message for event in database.events.values()] == ["made"]


async def test_a_renewal_whose_answer_is_lost_prolongs_the_lease_but_not_the_trust() -> None:
    database = SimDatabase()

    async def lossy(operation: str, keys: tuple[Key, ...], effect: Callable[[], R], /) -> R:
        done = effect()
        if operation == "lease_renew":
            raise TimeoutError
        return done

    lease, _ = process(database, link=lossy)
    assert await lease.acquire()
    trusted_until, before = lease._trusted_until, database.leases["blue"].expires_at
    with pytest.raises(TimeoutError):
        await lease.renew()
    assert database.leases["blue"].expires_at > before
    assert lease._trusted_until == trusted_until


async def test_a_link_sees_every_call_with_the_objects_it_is_about() -> None:
    database = SimDatabase()
    calls: list[tuple[str, tuple[Key, ...]]] = []

    async def watched(operation: str, keys: tuple[Key, ...], effect: Callable[[], R], /) -> R:
        calls.append((operation, keys))
        return effect()

    lease, store = process(database, link=watched)
    await lease.acquire()
    await store.consume()
    await store.load(WEB)
    await store.report(deployed())
    await store.assess_losses(Holdings({WEB: 1, HOME: 1}))
    assert calls == [
        ("lease_acquire", ()),
        ("consume", ()),
        ("load", (WEB,)),
        ("report", (WEB,)),
        ("assess_losses", ()),
    ]


def test_a_late_change_has_the_number_of_its_writing() -> None:
    database = SimDatabase()
    late = database.transaction()
    late.put(HOME, HOME.id, {})
    database.put(WEB, HOME.id, {})
    assert database.change_log == {2: Logged(WEB, HOME.id)}
    late.commit()
    assert database.change_log == {1: Logged(HOME, HOME.id), 2: Logged(WEB, HOME.id)}


def test_two_open_transactions_on_one_row_are_an_error_of_the_scenario() -> None:
    database = SimDatabase()
    late = database.transaction()
    late.put(WEB, HOME.id, {})
    with pytest.raises(RuntimeError, match="PostgreSQL would wait"):
        database.put(WEB, HOME.id, {"a": 1})
    late.rollback()
    database.put(WEB, HOME.id, {"a": 1})
    assert database.objects[WEB].generation == 1


def test_what_was_never_put_cannot_be_deleted() -> None:
    with pytest.raises(KeyError, match="no row environment/"):
        SimDatabase().mark_deleted(WEB)


def test_a_hook_decides_what_becomes_of_each_notification() -> None:
    database = SimDatabase()
    heard: list[str] = []
    kept: list[Callable[[], None]] = []
    database.listeners += [lambda: heard.append("a"), lambda: heard.append("b")]
    database.put(HOME, HOME.id, {})
    assert heard == ["a", "b"]
    database.notify_hook = kept.append
    database.put(WEB, HOME.id, {})
    assert heard == ["a", "b"]
    for deliver in kept * 2:
        deliver()
    assert heard == ["a", "b", "a", "b", "a", "b"]


async def test_a_store_can_read_back_as_far_as_before_the_object_was_there() -> None:
    database = SimDatabase()
    _, store = process(database)
    for number in range(3):
        database.put(WEB, HOME.id, {"instances": number})
    generations = []
    for back in range(6):
        store.read_back = lambda _, back=back: back  # type: ignore[misc]
        generations.append((await store.load(WEB)).generation)
    assert generations == [3, 2, 1, 0, 0, 0]


async def test_the_history_tells_every_write_and_what_it_changed() -> None:
    database = SimDatabase()
    database.put(WEB, HOME.id, {})
    (lease, store), (other, stale) = process(database), process(database, "b")
    assert await lease.acquire()
    await store.announce(WEB, HOME.id, [Intent("service", "web", "applying")])
    report = deployed()
    report.events.append(EventRecord("Normal", "Created", "made"))
    await store.report(report)
    await store.report(report)
    with pytest.raises(FencedError):
        await stale.report(report)
    assert not await other.acquire()
    history = database.history
    assert [(w.operation, w.holder, w.epoch, w.accepted, w.rows) for w in history.writes] == [
        ("lease_acquire", "a", 1, True, 1),
        ("announce", "a", 1, True, 1),
        ("report", "a", 1, True, 2),
        ("report", "a", 1, True, 1),
        ("report", "b", 0, False, 0),
        ("lease_acquire", "b", 0, False, 0),
    ]
    assert [w.n for w in history.writes] == [1, 2, 3, 4, 5, 6]
    assert [(s.n, s.epoch, s.generation, s.status) for s in history.statuses] == [(3, 1, 1, deployed().statuses[0])]
    assert history.events == [
        EventWritten(3, WEB, "Normal", "Created", "made", counted=False),
        EventWritten(4, WEB, "Normal", "Created", "made", counted=True),
    ]
