"""Serves the API: uvicorn on uvloop, until SIGTERM or SIGINT; what is being answered is answered first."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from controller.kit.expected import ExpectedError
from controller.settings import Settings

_DRAIN_SECONDS = 25
_KEEP_ALIVE_SECONDS = 75
_BACKLOG = 1024


def serve(app: FastAPI, listeners: list[socket.socket]) -> None:
    """Run until a signal, on what ``listen`` gave."""
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
    _Server(config).run(sockets=listeners)


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


def listen(settings: Settings) -> list[socket.socket]:
    """Listen where the settings say.

    Raises:
        ExpectedError: that cannot be.
    """
    with ExitStack() as opened:
        found = [opened.enter_context(_address(settings))]
        if settings.skypanel_api_socket is not None:
            found.append(opened.enter_context(_socket(settings.skypanel_api_socket)))
        opened.pop_all()
    return found


def _address(settings: Settings) -> socket.socket:
    try:
        host, port = settings.api_listen
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except (OSError, ValueError) as error:
        where = settings.skypanel_api_listen if isinstance(error, OSError) else "what SKYPANEL_API_LISTEN says"
        raise ExpectedError(
            f"cannot listen on {where} for the API ({error}): set SKYPANEL_API_LISTEN to a free host:port"
        ) from error


def _socket(path: Path) -> socket.socket:
    """For whoever reaches its folder: that is what keeps others away."""
    try:
        if path.is_socket():
            _refuse_if_used(path)
            path.unlink()
        with ExitStack() as opened:
            listener = opened.enter_context(socket.socket(socket.AF_UNIX))
            listener.bind(str(path))
            path.chmod(0o666)
            listener.listen(_BACKLOG)
            opened.pop_all()
    except OSError as error:
        raise ExpectedError(
            f"cannot listen on {path} for the API ({error.strerror or error}): set SKYPANEL_API_SOCKET to a path in a "
            "folder of its own"
        ) from error
    return listener


def _refuse_if_used(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as other, suppress(ConnectionRefusedError):
        other.connect(str(path))
        raise OSError(errno.EADDRINUSE, "another one listens there")
