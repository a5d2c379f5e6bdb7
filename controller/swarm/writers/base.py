"""What writes the objects of one type."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from controller.changes import Change
from controller.records import InventoryRow, InventoryUpdate
from controller.swarm.client import EngineClient
from controller.swarm.edge import Edge
from controller.swarm.feed import Feed
from controller.swarm.liveview import LiveView
from controller.swarm.own_writes import OwnWrites


@dataclass(slots=True)
class Engine:
    """What writers write with."""

    client: EngineClient
    live: LiveView
    feed: Feed
    own: OwnWrites
    edge: Edge
    writers: Mapping[str, Writer] = field(default_factory=dict)
    """The others', by type."""


class Writer(Protocol):
    """Writes the objects of one type; errors are those of the client, or a reconcile's."""

    async def create(self, target: Any, row: InventoryRow | None) -> Sequence[InventoryUpdate]:
        """Make ``target``; ``row`` is what we know to have made under its name."""

    async def update(self, change: Change) -> Sequence[InventoryUpdate]:
        """Change what lives, in its place."""

    async def recreate(self, change: Change) -> Sequence[InventoryUpdate]:
        """Remove what lives and make the target, where nothing can be changed in its place."""

    async def remove(self, live: Any) -> Sequence[InventoryUpdate]:
        """Take away what lives."""

    async def prompt(self, live: Any) -> None:
        """Write what lives as it is, so that Swarm looks at it again."""
