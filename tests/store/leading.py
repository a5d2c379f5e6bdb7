"""A store as the leader's process has it, and one whose lease was taken over."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from controller.postgres.database import Database as Connections
from controller.store.lease import Lease
from controller.store.state import StateStore
from reconcilers.registry import programs
from tests.store.conftest import Database

NAME = "blue"


@dataclass(frozen=True, slots=True)
class Contender:
    """One controller's side of the database."""

    connections: Connections
    lease: Lease
    store: StateStore


@asynccontextmanager
async def process(database: Database, *, seconds: float = 30.0) -> AsyncIterator[Contender]:
    """A process of the controller's role, that does not hold the lease yet."""
    connections = Connections(database.dsn("controller"), connections=3)
    await connections.open()
    try:
        lease = Lease(connections, NAME, seconds)
        yield Contender(connections, lease, StateStore(connections, lease, kinds=programs()))
    finally:
        await connections.close()


@asynccontextmanager
async def leader(database: Database) -> AsyncIterator[Contender]:
    """A process that holds the lease."""
    async with process(database) as made:
        assert await made.lease.acquire()
        yield made


def run_out(database: Database) -> None:
    """Let the lease run out, by the database's clock."""
    database.execute("UPDATE skypanel.lease SET expires_at = clock_timestamp()")
