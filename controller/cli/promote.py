"""``promote``: another environment of an app runs what this one does."""

from __future__ import annotations

from typing import Annotated

import typer

from controller.cli.formats import Format, Output
from controller.cli.inputs import Reason, Timeout, Wait, backend, complete_place, seconds
from controller.cli.output import say, warn
from controller.cli.shown import show_written


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command(name="promote")(promote)


def promote(
    source: Annotated[
        str,
        typer.Argument(
            help="Environment that runs it: acme/shop/staging.", metavar="FROM", autocompletion=complete_place
        ),
    ],
    target: Annotated[
        str,
        typer.Argument(
            help="Environment of the same app: acme/shop/production.", metavar="TO", autocompletion=complete_place
        ),
    ],
    *,
    release: Annotated[
        int | None, typer.Option("--release", help="Release of FROM; left out: the last one that all its tasks ran.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change, and change nothing.")] = False,
    reason: Reason = "",
    wait: Wait = False,
    timeout: Timeout = "5m",
    output: Output = Format.TABLE,
) -> None:
    """Have an environment run the image and the processes that another one of the same app runs.

    The image is the same to the byte, by its digest. Config vars, scale, size and place stay those of TO; what of its
    container is set otherwise than in FROM is named. It is declared as by `apply`, and makes a release of TO.

    **Examples**

        skypanel promote acme/shop/staging acme/shop/production --dry-run
        skypanel promote acme/shop/staging acme/shop/production --wait --reason "checked by QA"
    """
    limit = seconds(timeout)
    with backend(declares=True, tries=dry_run, why=reason) as there:
        done = there.promote(source, target, release, dry_run=dry_run)
        if output is Format.TABLE:
            would = "would run" if dry_run else "runs"
            say(f"{done.target}: {would} what release {done.version} of {done.source} does")
        if "@" not in done.image:
            warn(f"{done.image} has no digest: what it means may be something else by now")
        if done.differs:
            warn(f"{done.target} has settings of its own: {', '.join(done.differs)}")
        show_written(done.written, output)
        if wait and not dry_run:
            from controller.cli.progress import shown  # noqa: PLC0415 - who does not wait needs no rich

            with shown(output) as show_progress:
                there.wait(done.written, limit, show_progress)
