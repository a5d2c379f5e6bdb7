"""A Swarm that is only a shelf of owners' objects, for the whole process on a real database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import anyio

from controller.loop.config import LoopConfig
from controller.loop.election import Candidate
from controller.postgres.database import Database as Connections
from controller.records import Holdings, Key
from controller.store.lease import Lease
from controller.store.listener import listen
from controller.store.state import StateStore
from controller.swarm.plan import Change, ChangeSet
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


class Shelf(Nothing):
    """One object of each owner; what is removed is remembered."""

    live: Any = Bare()

    def __init__(self, owners: Iterable[Key]) -> None:
        self.owned = dict.fromkeys(owners, 1)
        self.removed: list[Key] = []

    def plan(self, key: Key, wanted: Objects, inventory: Any) -> ChangeSet:
        gone = key in self.owned and not wanted.services
        return ChangeSet((Change("delete", "service", key.id, cause="Removed"),) if gone else ())

    async def apply(self, changes: Any, inventory: Any, *, announce: Any, learned: Any, done: Any) -> None:
        await announce(())
        for change in changes.changes:
            key = Key("environment", change.name)
            del self.owned[key]
            self.removed.append(key)
            done.append(change)

    def owners(self) -> dict[Key, int]:
        return dict(self.owned)

    def amounts(self) -> tuple[int, int, int]:
        return len(self.owned), 0, 0

    async def holdings(self) -> Holdings:
        return Holdings(dict(self.owned))


@asynccontextmanager
async def controller(database: Database, swarm: Shelf, **tuning: Any) -> AsyncIterator[Candidate]:
    """A whole process, with the connections that it has by default."""
    connections = Connections(database.dsn("controller"), connections=4)
    await connections.open()
    lease = Lease(connections, "skypanel", 10)
    stopping = anyio.Event()
    process = Candidate(
        registered(),
        lease=lease,
        store=StateStore(connections, lease, kinds=programs()),
        swarm=swarm,
        listen=partial(listen, connections.conninfo),
        options=Options("skypanel"),
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
