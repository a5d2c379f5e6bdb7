"""Serves the API: uvicorn on uvloop, until SIGTERM or SIGINT; what is being answered is answered first."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI

from controller.kit.expected import ExpectedError
from controller.settings import Settings

_DRAIN_SECONDS = 25
_KEEP_ALIVE_SECONDS = 75
_BACKLOG = 1024


def serve(app: FastAPI, settings: Settings) -> None:
    """Run until a signal.

    Raises:
        ExpectedError: the address cannot be listened on.
    """
    listener = _bind(settings)
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http="httptools",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_DRAIN_SECONDS,
    )
    _Server(config).run(sockets=[listener])


class _Server(uvicorn.Server):
    """One that has ended well when it was told to end."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn does it, and streams end first: they would go on."""
        self.config.app.state.end_streams("this server ends: connect again, with the last id")  # type: ignore[union-attr]
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """As uvicorn does it, without raising the signal once more when all is done."""
        with super().capture_signals():
            yield
            self._captured_signals.clear()


def _bind(settings: Settings) -> socket.socket:
    try:
        host, port = settings.api_listen
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except (OSError, ValueError) as error:
        where = settings.skypanel_api_listen if isinstance(error, OSError) else "what SKYPANEL_API_LISTEN says"
        raise ExpectedError(
            f"cannot listen on {where} for the API ({error}): set SKYPANEL_API_LISTEN to a free host:port"
        ) from error
