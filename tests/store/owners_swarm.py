"""A Swarm that is only a shelf of owners' objects, for the whole process on a real database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import anyio

from controller.changes import Change, ChangeSet
from controller.loop.config import LoopConfig
from controller.loop.election import Candidate
from controller.loop.outside import Outside
from controller.postgres.database import Database as Connections
from controller.records import Holdings, InventoryRow, InventoryUpdate, Key
from controller.store.lease import Lease
from controller.store.listener import listen
from controller.store.state import StateStore
from reconcilers.objects import Objects
from reconcilers.ports import LiveNetwork, Options
from reconcilers.registry import programs, registered
from tests.store.conftest import Database
from tests.unit.loop.parts import Nothing


class Bare:
    """A live view without networks and without an edge."""

    def network(self, _name: str) -> LiveNetwork | None:
        return None

    def network_of(self, _organization_id: str) -> LiveNetwork | None:
        return None

    def edge_node(self) -> str | None:
        return None

    def subnets(self) -> list[tuple[str, str]]:
        return []


class OwnersSwarm(Nothing):
    """One object of each owner; what is removed is remembered."""

    live: Any = Bare()
    helper: Any = None

    def __init__(self, owners: Iterable[Key]) -> None:
        self.owned = dict.fromkeys(owners, 1)
        self.removed: list[Key] = []

    def plan(
        self, key: Key, declared: Objects, inventory: Sequence[InventoryRow], serving: Sequence[str] = ()
    ) -> ChangeSet:
        gone = key in self.owned and not declared.services
        removals = (Change("delete", "service", key.id, cause="Removed"),) if gone else ()
        return ChangeSet(removals, wanted=declared)

    async def write(self, change: Change, row: InventoryRow | None) -> tuple[InventoryUpdate, ...]:
        key = Key("environment", change.name)
        del self.owned[key]
        self.removed.append(key)
        return ()

    def owners(self) -> dict[Key, int]:
        return dict(self.owned)

    def amounts(self) -> tuple[int, int, int]:
        return len(self.owned), 0, 0

    async def holdings(self) -> Holdings:
        return Holdings(dict(self.owned))


@asynccontextmanager
async def controller(database: Database, swarm: OwnersSwarm, **tuning: Any) -> AsyncIterator[Candidate]:
    """A whole process, with the connections that it has by default."""
    connections = Connections(database.dsn("controller"), connections=4)
    await connections.open()
    lease = Lease(connections, "skypanel", 10)
    stopping = anyio.Event()
    options = Options("skypanel")
    process = Candidate(
        registered(),
        lease=lease,
        outside=Outside.of(
            StateStore(connections, lease, kinds=programs()), swarm, options=options, tuning=LoopConfig(**tuning)
        ),
        listen=partial(listen, connections.conninfo),
        options=options,
        tuning=LoopConfig(**tuning),
        stopping=stopping,
    )
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(process.run)
            yield process
            stopping.set()
    finally:
        await connections.close()
