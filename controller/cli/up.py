"""``up``: the daemon."""

from __future__ import annotations

import gc

import anyio
import structlog
import typer

from controller.actions.errors import ActionError
from controller.cli.inputs import env_files, files_of_api, of_kinds, settings_of_api
from controller.kit.memory import give_back_large_blocks
from controller.kit.siblings import keep_from_siblings
from controller.postgres.connecting import connection_string
from controller.settings import Settings
from controller.settings_sources import models_of_kinds, sources, unknown
from controller.telemetry import logs

log = structlog.get_logger(__name__)

_GC_THRESHOLDS = (10_000, 20, 1_000)
"""A reconcile makes thousands of objects and leaves few: looked at less often, most are gone by themselves. A full
collection walks through all that is held of thousands of services and holds everything else meanwhile; it finds next to
nothing, so it comes once in 200 million new objects."""


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command()(up)


def up() -> None:
    """Run the controller until SIGTERM or SIGINT.

    It leads, or stands by while another one does. `/metrics`, `/healthz` and `/readyz` are on SKYPANEL_LISTEN.
    With SKYPANEL_API_DATABASE_URL it runs `skypanel api`, too, as a process that has the API's settings alone;
    SKYPANEL_SERVE_API=false leaves that to others.

    Exit code 3: the engine is older than API 1.44 or not a Swarm manager; nothing was touched.

    **Examples**

        DATABASE_URL=postgresql://controller@db/skypanel skypanel up
        DOCKER_HOST=unix:///run/docker.sock SKYPANEL_LOG_FORMAT=json skypanel up
    """
    from controller import daemon  # noqa: PLC0415 - the other commands start faster without it
    from controller.api_process import NOT_SET, environment_of  # noqa: PLC0415 - as above

    found = settings_of_api()
    url = found.database_url.get_secret_value()
    if not url:
        raise ActionError(
            "DATABASE_URL is not set",
            "export DATABASE_URL=postgresql://user@host/database, or run `skypanel setup` on the controller's machine",
        )
    try:
        connection_string(url, "skypanel")
    except ValueError as error:
        raise ActionError(str(error)) from None
    logs.configure(found.skypanel_log_format, found.skypanel_log_level)
    for said in unknown(sources(env_files()), [Settings, *models_of_kinds().values()]):
        log.warning("settings.unknown", error=said)
    gc.freeze()  # what was imported stays: no full collection need walk through it
    gc.set_threshold(*_GC_THRESHOLDS)
    give_back_large_blocks()
    api = None
    if found.skypanel_serve_api and found.skypanel_api_database_url.get_secret_value():
        keep_from_siblings()
        api = environment_of(sources(files_of_api()))
    elif found.skypanel_serve_api:
        log.info("api.not_started", why=NOT_SET)
    anyio.run(daemon.run, found, of_kinds(), api, backend_options={"use_uvloop": True})
