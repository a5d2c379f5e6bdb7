"""What the store writes: never by a process that does not lead, never twice the same, never into another's row."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import anyio
import pytest

from controller.records import EventRecord, Intent, InventoryUpdate, Key, Report
from controller.store.store import Store
from reconcilers.conditions import Status, progressing, ready
from reconcilers.outcomes import FencedError
from tests.store.conftest import Database
from tests.store.leading import leader, process, run_out

pytestmark = pytest.mark.anyio

ME, OTHER = (Key("environment", str(UUID(int=number))) for number in (1, 2))
ORGANIZATION = str(UUID(int=9))
WEB = "acme-shop-production-web"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def status(generation: int = 1, message: str = "1 task runs", **changes: Any) -> Status:
    values: dict[str, Any] = {"conditions": ready("Deployed", message), "details": {"image": "web:1"}, **changes}
    return Status(*ME, ORGANIZATION, generation, **values)


def report(
    *statuses: Status, events: tuple[EventRecord, ...] = (), learned: tuple[InventoryUpdate, ...] = (), of: Key = ME
) -> Report:
    return Report(of, ORGANIZATION, list(statuses), list(events), list(learned))


def event(message: str = "made", reason: str = "Created") -> EventRecord:
    return EventRecord("Normal", reason, message)


def inventory(database: Database) -> dict[str, dict[str, Any]]:
    rows = database.execute("SELECT name, to_jsonb(i) FROM skypanel.inventory i")
    return dict(rows)


def versions(database: Database) -> list[tuple[Any, ...]]:
    """Changes with every write of any row, also of one that says the same."""
    return database.execute(
        "SELECT 'status', id::text, xmin::text, ctid::text FROM skypanel.object_status"
        " UNION ALL SELECT 'event', id::text, xmin::text, ctid::text FROM skypanel.events"
        " UNION ALL SELECT 'inventory', name, xmin::text, ctid::text FROM skypanel.inventory"
        " UNION ALL SELECT 'subnet', subnet::text, xmin::text, ctid::text FROM skypanel.subnets"
        " UNION ALL SELECT 'fuse', id::text, xmin::text, ctid::text FROM skypanel.fuse ORDER BY 1, 2"
    )


# -- only the leader -------------------------------------------------------------------------------------------------

WRITES: dict[str, Callable[[Store], Awaitable[object]]] = {
    "announce": lambda store: store.announce(ME, ORGANIZATION, [Intent("service", "new", "applying")]),
    "announce nothing": lambda store: store.announce(ME, ORGANIZATION, []),
    "announce a removal": lambda store: store.announce(ME, ORGANIZATION, [Intent("service", WEB, "deleting")]),
    "report a status": lambda store: store.report(report(status(7))),
    "report an event": lambda store: store.report(report(events=(event("another"),))),
    "report an event again": lambda store: store.report(report(events=(event(),))),
    "report what was learned": lambda store: store.report(
        report(learned=(InventoryUpdate("service", WEB, spec_hash="h"),))
    ),
    "report what is gone": lambda store: store.report(report(learned=(InventoryUpdate("service", WEB, gone=True),))),
    "allocate": lambda store: store.allocate_subnet(str(UUID(int=8)), "10.64.0.0/12", 24, [], 0),
    "release": lambda store: store.release_subnet(ORGANIZATION),
    "trip": lambda store: store.trip_fuse([ME], 1, 1),
    "clear": lambda store: store.clear_fuse(),
}


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("how", ["ran out", "was taken over", "was never held"])
async def test_a_process_that_does_not_lead_writes_nothing(database: Database, write: str, how: str) -> None:
    async with leader(database) as first, process(database) as second:
        await first.store.report(
            report(status(), events=(event(),), learned=(InventoryUpdate("service", WEB, engine_id="e"),))
        )
        await first.store.allocate_subnet(ORGANIZATION, "10.64.0.0/12", 24, [], 0)
        await first.store.trip_fuse([OTHER], 1, 1)
        before = versions(database)
        loser = first
        if how == "ran out":
            run_out(database)
        elif how == "was taken over":
            run_out(database)
            assert await second.lease.acquire()
        else:
            loser = second
        with pytest.raises(FencedError):
            await WRITES[write](loser.store)
    assert versions(database) == before


@pytest.mark.parametrize("write", WRITES)
async def test_the_leader_may_write(database: Database, write: str) -> None:
    async with leader(database) as one:
        await WRITES[write](one.store)


# -- intents and inventory -------------------------------------------------------------------------------------------


async def test_an_intent_is_written_before_the_write_with_owner_and_epoch(database: Database) -> None:
    async with leader(database) as one:
        await one.store.announce(
            ME, ORGANIZATION, [Intent("service", WEB, "applying"), Intent("network", "n", "deleting")]
        )
        found = inventory(database)
    assert {name: (row["object_type"], row["state"]) for name, row in found.items()} == {
        WEB: ("service", "applying"),
        "n": ("network", "deleting"),
    }
    assert (found[WEB]["owner_kind"], found[WEB]["owner_id"], found[WEB]["epoch"]) == (*ME, one.lease.epoch)
    assert found[WEB]["engine_id"] is None


async def test_an_intent_keeps_what_is_known_of_the_object(database: Database) -> None:
    good = {"Name": WEB, "Labels": {}}
    learned = InventoryUpdate("service", WEB, engine_id="e", spec_hash="h", failed_hash="f", last_good=good)
    async with leader(database) as one:
        await one.store.report(report(learned=(learned,)))
        await one.store.announce(ME, ORGANIZATION, [Intent("service", WEB, "applying")])
    row = inventory(database)[WEB]
    assert (row["engine_id"], row["spec_hash"], row["failed_hash"], row["last_good"]) == ("e", "h", "f", good)
    assert row["state"] == "applying"


async def test_what_is_learned_is_added_to_what_is_known(database: Database) -> None:
    async with leader(database) as one:
        for update in (
            InventoryUpdate("service", WEB, engine_id="e", spec_hash="h1"),
            InventoryUpdate("service", WEB, last_good={"Name": WEB}),
            InventoryUpdate("service", WEB, spec_hash="h2", failed_hash="h1"),
            InventoryUpdate("service", WEB, failed_hash=""),
        ):
            await one.store.report(report(learned=(update,)))
    row = inventory(database)[WEB]
    assert (row["engine_id"], row["spec_hash"], row["failed_hash"]) == ("e", "h2", "")
    assert row["last_good"] == {"Name": WEB}
    assert row["state"] == "present"


async def test_several_lessons_of_one_report_are_merged_in_their_order(database: Database) -> None:
    lessons = (
        InventoryUpdate("service", WEB, gone=True),
        InventoryUpdate("service", WEB, engine_id="e2", spec_hash="h1"),
        InventoryUpdate("service", WEB, spec_hash="h2"),
    )
    async with leader(database) as one:
        await one.store.report(report(learned=lessons))
        assert (inventory(database)[WEB]["engine_id"], inventory(database)[WEB]["spec_hash"]) == ("e2", "h2")
        await one.store.report(report(learned=(*lessons, InventoryUpdate("service", WEB, gone=True))))
    assert inventory(database) == {}


async def test_a_row_that_changed_hands_is_not_touched_by_its_former_owner(database: Database) -> None:
    async with leader(database) as one:
        await one.store.report(report(learned=(InventoryUpdate("service", WEB, engine_id="mine"),)))
        await one.store.announce(OTHER, ORGANIZATION, [Intent("service", WEB, "applying")])
        before = versions(database)
        await one.store.report(report(learned=(InventoryUpdate("service", WEB, gone=True),)))
        await one.store.report(report(learned=(InventoryUpdate("service", WEB, spec_hash="stale"),)))
        assert versions(database) == before
        assert inventory(database)[WEB]["owner_id"] == OTHER.id


async def test_a_service_and_a_network_of_one_name_are_two(database: Database) -> None:
    async with leader(database) as one:
        await one.store.report(
            report(
                learned=(InventoryUpdate("service", "x", engine_id="s"), InventoryUpdate("network", "x", engine_id="n"))
            )
        )
        await one.store.report(report(learned=(InventoryUpdate("service", "x", gone=True),)))
    assert database.execute("SELECT object_type, engine_id FROM skypanel.inventory") == [("network", "n")]


# -- status ----------------------------------------------------------------------------------------------------------


async def test_a_status_is_written_in_words_and_columns(database: Database) -> None:
    async with leader(database) as one:
        await one.store.report(report(status(3)))
        epoch = one.lease.epoch
    (row,) = database.execute(
        "SELECT kind, id::text, organization_id::text, observed_generation, ready, reason, message, details,"
        " finalized_at, epoch FROM skypanel.object_status"
    )
    assert row == (*ME, ORGANIZATION, 3, True, "Deployed", "1 task runs", {"image": "web:1"}, None, epoch)


async def test_saying_the_same_again_writes_nothing(database: Database) -> None:
    async with leader(database) as one:
        await one.store.report(report(status()))
        before = versions(database)
        await one.store.report(report(status()))
        assert versions(database) == before


@pytest.mark.parametrize(
    "other",
    [
        status(2),
        status(message="2 tasks run"),
        status(conditions=progressing("RollingOut", "0/1 run")),
        status(details={"image": "web:2"}),
        status(finalized=True),
    ],
    ids=["generation", "message", "conditions", "details", "finalized"],
)
async def test_whatever_is_said_otherwise_is_written(database: Database, other: Status) -> None:
    async with leader(database) as one:
        await one.store.report(report(status()))
        await one.store.report(report(other))
    ((generation, message, is_ready, details, finalized),) = database.execute(
        "SELECT observed_generation, message, ready, details, finalized_at IS NOT NULL FROM skypanel.object_status"
    )
    said = (
        other.observed_generation,
        other.ready.message,
        other.ready.status == "True",
        other.details,
        other.finalized,
    )
    assert (generation, message, is_ready, details, finalized) == said


async def test_a_status_without_an_organization_keeps_the_one_that_is_known(database: Database) -> None:
    async with leader(database) as one:
        await one.store.report(report(status()))
        gone = Status(*ME, None, 2, ready("Deployed", "x"), {}, finalized=True)
        await one.store.report(report(gone))
    assert database.one("SELECT organization_id::text FROM skypanel.object_status") == ORGANIZATION


async def test_text_that_the_database_cannot_hold_does_not_stop_a_report(database: Database) -> None:
    """The engine's words, and labels that somebody wrote, may hold anything."""
    bad, good = "a\0b", r"C:\u0000 is no NUL"
    async with leader(database) as one:
        await one.store.report(report(status(message=bad, details={"image": good}), events=(event(bad),)))
    assert database.one("SELECT message FROM skypanel.events") == "a\ufffdb"
    ((message, details),) = database.execute("SELECT message, details FROM skypanel.object_status")
    assert (message, details) == ("a\ufffdb", {"image": good})


