"""/metrics, /healthz and /readyz.

``/healthz`` answers while the process's event loop does. ``/readyz`` says whether it does its job: the database and the
engine answer, and it leads, or stands by for the one that does.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

Checks = Callable[[], dict[str, Any]]


def application(checks: Checks) -> Starlette:
    """The ASGI application; ``checks`` gives ``{"ready": bool, "role": ..., ...}``."""

    async def metrics(_request: Request) -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    async def healthz(_request: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(_request: Request) -> Response:
        found = checks()
        return JSONResponse(found, status_code=200 if found["ready"] else 503)

    return Starlette(
        routes=[Route("/metrics", metrics), Route("/healthz", healthz), Route("/readyz", readyz)],
    )


class ListenError(Exception):
    """The address of /metrics cannot be listened on."""


class HealthServer(uvicorn.Server):
    """uvicorn without its signal handlers: the daemon has its own."""

    def __init__(self, checks: Checks) -> None:
        super().__init__(
            uvicorn.Config(
                application(checks),
                log_config=None,
                access_log=False,
                lifespan="off",
                timeout_graceful_shutdown=1,
            )
        )

    def capture_signals(self) -> Any:
        """Leave the signals alone."""
        return nullcontext()
