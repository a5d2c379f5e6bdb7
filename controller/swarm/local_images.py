"""Images that the manager's engine has: built there, loaded, or pulled."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from controller.swarm.client import EngineClient
from controller.swarm.errors import NotFound, outcomes


class LocalImages:
    """What one engine has.

    Args:
        client: to it.
    """

    def __init__(self, client: EngineClient) -> None:
        self._client = client
        self._architecture = ""

    async def architecture(self) -> str:
        """Of its machine, as Go calls it; it stays the same.

        Raises:
            TransientError: the engine did not answer.
        """
        if not self._architecture:
            async with outcomes():
                self._architecture = await self._client.architecture()
        return self._architecture

    async def image(self, name: str) -> Mapping[str, Any] | None:
        """What it has under a reference or a prefix of an id, inspected; None: nothing.

        Raises:
            TransientError: the engine did not answer.
        """
        async with outcomes():
            try:
                return await self._client.image(name)
            except NotFound:
                return None