async def test_many_reports_at_once_are_all_written(database: Database) -> None:
    async with leader(database) as one, anyio.create_task_group() as tasks:
        for number in range(40):
            mine = Key("environment", str(UUID(int=number)))
            said = Status(*mine, None, number, ready("Deployed", f"{number}"), {})
            learned = InventoryUpdate("service", f"s{number}", engine_id=f"e{number}")
            tasks.start_soon(one.store.report, report(said, events=(event(f"{number}"),), learned=(learned,), of=mine))
    expected = {str(UUID(int=number)): str(number) for number in range(40)}
    assert dict(database.execute("SELECT id::text, message FROM skypanel.object_status")) == expected
    assert dict(database.execute("SELECT object_id::text, message FROM skypanel.events")) == expected
    assert {row["owner_id"]: row["engine_id"][1:] for row in inventory(database).values()} == expected


# -- events ----------------------------------------------------------------------------------------------------------


def events(database: Database) -> list[tuple[Any, ...]]:
    return database.execute("SELECT reason, message, count FROM skypanel.events ORDER BY id")


async def test_the_same_event_again_is_counted(database: Database) -> None:
    async with leader(database) as one:
        for _ in range(3):
            await one.store.report(report(events=(event(),)))
    assert events(database) == [("Created", "made", 3)]
    assert database.one("SELECT last_at > first_at FROM skypanel.events")


