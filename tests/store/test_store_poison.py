"""Rows that hold what no program wants, as some may from before the constraints: each is its owner's fault alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

import anyio
import pytest

from controller.actions.connection import connected
from controller.declared import lookups, reader
from controller.postgres.decoding import LARGEST_DOCUMENT
from controller.records import EventRecord, Key, Loaded, Report
from controller.store.state import StateStore
from reconcilers.conditions import Status, ready
from tests.store.conftest import Database, Tenant
from tests.store.leading import leader

pytestmark = pytest.mark.anyio

LARGE = 20_000_000
HUGE = "1" + "0" * 400
DEEP = "[" * 1100 + "]" * 1100
POISONS = {
    "healthcheck.interval_seconds: cannot be read: a number in it is too large": (
        "healthcheck",
        f'{{"command": ["x"], "interval_seconds": {HUGE}}}',
    ),
    "ports: cannot be read: it has more than 64 levels": ("ports", DEEP),
    "volumes: is too large": ("volumes", f'["{"x" * LARGEST_DOCUMENT}"]'),
}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def unguarded(database: Database) -> Database:
    """A database whose rows are older than what keeps such rows out."""
    rows = database.execute(
        "SELECT conrelid::regclass::text, quote_ident(conname) FROM pg_constraint"
        " WHERE contype = 'c' AND conrelid::regclass::text IN ('paas_environments', 'paas_processes')"
    )
    for table, name in rows:
        database.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
    return database


def environments(database: Database, tenant: Tenant, count: int) -> list[Key]:
    rows = database.execute(
        "INSERT INTO paas_environments (app_id, name, image_ref)"
        " SELECT %s, 'e' || n, 'web:1' FROM generate_series(1, %s) AS n RETURNING id::text",
        tenant.app,
        count,
    )
    return [Key("environment", row[0]) for row in rows]


async def loads(store: StateStore, keys: Sequence[Key]) -> dict[Key, Loaded]:
    found: dict[Key, Loaded] = {}

    async def load(key: Key) -> None:
        found[key] = await store.load(key)

    async with anyio.create_task_group() as tasks:
        for key in keys:
            tasks.start_soon(load, key)
    return found


@pytest.mark.parametrize("said", POISONS)
async def test_a_document_that_cannot_be_read_is_one_objects_own_fault(
    unguarded: Database, tenant: Tenant, said: str
) -> None:
    column, value = POISONS[said]
    keys = environments(unguarded, tenant, 50)
    poisoned = keys[17]
    unguarded.execute(f"UPDATE paas_environments SET {column} = %s::jsonb WHERE id = %s", value, poisoned.id)
    async with leader(unguarded) as one:
        changes, _ = await one.store.consume()
        assert {change.key for change in changes} >= set(keys), "the change log is read, whatever changed"
        found = await loads(one.store, keys)
    bad = found.pop(poisoned)
    assert said in str(bad.unreadable)
    assert bad.document is not None, "it is there: what cannot be read is not gone"
    assert (bad.document["name"], bad.document["suspended"], column in bad.document) == ("e18", False, False)
    assert all(loaded.unreadable is None and loaded.document for loaded in found.values())


async def test_a_change_to_such_a_row_alone_is_read_too(unguarded: Database, tenant: Tenant) -> None:
    (key,) = environments(unguarded, tenant, 1)
    async with leader(unguarded) as one:
        await one.store.consume()
        unguarded.execute("UPDATE paas_environments SET ports = %s::jsonb WHERE id = %s", DEEP, key.id)
        changes, _ = await one.store.consume()
        assert [change.key for change in changes] == [key]
        assert (await one.store.load(key)).unreadable is not None


def test_people_are_shown_the_other_rows_and_what_cannot_be_read_of_one(unguarded: Database, tenant: Tenant) -> None:
    environments(unguarded, tenant, 2)
    for column, value in POISONS.values():
        unguarded.execute(f"UPDATE paas_environments SET {column} = %s::jsonb WHERE name = 'e1'", value)
    with connected(unguarded.dsn("skypanel_owner")) as conn:
        found = {shown.path[-1]: shown.spec for shown in reader.objects(conn, "Environment")}
        documents = lookups.documents(conn, "environment", [tenant.environment])
    assert found.keys() == {"production", "e1", "e2"}
    assert found["e1"]["healthcheck"] == "cannot be read: a number in it is too large"
    assert "healthcheck" not in found["e2"]
    assert documents[0].doc["name"] == "production"


async def test_large_rows_take_no_memory(unguarded: Database, tenant: Tenant) -> None:
    keys = environments(unguarded, tenant, 5)
    unguarded.execute("UPDATE paas_environments SET cmd = ARRAY[repeat('x', %s)]", LARGE)
    async with leader(unguarded) as one:
        await one.store.load(Key("environment", str(UUID(int=1))))
        before = _peak_kilobytes(anew=True)
        found = await loads(one.store, keys)
        assert _peak_kilobytes() - before < LARGE / 1024 / 4
    assert all("cmd: is too large (20,000,0" in str(found[key].unreadable) for key in keys)


def _peak_kilobytes(*, anew: bool = False) -> int:
    if anew:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    text = Path("/proc/self/status").read_text(encoding="ascii")
    return int(text.partition("VmHWM:")[2].split()[0])


async def test_a_child_that_two_owners_speak_of_at_once_disturbs_neither(database: Database) -> None:
    """A domain that moves from one environment to another is in both reports."""
    domain = UUID(int=7)

    def report(number: int) -> Report:
        key = Key("environment", str(UUID(int=number)))
        return Report(
            key,
            None,
            [
                Status(*key, None, 1, ready("Deployed", "it runs"), {}),
                Status("domain", str(domain), None, 1, ready("Routed", f"to {number}"), {}),
            ],
            [EventRecord("Normal", "Created", "made")],
        )

    async with leader(database) as one, anyio.create_task_group() as tasks:
        for number in (1, 2, 3):
            tasks.start_soon(one.store.report, report(number))
    assert database.one("SELECT count(*) FROM skypanel.object_status WHERE kind = 'environment'") == 3
    assert database.one("SELECT count(*) FROM skypanel.object_status WHERE kind = 'domain'") == 1
    assert database.execute("SELECT count FROM skypanel.events") == [(1,)] * 3


async def test_a_report_that_cannot_be_written_keeps_nobody_elses_back(database: Database) -> None:
    keys = [Key("environment", str(UUID(int=number))) for number in range(1, 9)]
    failed = set[Key]()

    async def say(key: Key) -> None:
        generation = 2**70 if key is keys[4] else 1  # more than a bigint
        report = Report(key, None, [Status(*key, None, generation, ready("Deployed", "it runs"), {})])
        report.events.append(EventRecord("Normal", "Created", "made"))
        try:
            await one.store.report(report)
        except Exception:  # noqa: BLE001 - whatever it is, it is this one's
            failed.add(key)

    async with leader(database) as one, anyio.create_task_group() as tasks:
        for key in keys:
            tasks.start_soon(say, key)
    assert failed == {keys[4]}
    assert database.one("SELECT count(*) FROM skypanel.object_status") == len(keys) - 1
    assert database.execute("SELECT DISTINCT count FROM skypanel.events") == [(1,)]
