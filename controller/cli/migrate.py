"""``migrate``: the database's schema."""

from __future__ import annotations

from typing import Annotated

import typer

from controller.cli.errors import ExitCode
from controller.cli.formats import Format, Output, emit
from controller.cli.inputs import database
from controller.cli.output import say
from controller.schema import migrate as migrations


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command()(migrate)


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
