"""``restore``: undo a deletion."""

from __future__ import annotations

import typer

from controller.actions.delete import below
from controller.cli.formats import Format, Output
from controller.cli.inputs import Kind, Named, Timeout, Wait, backend, seconds
from controller.cli.output import say
from controller.cli.shown import show_written


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command(name="restore")(restore)


def restore(
    kind: Kind,
    name: Named = None,
    *,
    wait: Wait = False,
    timeout: Timeout = "5m",
    output: Output = Format.TABLE,
) -> None:
    """Undo the deletion of an object, with what was deleted together with it.

    Rows are kept for SKYPANEL_RETENTION_DAYS after their removal is done. What runs again begins with empty containers.

    **Examples**

        skypanel restore environment acme/shop/production --wait
    """
    limit = seconds(timeout)
    with backend(declares=True) as there:
        written = there.restore(kind, name)
        show_written([written], output)
        if output is Format.TABLE:
            for found in below(there.read, written.target):
                say(f"  with {found.kind.lower()} {found.name}")
        if wait:
            from controller.cli.progress import shown  # noqa: PLC0415 - who does not wait needs no rich

            with shown(output) as show_progress:
                there.wait([written], limit, show_progress)
