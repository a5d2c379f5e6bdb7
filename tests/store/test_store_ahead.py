"""A lone change comes with a look at its object; many come without, and what was written since is never missed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from controller.postgres.database import Database as Connections
from controller.records import Intent, InventoryUpdate, Key, Report
from controller.store.prefetch import Prefetched
from tests.store.conftest import Database, Tenant
from tests.store.leading import leader

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@contextmanager
def statements(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[object]]:
    """What is asked of the database inside."""
    asked: list[object] = []
    fetch = Connections.fetch

    async def counted(self: Connections, *arguments: object, **options: object) -> object:
        asked.append(arguments[0])
        return await fetch(self, *arguments, **options)  # type: ignore[arg-type] # handed on as it came

    with monkeypatch.context() as patched:
        patched.setattr(Connections, "fetch", counted)
        yield asked


async def test_a_lone_change_and_a_look_at_its_object_are_one_statement(
    database: Database, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with leader(database) as one:
        while (await one.store.consume())[0]:
            pass
        database.execute("UPDATE paas_environments SET instances = 3 WHERE id = %s", tenant.environment)
        key = Key("environment", str(tenant.environment))
        with statements(monkeypatch) as asked:
            changes, _ = await one.store.consume()
            ahead = await one.store.load(key)
        assert len(asked) == 1
        assert key in {c.key for c in changes}
        assert (ahead.document or {})["instances"] == 3
        assert ahead == await one.store.load(key), "the second look is a new one, and finds the same"


async def test_what_was_written_after_the_look_is_not_missed(database: Database, tenant: Tenant) -> None:
    async with leader(database) as one:
        key = Key("environment", str(tenant.environment))
        database.execute("UPDATE paas_environments SET instances = 3 WHERE id = %s", tenant.environment)
        await one.store.consume()
        await one.store.announce(key, None, [Intent("service", "web", "applying")])
        assert [row.name for row in (await one.store.load(key)).inventory] == ["web"]
        database.execute("UPDATE paas_environments SET instances = 4 WHERE id = %s", tenant.environment)
        await one.store.consume()
        await one.store.report(Report(key, None, inventory=[InventoryUpdate("service", "web", gone=True)]))
        assert (await one.store.load(key)).inventory == ()


async def test_many_changes_come_without_a_look(
    database: Database, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with leader(database) as one:
        database.execute(
            "INSERT INTO paas_environments (app_id, name, image_ref) SELECT %s, 'e' || n, 'web:1'"
            " FROM generate_series(1, 100) AS n",
            tenant.app,
        )
        changes, _ = await one.store.consume()
        with statements(monkeypatch) as asked:
            await one.store.load(changes[0].key)
        assert len(asked) == 1


async def test_a_look_is_not_kept_that_was_on_its_way_while_its_object_was_written_about(
    database: Database, tenant: Tenant
) -> None:
    async with leader(database) as one:
        loaded = await one.store.load(Key("environment", str(tenant.environment)))
    ahead = Prefetched()
    with ahead.reading():
        ahead.spoil(loaded.key)
        ahead.put([loaded])
    assert ahead.take(loaded.key) is None
    with ahead.reading():
        ahead.put([loaded])
    assert ahead.take(loaded.key) is loaded
    assert ahead.take(loaded.key) is None