async def test_the_same_event_after_another_is_a_new_one(database: Database) -> None:
    async with leader(database) as one:
        for message in ("made", "repaired", "made"):
            await one.store.report(report(events=(event(message),)))
    assert [message for _, message, _ in events(database)] == ["made", "repaired", "made"]


async def test_the_same_event_much_later_is_a_new_one(database: Database) -> None:
    async with leader(database) as one:
        await one.store.report(report(events=(event(),)))
        database.execute("UPDATE skypanel.events SET last_at = now() - interval '11 minutes'")
        await one.store.report(report(events=(event(),)))
    assert events(database) == [("Created", "made", 1), ("Created", "made", 1)]


async def test_the_same_event_of_another_object_is_its_own(database: Database) -> None:
    async with leader(database) as one:
        await one.store.report(report(events=(event(),)))
        await one.store.report(report(events=(event(),), of=OTHER))
    assert [count for _, _, count in events(database)] == [1, 1]


async def test_events_of_one_report_keep_their_order(database: Database) -> None:
    messages = ["one", "two", "three", "four"]
    async with leader(database) as one:
        await one.store.report(report(events=tuple(event(m) for m in messages)))
    assert [message for _, message, _ in events(database)] == messages


async def test_old_events_are_forgotten_and_others_kept(database: Database) -> None:
    async with leader(database) as one:
        await one.store.report(report(events=(event("old"),)))
        database.execute("UPDATE skypanel.events SET last_at = now() - interval '31 days'")
        await one.store.report(report(events=(event("new"),)))
        await one.store.prune_events(30)
    assert [message for _, message, _ in events(database)] == ["new"]


# -- subnets ---------------------------------------------------------------------------------------------------------


async def test_an_organization_keeps_its_subnet_until_another_network_has_it(database: Database) -> None:
    async with leader(database) as one:

        async def subnet(organization: int, *taken: str) -> str | None:
            return await one.store.allocate_subnet(str(UUID(int=organization)), "10.64.0.0/23", 24, taken, 600)

        assert await subnet(1) == "10.64.0.0/24"
        assert await subnet(1) == "10.64.0.0/24"
        assert await subnet(1, "10.64.0.0/25") == "10.64.1.0/24"
        assert await subnet(2) is None, "the other one rests in quarantine"
        await one.store.release_subnet(str(UUID(int=1)))
        assert await one.store.allocate_subnet(str(UUID(int=2)), "10.64.0.0/23", 24, [], 0) == "10.64.0.0/24"
