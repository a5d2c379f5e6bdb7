"""``version``: what this is."""

from __future__ import annotations

import platform
import sys

import typer

from controller.cli.formats import Format, Output, emit
from controller.kit.version import own_version
from controller.swarm.usable import MINIMUM_API


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command()(version)


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
    sys.stdout.write(
        f"skypanel {found['skypanel']} (Python {found['python']}, Docker Engine API {found['engineApiMinimum']}+)\n"
    )
