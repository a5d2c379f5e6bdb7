"""Puts the running edge on a tenant's network, in place: no restart, no gap for the other tenants."""

from __future__ import annotations

from controller.swarm.client import EngineClient
from controller.swarm.errors import NotFound
from controller.swarm.liveview import LiveView
from reconcilers.ports import LiveNetwork


class Edge:
    """The edge containers of one engine."""

    def __init__(self, client: EngineClient, live: LiveView) -> None:
        self._client = client
        self._live = live

    async def join(self, network: LiveNetwork) -> None:
        """Put every edge container on ``network``."""
        for container, joined in list(self._live.edge.items()):
            if network.name not in joined:
                await self._client.connect(network.id, container)
        await self._live.refresh_edge(tell=False)

    async def leave(self, network: LiveNetwork) -> None:
        """Take every edge container off ``network``."""
        for container, joined in list(self._live.edge.items()):
            if network.name in joined:
                try:
                    await self._client.disconnect(network.id, container)
                except NotFound:
                    pass
        await self._live.refresh_edge(tell=False)
