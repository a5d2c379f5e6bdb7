"""Puts the running edge on a tenant's network, in place: no restart, no gap for the other tenants.

The engine gives a container that is joined in place an address of its node's own choice, of which Swarm's allocator
knows nothing: a task would be given the same one later, and fail or shadow it. So tasks' addresses come from the lower
half of the subnet (the network's IPRange), and the edge is given one of the upper half.
"""

from __future__ import annotations

import random
from contextlib import suppress
from ipaddress import IPv4Address, IPv4Network

from controller.swarm.client import EngineClient
from controller.swarm.errors import NameTaken, NotFound
from controller.swarm.feed import Feed
from controller.swarm.liveview import LiveView
from reconcilers.outcomes import NotReadyError
from reconcilers.ports import LiveNetwork

_PIN_SECONDS = 0.15


class Edge:
    """The edge containers of one engine."""

    def __init__(self, client: EngineClient, live: LiveView, feed: Feed) -> None:
        self._client = client
        self._live = live
        self._feed = feed

    async def join(self, network: LiveNetwork) -> None:
        """Put every edge container on ``network``.

        Raises:
            NotReadyError: the network has not reached this node yet; its pin brings it.
        """
        for container, joined in list(self._live.edge.items()):
            if network.name in joined:
                continue
            try:
                await self._client.connect(network.id, container, str(_address(network)))
            except NameTaken:
                pass  # on it already
            except NotFound as error:
                if "network" not in error.message:
                    continue  # the container has gone; its successor is joined when it starts
                raise NotReadyError(
                    "EdgeWaitsForPin",
                    f"network {network.name} has not reached the edge's node yet; waiting until its pin has it there",
                    retry_after=_PIN_SECONDS,
                ) from error
        await self._feed.refresh_edge(tell=False)

    async def leave(self, network: LiveNetwork) -> None:
        """Take every edge container off ``network``."""
        for container, joined in list(self._live.edge.items()):
            if network.name in joined:
                with suppress(NotFound):
                    await self._client.disconnect(network.id, container)
        await self._feed.refresh_edge(tell=False)


def _address(network: LiveNetwork) -> IPv4Address:
    """Any address of the upper half; a collision with another edge container is refused and tried again."""
    subnet = IPv4Network(network.subnet or "0.0.0.0/0")
    upper = list(subnet.subnets(prefixlen_diff=1))[1]
    return upper[random.randrange(upper.num_addresses - 1)]  # noqa: S311 - not a secret; the last one is broadcast
