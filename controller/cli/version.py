"""``version``: what this is."""

from __future__ import annotations

import typer

from controller.cli.formats import Format, Output, emit
from controller.cli.version_line import say_version, versions


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command()(version)


def version(output: Output = Format.TABLE) -> None:
    """Show the version of this program.

    **Examples**

        skypanel version
        skypanel version -o json
    """
    if output is Format.TABLE:
        say_version()
    else:
        emit(versions(), output)
