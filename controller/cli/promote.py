"""``promote``: another environment of an app runs what this one does."""

from __future__ import annotations

from typing import Annotated

import typer

from controller.actions.promote import promote as promote_release
from controller.actions.releases import place
from controller.actions.wait import wait_written
from controller.cli.formats import Format, Output
from controller.cli.inputs import Reason, Timeout, Wait, complete_place, database, seconds, settings
from controller.cli.output import say, warn
from controller.cli.progress import shown
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
    limit, options = seconds(timeout), settings().options
    with database(declares=True, tries=dry_run, why=reason) as conn:
        ours, theirs = place(conn, source), place(conn, target)
        done = promote_release(conn, ours, theirs, release, options, dry_run=dry_run)
        if output is Format.TABLE:
            would = "would run" if dry_run else "runs"
            say(f"{theirs.name}: {would} what release {done.release.version} of {ours.name} does")
        if "@" not in done.release.image:
            warn(f"{done.release.image} has no digest: what it means may be something else by now")
        if done.differs:
            warn(f"{theirs.name} has settings of its own: {', '.join(done.differs)}")
        show_written(done.written, output)
        if wait and not dry_run:
            with shown(output) as show_progress:
                wait_written(conn, done.written, limit, show_progress)
