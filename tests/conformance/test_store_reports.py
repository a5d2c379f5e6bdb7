"""What a reconcile writes: intents before, then status, events and inventory in one step, and nothing twice."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import anyio
import pytest

from controller.loop.ports import Store
from controller.records import EventRecord, Intent, InventoryUpdate, Key, Report, Rest
from reconcilers.conditions import Condition, Status, progressing, ready
from reconcilers.outcomes import FencedError
from tests.conformance.store_world import StoreWorld

pytestmark = pytest.mark.anyio

ME, OTHER = (Key("environment", str(UUID(int=(1 << 100) + number))) for number in (1, 2))
ORGANIZATION = str(UUID(int=(1 << 100) + 9))
WEB = ("service", "acme-shop-production-web")
THING = ("buckets/thing", "acme")


def status(generation: int = 1, message: str = "1 task runs", **changes: Any) -> Status:
    values: dict[str, Any] = {"conditions": ready("Deployed", message), "details": {"image": "web:1"}, **changes}
    return Status(*ME, ORGANIZATION, generation, **values)


def report(
    *statuses: Status, events: tuple[EventRecord, ...] = (), learned: tuple[InventoryUpdate, ...] = (), of: Key = ME
) -> Report:
    return Report(of, ORGANIZATION, list(statuses), list(events), list(learned))


def learned(**columns: Any) -> InventoryUpdate:
    return InventoryUpdate("service", WEB[1], **columns)


def event(message: str = "made", reason: str = "Created") -> EventRecord:
    return EventRecord("Normal", reason, message)


# -- intents and inventory -------------------------------------------------------------------------------------------


async def test_an_intent_is_written_with_owner_and_epoch(store_world: StoreWorld) -> None:
    async with store_world.leader() as one:
        await one.store.announce(
            ME, ORGANIZATION, [Intent("service", WEB[1], "applying"), Intent("network", "n", "deleting")]
        )
        row = {
            "owner": ME,
            "organization_id": ORGANIZATION,
            "engine_id": None,
            "spec_hash": None,
            "failed_hash": None,
            "template_hash": None,
            "last_good": None,
            "epoch": one.lease.epoch,
        }
    assert store_world.tables.inventory() == {
        WEB: {**row, "state": "applying"},
        ("network", "n"): {**row, "state": "deleting"},
    }


async def test_an_intent_keeps_what_is_known_of_the_object(store_world: StoreWorld) -> None:
    good = {"Name": WEB[1], "Labels": {}}
    async with store_world.leader() as one:
        await one.store.report(
            report(learned=(learned(engine_id="e", spec_hash="h", failed_hash="f", last_good=good),))
        )
        await one.store.announce(ME, ORGANIZATION, [Intent("service", WEB[1], "applying")])
    row = store_world.tables.inventory()[WEB]
    assert (row["engine_id"], row["spec_hash"], row["failed_hash"], row["last_good"]) == ("e", "h", "f", good)
    assert row["state"] == "applying"


async def test_what_is_learned_is_added_to_what_is_known(store_world: StoreWorld) -> None:
    async with store_world.leader() as one:
        for update in (
            learned(engine_id="e", spec_hash="h1", template_hash="t1"),
            learned(last_good={"Name": WEB[1]}),
            learned(spec_hash="h2", failed_hash="h1"),
            learned(failed_hash=""),
        ):
            await one.store.report(report(learned=(update,)))
    row = store_world.tables.inventory()[WEB]
    assert (row["engine_id"], row["spec_hash"], row["template_hash"], row["failed_hash"]) == ("e", "h2", "t1", "")
    assert (row["last_good"], row["state"]) == ({"Name": WEB[1]}, "present")


async def test_what_is_learned_without_an_intent_makes_the_row(store_world: StoreWorld) -> None:
    async with store_world.leader() as one:
        await one.store.report(report(learned=(learned(engine_id="e"),)))
        row = store_world.tables.inventory()[WEB]
        assert (row["owner"], row["organization_id"], row["epoch"]) == (ME, ORGANIZATION, one.lease.epoch)
        await one.store.report(report(learned=(learned(gone=True),)))
        await one.store.report(report(learned=(learned(gone=True),)))
    assert store_world.tables.inventory() == {}


async def test_several_lessons_of_one_report_are_merged_in_their_order(store_world: StoreWorld) -> None:
    lessons = (learned(gone=True), learned(engine_id="e2", spec_hash="h1"), learned(spec_hash="h2"))
    async with store_world.leader() as one:
        await one.store.report(report(learned=(learned(engine_id="e1", failed_hash="h0"),)))
        await one.store.report(report(learned=lessons))
        row = store_world.tables.inventory()[WEB]
        assert (row["engine_id"], row["spec_hash"], row["failed_hash"]) == ("e2", "h2", "h0")
        await one.store.report(report(learned=(*lessons, learned(gone=True))))
    assert store_world.tables.inventory() == {}


async def test_a_thing_beyond_the_swarm_stays_its_owners_until_that_has_given_it_back(store_world: StoreWorld) -> None:
    async with store_world.leader() as one:
        assert await one.store.announce(ME, ORGANIZATION, [Intent(*THING, "applying")]) == []
        before = store_world.tables.inventory()
        both = [Intent(*THING, "deleting"), Intent("buckets/thing", "b", "applying")]
        assert await one.store.announce(OTHER, ORGANIZATION, both) == [THING[1]]
        assert store_world.tables.inventory()[THING] == before[THING]
        assert store_world.tables.inventory()["buckets/thing", "b"]["owner"] == OTHER
        assert await one.store.announce(ME, ORGANIZATION, [Intent(*THING, "deleting")]) == []
        await one.store.report(report(learned=(InventoryUpdate(*THING, gone=True),)))
        assert await one.store.announce(OTHER, ORGANIZATION, [Intent(*THING, "applying")]) == []
        assert store_world.tables.inventory()[THING]["owner"] == OTHER


async def test_of_many_that_ask_for_one_thing_at_once_one_has_it(store_world: StoreWorld) -> None:
    keys = [Key("environment", str(UUID(int=number))) for number in range(1, 9)]
    refused: dict[Key, list[str]] = {}

    async def ask(store: Store, key: Key) -> None:
        refused[key] = await store.announce(key, ORGANIZATION, [Intent(*THING, "applying")])

    async with store_world.leader() as one, anyio.create_task_group() as tasks:
        for key in keys:
            tasks.start_soon(ask, one.store, key)
    owner = store_world.tables.inventory()[THING]["owner"]
    assert refused == {key: [] if key == owner else [THING[1]] for key in keys}


async def test_a_row_that_changed_hands_is_not_touched_by_its_former_owner(store_world: StoreWorld) -> None:
    async with store_world.leader() as one:
        await one.store.report(report(learned=(learned(engine_id="mine"),)))
        await one.store.announce(OTHER, ORGANIZATION, [Intent("service", WEB[1], "applying")])
        before = store_world.tables.written()
        await one.store.report(report(learned=(learned(gone=True),)))
        await one.store.report(report(learned=(learned(spec_hash="stale"),)))
        assert store_world.tables.written() == before
        assert store_world.tables.inventory()[WEB]["owner"] == OTHER
        assert (await one.store.load(ME)).inventory == ()
        assert [row.engine_id for row in (await one.store.load(OTHER)).inventory] == [None]


async def test_a_new_owner_of_a_name_begins_with_nothing(store_world: StoreWorld) -> None:
    async with store_world.leader() as one:
        learned = InventoryUpdate(
            "service",
            WEB[1],
            engine_id="e1",
            spec_hash="h1",
            template_hash="t1",
            failed_hash="f1",
            last_good={"a": 1},
        )
        await one.store.announce(ME, ORGANIZATION, [Intent("service", WEB[1], "applying")])
        await one.store.report(Report(ME, ORGANIZATION, inventory=[learned]))
        await one.store.announce(ME, ORGANIZATION, [Intent("service", WEB[1], "applying")])
        (mine,) = (await one.store.load(ME)).inventory
        assert (mine.engine_id, mine.spec_hash, mine.failed_hash, mine.last_good) == ("e1", "h1", "f1", {"a": 1})
        assert mine.template_hash == "t1"
        await one.store.announce(OTHER, ORGANIZATION, [Intent("service", WEB[1], "applying")])
        (theirs,) = (await one.store.load(OTHER)).inventory
        assert (theirs.engine_id, theirs.spec_hash, theirs.failed_hash, theirs.last_good) == (None, None, None, None)
        assert theirs.template_hash is None


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
async def test_an_old_and_a_new_owner_that_report_at_once_do_not_disturb_each_other(
    store_world: StoreWorld, order: tuple[int, int]
) -> None:
    gone, kept = learned(gone=True), learned(engine_id="new", spec_hash="h")
    reports = [report(learned=(gone,)), report(learned=(kept,), of=OTHER)]
    async with store_world.leader() as one:
        await one.store.report(report(learned=(learned(engine_id="old"),)))
        await one.store.announce(OTHER, ORGANIZATION, [Intent("service", WEB[1], "applying")])
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(one.store.report, report(events=(event(),)))  # the others wait for it, and go together
            for number in order:
                tasks.start_soon(one.store.report, reports[number])
    row = store_world.tables.inventory()[WEB]
    assert (row["owner"], row["engine_id"], row["spec_hash"], row["state"]) == (OTHER, "new", "h", "present")


async def test_many_reports_at_once_are_all_written(store_world: StoreWorld) -> None:
    async with store_world.leader() as one, anyio.create_task_group() as tasks:
        for number in range(40):
            mine = Key("environment", str(UUID(int=(1 << 101) + number)))
            status = Status(*mine, None, number, ready("Deployed", f"{number}"), {})
            update = InventoryUpdate("service", f"s{number}", engine_id=f"e{number}")
            tasks.start_soon(one.store.report, Report(mine, None, [status], [event(f"{number}")], [update]))
    expected = {Key("environment", str(UUID(int=(1 << 101) + number))): str(number) for number in range(40)}
    tables = store_world.tables
    assert {key: row["message"] for key, row in tables.statuses().items()} == expected
    assert {key: message for key, _, message, _ in tables.events()} == expected
    assert {row["owner"]: row["engine_id"][1:] for row in tables.inventory().values()} == expected


async def test_a_service_and_a_network_of_one_name_are_two(store_world: StoreWorld) -> None:
    both = (InventoryUpdate("service", "x", engine_id="s"), InventoryUpdate("network", "x", engine_id="n"))
    async with store_world.leader() as one:
        await one.store.report(report(learned=both))
        await one.store.report(report(learned=(InventoryUpdate("service", "x", gone=True),)))
    assert {place: row["engine_id"] for place, row in store_world.tables.inventory().items()} == {("network", "x"): "n"}


# -- status ----------------------------------------------------------------------------------------------------------


async def test_a_status_is_written_in_words_and_columns(store_world: StoreWorld) -> None:
    async with store_world.leader() as one:
        await one.store.report(report(status(3, conditions=progressing("RollingOut", "0/1 run"))))
        epoch = one.lease.epoch
    assert store_world.tables.statuses() == {
        ME: {
            "organization_id": ORGANIZATION,
            "observed_generation": 3,
            "conditions": [
                {"type": "Ready", "status": "False", "reason": "RollingOut", "message": "0/1 run"},
                {"type": "Reconciling", "status": "True", "reason": "RollingOut", "message": "0/1 run"},
            ],
            "ready": False,
            "reason": "RollingOut",
            "message": "0/1 run",
            "details": {"image": "web:1"},
            "finalized": False,
            "epoch": epoch,
        }
    }


@pytest.mark.parametrize(
    "other",
    [
        status(2),
        status(0),
        status(message="2 tasks run"),
        status(conditions=progressing("RollingOut", "0/1 run")),
        status(details={"image": "web:2"}),
        status(details={}),
        status(finalized=True),
    ],
    ids=["newer generation", "older generation", "message", "conditions", "details", "no details", "finalized"],
)
async def test_whatever_is_said_otherwise_is_written_and_the_same_is_not(
    store_world: StoreWorld, other: Status
) -> None:
    async with store_world.leader() as one:
        await one.store.report(report(status()))
        first = store_world.tables.written()
        await one.store.report(report(status()))
        assert store_world.tables.written() == first
        await one.store.report(report(other))
        second = store_world.tables.written()
        assert second != first
        await one.store.report(report(other))
        assert store_world.tables.written() == second
    row = store_world.tables.statuses()[ME]
    assert (row["observed_generation"], row["message"], row["details"], row["finalized"]) == (
        other.observed_generation,
        other.ready.message,
        other.details,
        other.finalized,
    )


async def test_who_says_the_same_in_a_later_epoch_writes_nothing(store_world: StoreWorld) -> None:
    async with store_world.leader() as first, store_world.process() as second:
        await first.store.report(report(status()))
        before = store_world.tables.written()
        store_world.tables.run_out()
        assert await second.lease.acquire()
        await second.store.report(report(status()))
        assert store_world.tables.written() == before
        assert store_world.tables.statuses()[ME]["epoch"] == first.lease.epoch


async def test_a_status_without_an_organization_keeps_the_one_that_is_known(store_world: StoreWorld) -> None:
    async with store_world.leader() as one:
        await one.store.report(report(status()))
        await one.store.report(report(Status(*ME, None, 2, ready("Deployed", "x"), {}, finalized=True)))
    row = store_world.tables.statuses()[ME]
    assert (row["organization_id"], row["finalized"]) == (ORGANIZATION, True)


async def test_text_that_the_database_cannot_hold_does_not_stop_a_report(store_world: StoreWorld) -> None:
    bad, good = "a\0b", r"C:\u0000 is no NUL"
    async with store_world.leader() as one:
        said = status(message=bad, details={"image": good, "bad": bad})
        await one.store.report(report(said, events=(event(bad),), learned=(learned(last_good={"Name": bad}),)))
    row = store_world.tables.statuses()[ME]
    assert (row["message"], row["details"]) == ("a\ufffdb", {"image": good, "bad": "a\ufffdb"})
    assert store_world.tables.events() == [(ME, "Created", "a\ufffdb", 1)]
    assert store_world.tables.inventory()[WEB]["last_good"] == {"Name": "a\ufffdb"}


# -- parts -----------------------------------------------------------------------------------------------------------

WEB_PART, API_PART = (Key("process", str(UUID(int=(1 << 100) + n))) for n in (1, 2))
OVER = Rest((Condition("Ready", "False", "Deleted", "it is over"),), finalized=True)
GOING = Rest(progressing("Deleting", "it goes"), finalized=False)


def parts(*keys: Key, of: Key = ME, rest: Rest | None = OVER) -> Report:
    """A report of an object with parts."""
    statuses = [Status(*of, ORGANIZATION, 1, ready("Deployed", "runs"), {})]
    statuses += [Status(*key, ORGANIZATION, 1, ready("Deployed", "runs"), {}) for key in keys]
    return Report(of, ORGANIZATION, statuses, rest=rest)


def how(store_world: StoreWorld, key: Key) -> tuple[bool, str, bool]:
    row = store_world.tables.statuses()[key]
    return row["ready"], row["reason"], row["finalized"]


async def test_a_part_that_is_named_no_more_is_over(store_world: StoreWorld) -> None:
    async with store_world.leader() as one:
        await one.store.report(parts(WEB_PART, API_PART))
        await one.store.report(parts(WEB_PART))
        assert how(store_world, WEB_PART) == (True, "Deployed", False)
        assert how(store_world, API_PART) == (False, "Deleted", True)
        before = store_world.tables.written()
        await one.store.report(parts(WEB_PART))
        assert store_world.tables.written() == before
        await one.store.report(parts(WEB_PART, API_PART))
    assert how(store_world, API_PART) == (True, "Deployed", False)


async def test_a_report_that_does_not_speak_of_parts_leaves_them(store_world: StoreWorld) -> None:
    async with store_world.leader() as one:
        await one.store.report(parts(WEB_PART))
        await one.store.report(parts(rest=None))
    assert how(store_world, WEB_PART) == (True, "Deployed", False)


async def test_parts_go_and_end_with_what_they_belong_to(store_world: StoreWorld) -> None:
    async with store_world.leader() as one:
        await one.store.report(parts(WEB_PART, API_PART))
        await one.store.report(parts(rest=GOING))
        assert {how(store_world, part) for part in (WEB_PART, API_PART)} == {(False, "Deleting", False)}
        await one.store.report(parts(rest=OVER))
        assert {how(store_world, part) for part in (WEB_PART, API_PART)} == {(False, "Deleted", True)}


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["the old one first", "the new one first"])
@pytest.mark.parametrize("at_once", [False, True], ids=["one after the other", "at once"])
async def test_a_part_that_moves_is_its_new_owners(
    store_world: StoreWorld, order: tuple[int, int], *, at_once: bool
) -> None:
    reports = [parts(), parts(WEB_PART, of=OTHER)]
    async with store_world.leader() as one:
        await one.store.report(parts(WEB_PART))
        if at_once:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(one.store.report, report(events=(event(),)))  # the others wait, and go together
                for number in order:
                    tasks.start_soon(one.store.report, reports[number])
        else:
            for number in order:
                await one.store.report(reports[number])
        assert how(store_world, WEB_PART) == (True, "Deployed", False)
        await one.store.report(parts())
        assert how(store_world, WEB_PART) == (True, "Deployed", False)
        await one.store.report(parts(of=OTHER))
    assert how(store_world, WEB_PART) == (False, "Deleted", True)


async def test_who_does_not_lead_ends_nothing(store_world: StoreWorld) -> None:
    async with store_world.leader() as one, store_world.process() as other:
        await one.store.report(parts(WEB_PART))
        with pytest.raises(FencedError):
            await other.store.report(parts())
    assert how(store_world, WEB_PART) == (True, "Deployed", False)


# -- events ----------------------------------------------------------------------------------------------------------


async def said(store_world: StoreWorld, *reports: Report) -> list[tuple[str, int]]:
    async with store_world.leader() as one:
        for each in reports:
            await one.store.report(each)
    return [(message, times) for _, _, message, times in store_world.tables.events()]


async def test_the_same_event_again_is_counted(store_world: StoreWorld) -> None:
    assert await said(store_world, *[report(events=(event(),))] * 3) == [("made", 3)]


async def test_the_same_event_after_another_is_a_new_one(store_world: StoreWorld) -> None:
    reports = [report(events=(event(message),)) for message in ("made", "repaired", "made")]
    assert await said(store_world, *reports) == [("made", 1), ("repaired", 1), ("made", 1)]


async def test_another_reason_is_another_event(store_world: StoreWorld) -> None:
    reports = [report(events=(event(reason=reason),)) for reason in ("Created", "Updated")]
    assert await said(store_world, *reports) == [("made", 1), ("made", 1)]


async def test_the_same_event_of_another_object_is_its_own(store_world: StoreWorld) -> None:
    reports = [report(events=(event(),)), report(events=(event(),), of=OTHER), report(events=(event(),))]
    assert await said(store_world, *reports) == [("made", 2), ("made", 1)]


async def test_events_of_one_report_keep_their_order_and_count_what_was_there_before(store_world: StoreWorld) -> None:
    async with store_world.leader() as one:
        await one.store.report(report(events=tuple(event(m) for m in ("one", "two", "three"))))
        await one.store.report(report(events=tuple(event(m) for m in ("four", "three", "four", "three"))))
    assert [(message, times) for _, _, message, times in store_world.tables.events()] == [
        ("one", 1),
        ("two", 1),
        ("three", 2),
        ("four", 1),
        ("four", 1),
        ("three", 1),
    ]


@pytest.mark.parametrize(("minutes", "expected"), [(9.5, [("made", 2)]), (10.5, [("made", 1), ("made", 1)])])
async def test_the_same_event_ten_minutes_later_is_a_new_one(
    store_world: StoreWorld, minutes: float, expected: list[tuple[str, int]]
) -> None:
    async with store_world.leader() as one:
        await one.store.report(report(events=(event(),)))
        store_world.tables.age_events(minutes)
        await one.store.report(report(events=(event(),)))
    assert [(message, times) for _, _, message, times in store_world.tables.events()] == expected


async def test_old_events_are_forgotten_and_others_kept_by_the_leader(store_world: StoreWorld) -> None:
    async with store_world.leader() as one, store_world.process() as standby:
        await one.store.report(report(events=(event("old"),)))
        store_world.tables.age_events(31 * 24 * 60)
        await one.store.report(report(events=(event("new"),)))
        with pytest.raises(FencedError):
            await standby.store.prune("events", 30, 1000)
        assert await one.store.prune("events", 30, 1000) == 1
        await one.store.report(report(events=(event("new"),)))
    assert store_world.tables.events() == [(ME, "Created", "new", 2)]


# -- retention -------------------------------------------------------------------------------------------------------


async def test_a_removal_that_is_noted_is_not_read_again_until_it_is_taken_back(store_world: StoreWorld) -> None:
    declare = store_world.declare
    home = declare.organization("acme")
    shop = declare.environment(home, "production")
    over = Status(*shop, home.id, 9, OVER.conditions, {}, finalized=True)
    async with store_world.leader() as one:

        async def listed() -> bool:
            return shop in [entry.key for entry, _, _ in await one.store.index()]

        assert await one.store.prune("removals", 30, 10) == 0
        declare.delete(shop)
        assert await one.store.prune("removals", 30, 10) == 0, "it was not removed yet"
        await one.store.report(Report(shop, home.id, [over]))
        assert await listed()
        assert await one.store.prune("removals", 30, 10) == 1
        assert not await listed()
        assert (await one.store.load(shop)).declared
        declare.take_back(shop)
        assert await listed()
        declare.delete(shop)
        assert await listed(), "it is to be removed anew"


async def test_a_final_status_goes_when_its_row_is_gone_and_not_before(store_world: StoreWorld) -> None:
    declare = store_world.declare
    home = declare.organization("acme")
    shop = declare.environment(home, "production")
    over = Status(*shop, home.id, 9, OVER.conditions, {}, finalized=True)
    async with store_world.leader() as one:
        await one.store.report(Report(shop, home.id, [over]))
        await one.store.report(parts(WEB_PART))
        await one.store.report(parts())
        assert await one.store.prune("statuses", 0, 10) == 1, "the part's, which has no row"
        declare.drop(shop)
        assert await one.store.prune("statuses", 30, 10) == 0, "it is not old"
        assert await one.store.prune("statuses", 0, 10) == 1
    assert set(store_world.tables.statuses()) == {ME}
