"""``identity``: whether database, Swarm and installation belong together, and accepting what was found."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Annotated

import typer

from controller.actions.identity import Identity, compare
from controller.actions.identity import accept as accept_found
from controller.cli.errors import ExitCode
from controller.cli.formats import Format, Output, emit
from controller.cli.inputs import database, settings
from controller.cli.output import say, says_yes


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command(name="identity")(identity)


def identity(
    *,
    accept: Annotated[
        bool, typer.Option("--accept", help="Accept what is found now, and let the controller continue with it.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
    output: Output = Format.TABLE,
) -> None:
    """Show whether database, Swarm and installation belong together.

    The database names the Swarm and the installation that it is for; the Swarm has a mark that names the database. A
    restored copy, a wrong DATABASE_URL or DOCKER_HOST, or a second installation on one database do not match: the
    controller then writes nothing, until it is corrected or accepted here.

    Exit code 0: they match, or were accepted; 2: they do not match.

    **Examples**

        skypanel identity
        skypanel identity --accept
    """
    chosen = settings()
    with database(as_controller=True) as conn:
        found = compare(conn, chosen)
        if not found.problem or not accept:
            show(found, output)
            if found.problem:
                raise typer.Exit(ExitCode.CHANGES)
            return
        if output is Format.TABLE:
            show(found, output)
            if not yes and sys.stdin.isatty() and not says_yes("Accept this?"):
                say("nothing was accepted")
                raise typer.Exit(ExitCode.ERROR)
        accept_found(conn, found)
    if output is Format.TABLE:
        say("accepted: the controller continues within seconds")
    else:
        show(replace(found, problem=""), output)


def show(found: Identity, form: Format) -> None:
    """What belongs together, in the ``form`` that was asked for."""
    if form is not Format.TABLE:
        emit(found.document(), form)
        return
    say(f"database      {found.claim.database_id or 'new: the first controller that leads gives it an id'}")
    say(f"swarm         {found.cluster_id}")
    say(f"installation  {found.installation}")
    if found.problem:
        say()
        say(f"They do not belong together: {found.problem}.")
        say("The controller writes nothing. Correct the setting, or accept it with `skypanel identity --accept`.")
    else:
        say("They belong together.")
