"""``up``, ``migrate``, ``version``: the daemon, the database's schema, what this is."""

from __future__ import annotations

import gc
import platform
from typing import Annotated

import anyio
import structlog
import typer

from controller.actions.errors import ActionError
from controller.cli.errors import ExitCode
from controller.cli.inputs import Output, database, env_files, of_kinds, settings
from controller.cli.output import Format, emit, say
from controller.postgres.connecting import connection_string
from controller.schema import migrate as migrations
from controller.settings import Settings, models_of_kinds
from controller.settings_sources import sources, unknown
from controller.swarm.usable import MINIMUM_API
from controller.telemetry import logs
from controller.telemetry.metrics import own_version

log = structlog.get_logger(__name__)

_GC_THRESHOLDS = (10_000, 20, 1_000)
"""A reconcile makes thousands of objects and leaves few: looked at less often, most are gone by themselves. A full
collection walks through all that is held of thousands of services and holds everything else meanwhile; it finds next to
nothing, so it comes once in 200 million new objects."""


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    app.command()(up)
    app.command()(migrate)
    app.command()(version)


def up() -> None:
    """Run the controller until SIGTERM or SIGINT.

    It leads, or stands by while another one does. `/metrics`, `/healthz` and `/readyz` are on SKYPANEL_LISTEN.

    Exit code 3: the engine is older than API 1.44 or not a Swarm manager; nothing was touched.

    **Examples**

        DATABASE_URL=postgresql://controller@db/skypanel skypanel up

        DOCKER_HOST=unix:///run/docker.sock SKYPANEL_LOG_FORMAT=json skypanel up
    """
    from controller import daemon  # noqa: PLC0415 - the other commands start faster without it

    found = settings()
    url = found.database_url.get_secret_value()
    if not url:
        raise ActionError(
            "DATABASE_URL is not set", "export DATABASE_URL=postgresql://user:password@host:5432/database"
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
    anyio.run(daemon.run, found, of_kinds(), backend_options={"use_uvloop": True})


def migrate(
    *,
    check: Annotated[bool, typer.Option("--check", help="Change nothing; exit code 2 when it would.")] = False,
    output: Output = Format.TABLE,
) -> None:
    """Bring the database to the schema of this version.

    Works on an empty database, on the panel's own, and again on one that has it already. DATABASE_URL names the role
    that shall own the schema; each file is applied in a transaction of its own.

    **Examples**

        DATABASE_URL=postgresql://owner@db/skypanel skypanel migrate

        skypanel migrate --check || echo "something is to be applied"
    """
    with database(as_controller=True) as conn:
        plan = migrations.plan(conn)
        done = () if check else migrations.apply(conn)
        pending = plan.pending if check else ()
        if not pending:
            migrations.check(conn)
    if output is not Format.TABLE:
        emit({"applied": list(map(str, done)), "pending": list(map(str, pending))}, output)
    else:
        for line in migrations.describe(done):
            say(f"applied  {line}")
        for line in migrations.describe(pending):
            say(f"pending  {line}")
        if not done and not pending:
            say(f"the schema is current: {len(plan.applied)} migrations")
    if pending:
        raise typer.Exit(ExitCode.CHANGES)


def version(output: Output = Format.TABLE) -> None:
    """Show the version of this program.

    **Examples**

        skypanel version

        skypanel version -o json
    """
    found = {
        "skypanel": own_version(),
        "python": platform.python_version(),
        "engineApiMinimum": ".".join(map(str, MINIMUM_API)),
    }
    if output is not Format.TABLE:
        emit(found, output)
        return
    say(f"skypanel {found['skypanel']} (Python {found['python']}, Docker Engine API {found['engineApiMinimum']}+)")
