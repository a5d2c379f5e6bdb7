"""Calls that come at once go to PostgreSQL together; all else about the store is in ``tests/conformance``."""

from __future__ import annotations

import anyio
import pytest

from controller.postgres.database import Database as Connections
from controller.records import Key
from tests.store.conftest import Database, Tenant
from tests.store.leading import Contender, leader

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_many_loads_at_once_are_few_statements_and_each_gets_its_own(
    database: Database, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    statements = []
    fetch = Connections.fetch

    async def counted(self: Connections, *arguments: object, **options: object) -> object:
        statements.append(arguments)
        return await fetch(self, *arguments, **options)  # type: ignore[arg-type] # handed on as it came

    names = [f"e{number}" for number in range(30)]
    ids = {
        name: database.one(
            "INSERT INTO paas_environments (app_id, name, image_ref) VALUES (%s, %s, 'web:1') RETURNING id",
            tenant.app,
            name,
        )
        for name in names
    }
    found: dict[str, object] = {}

    async def load(one: Contender, name: str) -> None:
        loaded = await one.store.load(Key("environment", str(ids[name])))
        found[name] = (loaded.document or {})["name"]

    async with leader(database) as one:
        monkeypatch.setattr(Connections, "fetch", counted)
        async with anyio.create_task_group() as tasks:
            for name in names:
                tasks.start_soon(load, one, name)
    assert found == {name: name for name in names}
    assert len(statements) == 2
