"""``init``: a first spec file from what a repository has."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from controller.actions import beginning
from controller.actions.beginning import FILE
from controller.actions.errors import ActionError
from controller.cli.inputs import settings
from controller.cli.output import note, say
from specs.beginning.spec import Wanted
from specs.loader import STDIN
from specs.schema_export import ANY_KIND


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command()(init)


def init(
    folder: Annotated[Path, typer.Argument(help="Of the repository.", metavar="FOLDER")] = Path(),
    *,
    organization: Annotated[
        str, typer.Option("--organization", "-n", help="That the app is to belong to.", metavar="NAME")
    ],
    image: Annotated[str, typer.Option(help="That it runs: built elsewhere, and pushed.", metavar="IMAGE")] = "",
    app: Annotated[
        str, typer.Option(help="Name of the app; that of app.json or of the folder else.", metavar="NAME")
    ] = "",
    environment: Annotated[str, typer.Option(help="Name of its environment.", metavar="NAME")] = "production",
    plan: Annotated[str, typer.Option(help="Plan that limits its tasks.", metavar="NAME")] = "",
    domain: Annotated[str, typer.Option(help="Host name that leads to it.", metavar="HOST")] = "",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help=f"Where to, FOLDER/{FILE} else; - is standard output.")
    ] = None,
) -> None:
    """Write a first spec file from what a repository has: Procfile, Dockerfile and app.json.

    Each line of the Procfile becomes a Process, the first port that the Dockerfile exposes the port of `web`; numbers
    of tasks and checks come from app.json. What has no counterpart is listed with what to do; values of config vars are
    never written. A file that is there already stays as it is, and nothing is declared: `plan` and `apply` take it.

    **Examples**

        skypanel init -n acme --image registry.example.com/acme/shop:1
        skypanel init shop/ -n acme --image ghcr.io/acme/shop:1 --plan small --domain shop.example.com
    """
    if not image:
        raise ActionError(
            "which image does it run?",
            "build it, push it to a registry, and name it: --image registry.example.com/acme/shop:1",
        )
    target = output or folder / FILE
    wanted = Wanted(organization, app, environment, image, plan, domain)
    found = settings()
    made = beginning.begin(
        folder,
        wanted,
        found.skypanel_allowed_registries,
        file=FILE if str(target) == STDIN else target.name,
        schemas=f"https://{found.skypanel_api_host}/schemas/{ANY_KIND}" if found.skypanel_api_host else "",
    )
    for said in made.notes:
        note(str(said))
    if str(target) == STDIN:
        sys.stdout.write(made.text)
        return
    beginning.write(target, made.text)
    of = ", ".join(made.read) or "nothing but the image, as there is no Procfile, Dockerfile or app.json"
    say(f"{target} written: app {organization}/{made.app} from {of}")
    say(f"next: skypanel plan -f {target}")
