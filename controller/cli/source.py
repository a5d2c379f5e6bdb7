"""``source``: passwords of repositories, and a look that is asked for now."""

from __future__ import annotations

import getpass
import sys
from typing import Annotated

import typer

from controller.actions import sources
from controller.actions.config import refusals
from controller.actions.reconcile import ask, handled
from controller.actions.registries import password_of
from controller.cli.inputs import Timeout, bytes_of, database, seconds, settings
from controller.cli.output import say
from specs.kinds import SOURCE
from specs.registries import check_username

Name = Annotated[str, typer.Argument(help="Organization and source: acme/main.", metavar="ORGANIZATION/NAME")]


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    group = typer.Typer(help="Sources of spec files: set a password, look now.", no_args_is_help=True)
    group.command(name="password")(password)
    group.command(name="sync")(sync)
    app.add_typer(group, name="source")


def password(
    name: Name,
    *,
    username: Annotated[str, typer.Option("--username", "-u", help="User of the repository.", metavar="NAME")],
    source: Annotated[
        str | None,
        typer.Option("--from", help="Take the password from this file; - is standard input.", metavar="FILE"),
    ] = None,
) -> None:
    """Set the user that a repository is read with; his password is asked for, or read from standard input.

    It is not taken from the command line, which others on the machine can see and the shell remembers. Give a token
    that may only read. It is sealed for this repository: with another address it has to be set again.

    **Examples**

        skypanel source password acme/main --username ada
        printf %s "$token" | skypanel source password acme/main --username token
    """
    with refusals("--username"):
        check_username(username)
    if source is None and sys.stdin.isatty():
        given = getpass.getpass(f"password of {username} (not shown): ").encode("utf-8", "surrogateescape")
    else:
        given = bytes_of(source or "-")
    secret = password_of(given)
    with database(declares=True) as conn:
        version = sources.set_password(conn, settings().vault, name, username, secret)
        say(f"source {name}: password of {username} set (version {version})")


def sync(name: Name, *, timeout: Timeout = "1m") -> None:
    """Have the controller look at a source now, and print what came of it.

    **Examples**

        skypanel source sync acme/main
    """
    limit = seconds(timeout)
    with database() as conn:
        request = ask(conn, SOURCE, name)
        reason, message = handled(conn, request, limit)
        show_look(request.words, reason, message)


def show_look(words: str, reason: str, message: str) -> None:
    """What came of a look."""
    say(f"{words}  {reason}  {message}")
