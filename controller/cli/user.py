"""``user``: users, as far as declaring needs them."""

from __future__ import annotations

from typing import Annotated

import typer

from controller.actions.users import add as add_user
from controller.cli.inputs import database
from controller.cli.output import say


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    group = typer.Typer(help="Users: an organization has an owner.", no_args_is_help=True)
    group.command(name="add")(add)
    app.add_typer(group, name="user")


def add(
    email: Annotated[
        str, typer.Argument(help="E-mail address, as `spec.owner` of an organization names it.", metavar="EMAIL")
    ],
    *,
    name: Annotated[str, typer.Option(help="Name for people; the address when left out.", metavar="NAME")] = "",
) -> None:
    """Make a user, who can own organizations, and cannot log in anywhere until a panel gives a password.

    Only needed without a panel, which creates its users itself. Nothing is changed when the address already exists.

    **Examples**

        skypanel user add ops@example.com --name "Operations"
    """
    with database(declares=True) as conn:
        made = add_user(conn, email, name)
    say(f"user {email} {'created' if made else 'already exists'}")
