"""``api``: the HTTP API."""

from __future__ import annotations

from typing import Annotated

import structlog
import typer

from controller.cli.inputs import env_files, of_kinds, settings_of_api
from controller.settings import Settings
from controller.settings_sources import models_of_kinds, sources, unknown
from controller.telemetry import logs

log = structlog.get_logger(__name__)


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command()(api)


def api(
    *,
    with_parent: Annotated[
        bool, typer.Option("--with-parent", hidden=True, help="End when standard input does.")
    ] = False,
) -> None:
    """Serve the HTTP API until SIGTERM or SIGINT.

    `skypanel up` runs one already, where it has SKYPANEL_API_DATABASE_URL and SKYPANEL_SERVE_API is not false.
    It listens on SKYPANEL_API_LISTEN and works as the role of SKYPANEL_API_DATABASE_URL, which `skypanel setup` writes
    into /etc/skypanel/api.env. Any number of them may run.
    It speaks HTTP: the edge, or another proxy, has the certificate. `/openapi.json` describes it, `/readyz` says
    whether it reaches the database.

    **Examples**

        SKYPANEL_API_DATABASE_URL=postgresql://api@db/skypanel skypanel api
        SKYPANEL_API_LISTEN=0.0.0.0:9480 skypanel --env-file /etc/skypanel/api.env api
    """
    from controller.api.access import real  # noqa: PLC0415 - the other commands start faster without it
    from controller.api.app import make_app  # noqa: PLC0415 - as above
    from controller.api.server import listen, serve  # noqa: PLC0415 - as above

    found = settings_of_api()
    listeners, free = listen(found), ""
    if with_parent:
        from controller.api.parent import begin  # noqa: PLC0415 - as above

        free = begin(found.skypanel_api_database_url.get_secret_value())
    logs.configure(found.skypanel_log_format, found.skypanel_log_level)
    for said in unknown(sources(env_files()), [Settings, *models_of_kinds().values()]):
        log.warning("settings.unknown", error=said)
    if free:
        log.warning("api.not_confined", why=free)
    serve(make_app(found, of_kinds(), access=real(found)), listeners)
