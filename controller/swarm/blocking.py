"""The engine, asked in the calling thread: for commands that only look."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from controller.swarm.transport import DockerTransport
from controller.swarm.wire import decoded


class BlockingClient:
    """One engine."""

    def __init__(self, transport: DockerTransport) -> None:
        self._transport = transport

    def call(self, method: str, path: str, query: Mapping[str, Any] | None = None) -> Any:
        """One request; the decoded answer.

        Raises:
            EngineError: one of its subclasses, by what the engine said.
        """
        return decoded(*self._transport.exchange_blocking(method, path, query, None))

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()
