"""``setup``: roles, database, schema, and the files with their connection strings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from controller.actions.setup import Wanted
from controller.actions.setup import setup as set_up
from controller.cli.output import say
from controller.settings_sources import INSTALLED


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command(name="setup")(setup)


def setup(
    *,
    admin: Annotated[
        str,
        typer.Option(
            help="Connection string of a superuser; without it the server of this machine.",
            metavar="URL",
            envvar="SKYPANEL_ADMIN_URL",
        ),
    ] = "",
    database: Annotated[str, typer.Option(help="Name of the database.", metavar="NAME")] = "skypanel",
    host: Annotated[
        str,
        typer.Option(help="Host that the logins connect to, where it is another than the superuser's.", metavar="HOST"),
    ] = "",
    folder: Annotated[Path, typer.Option(help="Where the files go.", metavar="FOLDER")] = INSTALLED.parent,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Make nothing; say what would be made.")] = False,
) -> None:
    """Make roles, database and schema on a PostgreSQL server, and write the files that the commands read.

    Only what is missing is made: run it again after an upgrade, or when it was interrupted. `env` has the
    controller's connection string and a key for config vars, `panel.env` the connection string of people's commands and
    of a panel, `api.env` that of `skypanel api`; all are for root alone. No password is shown, and none stands in the
    server's log.

    A password on a command line can be seen by others: put the URL into SKYPANEL_ADMIN_URL, or into a PGPASSFILE.

    **Examples**

        skypanel setup
        SKYPANEL_ADMIN_URL=postgresql://postgres:...@db.example.com/postgres skypanel setup --database panel
    """
    done: list[str] = []

    def step(text: str) -> None:
        done.append(text)
        say(f"  {text}")

    set_up(Wanted(admin, database, host, folder), step, dry=dry_run)
    if not done:
        say("everything is there")
