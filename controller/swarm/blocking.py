"""The engine, asked in the calling thread: for commands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from controller.swarm.transport import DockerTransport
from controller.swarm.wire import decoded


class BlockingClient:
    """One engine."""

    def __init__(self, transport: DockerTransport) -> None:
        self._transport = transport

    def call(
        self, method: str, path: str, query: Mapping[str, Any] | None = None, body: Mapping[str, Any] | None = None
    ) -> Any:
        """One request; the decoded answer.

        Raises:
            EngineError: one of its subclasses, by what the engine said.
        """
        payload = None if body is None else orjson.dumps(body)
        return decoded(*self._transport.exchange_blocking(method, path, query, payload))

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()
