"""Follows what the engine tells, reads again what that is about, and names the owners whose objects changed.

Nothing depends on it but speed: events get lost, and lists come round on timers.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

import anyio
import structlog

from controller.kit.bell import Bell
from controller.records import Key
from controller.swarm.client import EngineClient
from controller.swarm.errors import EngineError
from controller.swarm.events import Hint, parse
from controller.swarm.feed import Feed
from controller.swarm.liveview import LiveView
from controller.swarm.metrics import ENGINE_HINTS
from controller.swarm.own_writes import OwnWrites
from controller.swarm.routers import EdgeRouters
from controller.swarm.types import BY_NAME
from controller.swarm.types.service import SERVICE

log = structlog.get_logger(__name__)

_LIST_INSTEAD = 20
"""With more objects to read than this, everything is listed."""
_EDGE_ACTIONS = {"connect", "disconnect"}


class Hints:
    """The engine's hints, for one live view."""

    _live: LiveView
    _feed: Feed
    _routers: EdgeRouters

    def __init__(self, client: EngineClient, own: OwnWrites) -> None:
        self._client = client
        self._own = own
        self._changed_owners: set[Key] = set()
        self._owners = Bell()
        self._pending: dict[tuple[str, str], None] = {}
        self._reads = Bell()

    def changed(self, owners: Iterable[tuple[str, str]]) -> None:
        """Something live of these owners came, changed or went."""
        self._changed_owners.update(Key(*owner) for owner in owners)
        self._owners.ring()

    async def follow(
        self,
        live: LiveView,
        feed: Feed,
        routers: EdgeRouters,
        on_owners: Callable[[Iterable[Key]], Awaitable[None]],
    ) -> None:
        """Keep ``live``, by its ``feed``, and ``routers`` fresh; name the owners whose objects changed.

        It goes on until it is cancelled.
        """
        self._live, self._feed, self._routers = live, feed, routers
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._client.follow, self._on_event)
            tasks.start_soon(self._refresh_pending)
            tasks.start_soon(self._watch_routers)
            try:
                while True:
                    await self._owners.wait()
                    owners, self._changed_owners = self._changed_owners, set()
                    await on_owners(owners)
            finally:
                ENGINE_HINTS.closed()

    def _on_event(self, event: Mapping[str, Any] | None) -> None:
        hint = parse(event)
        if hint is not None:
            self._on_hint(hint)

    def _on_hint(self, hint: Hint) -> None:
        """Runs in the event loop for each event; decides what to read again.

        What an event says is not put into the view: it may be older than what a list has said since. It is a reason to
        ask, and the answer has its place in the order of all answers.
        """
        match hint.type:
            case "connected":
                self._want("all", "")
            case "container":
                if hint.attributes.get("com.docker.swarm.service.id") in self._live.edge_view.services:
                    self._want("edge", "")
            case _ if hint.action in _EDGE_ACTIONS:
                if hint.attributes.get("container") in self._live.edge:
                    self._want("edge", "")
            case _ if hint.type in BY_NAME and not self._is_own(hint):
                self._want(hint.type, hint.id)
                if self._may_be_edge(hint):
                    self._want("edge-services", "")

    def _may_be_edge(self, hint: Hint) -> bool:
        return hint.id in self._live.edge_view.services or (hint.type == SERVICE.name and hint.action == "create")

    def _is_own(self, hint: Hint) -> bool:
        known_by = hint.attributes.get("name", "") if hint.action == "create" else hint.id
        return self._own.is_own_event(known_by, hint.action)

    def _want(self, what: str, object_id: str) -> None:
        self._pending[what, object_id] = None
        self._reads.ring()

    async def _watch_routers(self) -> None:
        while True:
            await anyio.sleep(self._routers.period)
            await self._routers.look()

    async def _refresh_pending(self) -> None:
        while True:
            await self._reads.wait()
            pending, self._pending = self._pending, {}
            try:
                await self._refresh(list(pending))
            except EngineError as error:
                log.warning("hints.unread", error=error.message)
                await anyio.sleep(0.5)
                self._want("all", "")

    async def _refresh(self, wanted: list[tuple[str, str]]) -> None:
        if ("all", "") in wanted or len(wanted) > _LIST_INSTEAD:
            await self._feed.refresh_all()
            for what, object_id in wanted:
                self._tell(what, object_id)
            return
        for what, object_id in wanted:
            match what:
                case "edge":
                    await self._feed.refresh_edge()
                case "edge-services":
                    await self._feed.refresh_edge_services()
                case _:
                    await self._feed.refresh(what, object_id)
                    self._tell(what, object_id)

    def _tell(self, what: str, object_id: str) -> None:
        """Have the owner look, also when what was read is known.

        What somebody did right after a write of ours is read back with it, and whoever wrote has planned before that.
        """
        if what in BY_NAME and (owner := self._live.owner(what, object_id)) is not None:
            self._live.tell({owner})
