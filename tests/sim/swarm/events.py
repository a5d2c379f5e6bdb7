"""The event streams: a ring of 256 for each engine, followers that can be cut, frozen, and told too much or too little.

An event reaches a follower through the loop, never within the call that made it. A follower whose stream was cut gets
what the ring still holds since it noticed; one whose stream froze notices after a window, and what was meanwhile is
lost.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.sim.swarm.base import Agenda

Event = dict[str, Any]
OnEvent = Callable[[Event | None], None]
OnEmit = Callable[[Event], list[tuple[float, Event]]]

RING = 256
_ACTIONS = {"create", "update", "remove", "destroy", "connect", "disconnect", "start", "die"}
_TYPES = {"service", "network", "container"}


@dataclass(eq=False, slots=True)
class Follower:
    """One stream: whose, on which node's engine, and whether it still brings anything."""

    client: str
    node: str
    on_event: OnEvent
    broken: asyncio.Event = field(default_factory=asyncio.Event)
    frozen: bool = False


class Events:
    """All streams.

    Args:
        agenda: for the time.
        window_seconds: after which a frozen stream is given up by its follower.
        reconnect_seconds: from a cut to the next connection.
    """

    def __init__(self, agenda: Agenda, *, window_seconds: float = 75.0, reconnect_seconds: float = 0.1) -> None:
        self._agenda = agenda
        self.window_seconds = window_seconds
        self.reconnect_seconds = reconnect_seconds
        self.on_emit: OnEmit | None = None
        """Decides what becomes of an event: a list of (seconds of delay, event); empty drops it."""
        self._rings: dict[str, deque[tuple[float, Event]]] = {}
        self._followers: list[Follower] = []

    def emit(self, event: Event, nodes: list[str]) -> None:
        """Tell the engines of ``nodes`` of an event."""
        deliveries = [(0.0, event)] if self.on_emit is None else self.on_emit(event)
        for delay, each in deliveries:
            if delay > 0:
                self._agenda.at(delay, lambda each=each: self._deliver(each, nodes))  # type: ignore[misc]
            else:
                self._deliver(each, nodes)

    def _deliver(self, event: Event, nodes: list[str]) -> None:
        for node in nodes:
            ring = self._rings.setdefault(node, deque(maxlen=RING))
            ring.append((self._agenda.now, event))
        for follower in self._followers:
            if follower.node in nodes and not follower.frozen:
                asyncio.get_running_loop().call_soon(self._hand_over, follower, event)

    def _hand_over(self, follower: Follower, event: Event) -> None:
        if follower in self._followers and not follower.frozen:
            follower.on_event(event)

    # -- followers ---------------------------------------------------------------------------------------------------

    async def follow(self, client: str, node: str, on_event: OnEvent) -> None:
        """Bring the events of a node's engine until cancelled; None after each (re)connection."""
        since: float | None = None
        while True:
            follower = Follower(client, node, on_event)
            self._followers.append(follower)
            try:
                on_event(None)
                for at, event in list(self._rings.get(node, ())) if since is not None else ():
                    if at >= (since or 0.0):
                        on_event(event)
                await follower.broken.wait()
            finally:
                self._followers.remove(follower)
            since = self._agenda.now
            await asyncio.sleep(self.reconnect_seconds)

    def cut(self, client: str | None = None) -> None:
        """End the streams of a client, or all; they are made anew."""
        for follower in self._chosen(client):
            follower.broken.set()

    def freeze(self, client: str | None = None) -> None:
        """Let the streams of a client, or all, bring nothing any more without ending."""
        for follower in self._chosen(client):
            follower.frozen = True
            self._agenda.at(self.window_seconds, follower.broken.set)

    def _chosen(self, client: str | None) -> list[Follower]:
        return [f for f in self._followers if client is None or f.client == client]


def interesting(kind: str, action: str) -> bool:
    """Whether a controller asks for such events."""
    return kind in _TYPES and action in _ACTIONS
