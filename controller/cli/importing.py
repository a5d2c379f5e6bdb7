"""``import``: spec files from what other programs read."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from controller.actions.compose import convert_files, variables
from controller.actions.errors import ActionError
from controller.cli.inputs import settings
from controller.cli.output import counted, error_console, note
from specs.compose.convert import Wanted


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    group = typer.Typer(help="Write spec files from what other programs read.", no_args_is_help=True)
    group.command(name="compose")(compose)
    app.add_typer(group, name="import")


def compose(
    files: Annotated[
        list[str],
        typer.Argument(
            help="Compose or stack files, later ones over earlier ones; - is standard input.", metavar="FILE"
        ),
    ],
    *,
    organization: Annotated[
        str, typer.Option("--organization", "-n", help="That the apps are to belong to.", metavar="NAME")
    ],
    environment: Annotated[str, typer.Option(help="Name of each app's environment.", metavar="NAME")] = "production",
    app: Annotated[
        str,
        typer.Option(
            help="Name of the app; of several ones, what their names begin with. They have those of the services else.",
            metavar="NAME",
        ),
    ] = "",
    image: Annotated[
        list[str] | None,
        typer.Option(
            help="Image of a service that is built, or instead of its own; may be repeated.", metavar="SERVICE=IMAGE"
        ),
    ] = None,
    env_file: Annotated[
        list[Path] | None,
        typer.Option(
            help="Variables, below those of the environment, instead of .env beside the first FILE; may be repeated.",
            metavar="FILE",
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Where to; standard output when left out.", metavar="FILE")
    ] = None,
) -> None:
    """Write a spec file that says what Compose files say, and list what has no counterpart.

    Each service becomes an App with one Environment, and each host name in labels of Traefik a Domain. Variables are
    filled in as Compose does, from the environment and `.env`. What is not carried over is listed on standard error,
    with its line, the reason and what to do, and stands in the file as comments. Values of `environment`, `env_file`
    and secrets are never written. Nothing is declared: `plan` and `apply` take the file.

    **Examples**

        skypanel import compose compose.yaml -n acme > acme.yaml
        skypanel import compose compose.yaml compose.prod.yaml -n acme -o acme.yaml
        skypanel import compose compose.yaml -n acme --image web=registry.example.com/web:1 -o acme.yaml
    """  # fmt: skip
    if output is not None and output.resolve() in {Path(file).resolve() for file in files}:
        raise ActionError(f"--output: {output} is one of the files that are read", "name another")
    wanted = Wanted(
        organization, environment, app, dict(_image(text) for text in image or ()), variables(files, env_file or ()),
        settings().skypanel_allowed_registries,
    )  # fmt: skip
    found = convert_files(files, wanted, sys.stdin.buffer)
    for said in found.notes:
        note(str(said))
    if output is None:
        sys.stdout.write(found.text)
    else:
        try:
            output.write_text(found.text, encoding="utf-8")
        except OSError as error:
            raise ActionError(f"--output: {output} cannot be written: {error.strerror}", "check the path") from None
    told = f"; {counted(len(found.notes), 'thing')} to look at" if found.notes else ""
    error_console().print(f"written: {counted(len(found.written), 'service')}{told}")


def _image(text: str) -> tuple[str, str]:
    service, _, image = text.partition("=")
    if not service or not image:
        raise ActionError(f"--image: {text} is not SERVICE=IMAGE", "such as web=registry.example.com/web:1")
    return service, image
