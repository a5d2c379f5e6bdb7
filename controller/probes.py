"""/metrics, /healthz, /readyz, and /debug/reconciles for `skypanel trace`.

``/healthz`` answers while the process's event loop does. ``/readyz`` says whether it does its job: the database and the
engine answer, and it leads, or stands by for the one that does. ``/debug/reconciles`` names objects and what was done
to them, so it answers programs of the same machine only.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from ipaddress import IPv6Address, ip_address
from typing import Any

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from controller.kit.expected import ExpectedError

Checks = Callable[[], dict[str, Any]]
Reconciles = Callable[[str, str], Awaitable[dict[str, Any]]]


def application(checks: Checks, reconciles: Reconciles) -> Starlette:
    """The ASGI application.

    Args:
        checks: gives ``{"ready": bool, "role": ..., ...}``.
        reconciles: of a kind and an id, gives ``{"role": ..., "leader": ..., "reconciles": [...]}``.
    """

    async def metrics(_request: Request) -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    async def healthz(_request: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(_request: Request) -> Response:
        found = checks()
        return JSONResponse(found, status_code=200 if found["ready"] else 503)

    async def debug_reconciles(request: Request) -> Response:
        if not _is_of_this_machine(request):
            return PlainTextResponse(
                "reconciles are shown to programs of this machine only: run `skypanel trace` here, or come through "
                "`ssh -L 9470:127.0.0.1:9470`\n",
                status_code=403,
            )
        kind, object_id = request.query_params.get("kind", ""), request.query_params.get("id", "")
        if not (kind and object_id):
            return PlainTextResponse("say of what: /debug/reconciles?kind=environment&id=UUID\n", status_code=400)
        return JSONResponse(await reconciles(kind, object_id))

    return Starlette(
        routes=[
            Route("/metrics", metrics),
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            Route("/debug/reconciles", debug_reconciles),
        ],
    )


def _is_of_this_machine(request: Request) -> bool:
    """Over the loopback, or from the very address that is listened on, which only this machine can use."""
    if request.client is None:
        return False
    here = request.scope.get("server")
    if here is not None and request.client.host == here[0]:
        return True
    try:
        address = ip_address(request.client.host)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback


class ListenError(ExpectedError):
    """The address of /metrics cannot be listened on."""


class HealthServer(uvicorn.Server):
    """uvicorn without its signal handlers: the daemon has its own."""

    def __init__(self, checks: Checks, reconciles: Reconciles) -> None:
        super().__init__(
            uvicorn.Config(
                application(checks, reconciles),
                log_config=None,
                access_log=False,
                lifespan="off",
                timeout_graceful_shutdown=1,
            )
        )

    def capture_signals(self) -> Any:
        """Leave the signals alone."""
        return nullcontext()
