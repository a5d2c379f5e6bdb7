"""``deploy`` and ``scale``: another image, or another number of tasks, in the spec of an environment."""

from __future__ import annotations

from typing import Annotated

import psycopg
import typer

from controller.actions.change import Changed, change
from controller.actions.deploy import overruled, with_image
from controller.actions.errors import ActionError
from controller.actions.releases import place
from controller.actions.scale import parse
from controller.actions.scale import scale as scale_processes
from controller.actions.wait import wait_written
from controller.cli.formats import Format, Output
from controller.cli.inputs import (
    Commit,
    DryRun,
    One,
    Reason,
    Timeout,
    Wait,
    complete_scale,
    database,
    seconds,
    settings,
)
from controller.cli.output import say, warn
from controller.cli.progress import shown
from controller.cli.shown import show_written
from specs.problems import RefusedError


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    app.command(name="deploy")(deploy)
    app.command(name="scale")(scale)


def deploy(
    path: One,
    image: Annotated[
        str | None, typer.Argument(help="Image, such as registry.example.com/shop/web:1.5.", metavar="IMAGE")
    ] = None,
    *,
    tag: Annotated[str, typer.Option("--tag", "-t", help="Another tag of the image that it has.", metavar="TAG")] = "",
    reason: Reason = "",
    commit: Commit = "",
    dry_run: DryRun = False,
    wait: Wait = False,
    timeout: Timeout = "5m",
    output: Output = Format.TABLE,
) -> None:
    """Have an environment run another image, or another tag of the one that it has.

    PATH may end before the environment where the app has only one. It sets `image` in the spec, as `apply` does, and
    makes a release; with `--wait`, exit code 4 says that it was not ready in time or was taken back.

    **Examples**

        skypanel deploy acme/shop registry.example.com/shop/web:1.5 --wait
        skypanel deploy acme/shop/production --tag 1.5 --reason "faster checkout" --commit c0ffee
        skypanel deploy acme/shop -t 1.5 --dry-run
    """
    if bool(image) == bool(tag):
        raise ActionError(
            "name an image or a tag" if not image else "an image and --tag do not go together",
            f"skypanel deploy {path} IMAGE, or skypanel deploy {path} --tag TAG",
        )
    limit, options = seconds(timeout), settings().options
    with database(declares=True, tries=dry_run, why=reason, commit=commit) as conn:
        owner = place(conn, path)
        try:
            done = change(conn, [(owner, lambda now: with_image(now, image or "", tag))], options, dry_run=dry_run)
        except RefusedError as error:
            raise ActionError(f"--tag: {error.message}", error.hint) from None
        if why := overruled(owner.document()):
            done.warnings.append(f"{owner.name}: {why}; `skypanel rollback {owner.name} --undo` has it run this")
        _end(conn, done, limit if wait and not dry_run else None, output, dry_run=dry_run)


def scale(
    path: One,
    wanted: Annotated[
        list[str],
        typer.Argument(
            help="Number of tasks by process: web=3 worker=1.",
            metavar="PROCESS=NUMBER...",
            autocompletion=complete_scale,
        ),
    ],
    *,
    reason: Reason = "",
    dry_run: DryRun = False,
    wait: Wait = False,
    timeout: Timeout = "5m",
    output: Output = Format.TABLE,
) -> None:
    """Have processes of an environment run so many tasks.

    PATH may end before the environment where the app has only one. It sets `replicas` in the spec, of the processes
    that are named, all of them or none; an environment without processes is scaled by `web=NUMBER`. It makes no
    release.

    **Examples**

        skypanel scale acme/shop web=3 worker=1 --wait
        skypanel scale acme/hello/production web=0
    """
    numbers = parse(wanted)
    limit, options = seconds(timeout), settings().options
    with database(declares=True, tries=dry_run, why=reason) as conn:
        done = scale_processes(conn, place(conn, path), numbers, options, dry_run=dry_run)
        _end(conn, done, limit if wait and not dry_run else None, output, dry_run=dry_run)


def _end(conn: psycopg.Connection, done: Changed, limit: float | None, output: Format, *, dry_run: bool) -> None:
    for said in done.warnings:
        warn(said)
    show_written(done.written, output)
    if dry_run and output is Format.TABLE:
        say("nothing was changed: --dry-run", "dim")
    if limit is not None:
        with shown(output) as show_progress:
            wait_written(conn, done.written, limit, show_progress)
