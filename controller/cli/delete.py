"""``delete``: ask for the removal of what was declared."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from controller.actions.delete import below, target_of
from controller.actions.errors import ActionError
from controller.actions.paths import complete
from controller.cli.asking import is_meant
from controller.cli.errors import ExitCode
from controller.cli.formats import Format, Output
from controller.cli.inputs import Named, Timeout, Wait, backend, read_files, seconds
from controller.cli.output import say, warn
from controller.cli.shown import show_written
from controller.declared.objects import DeclaredObject, Read
from controller.declared.written import Target


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command(name="delete")(delete)


def delete(
    kind: Annotated[
        str | None, typer.Argument(help="Its kind, such as env.", metavar="KIND", autocompletion=complete)
    ] = None,
    name: Named = None,
    *,
    file: Annotated[
        list[str] | None,
        typer.Option("--file", "-f", help="Delete what this file declares; may be repeated.", metavar="FILE"),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
    wait: Wait = False,
    timeout: Timeout = "5m",
    output: Output = Format.TABLE,
) -> None:
    """Delete one declared object, or all that files declare, with everything below it.

    The controller then removes what runs; `--wait` waits until nothing of it is left. The name is free at once. A Plan
    is deleted at once, unless an environment uses it. On a terminal it asks first; elsewhere it does not.

    **Examples**

        skypanel delete environment acme/shop/production --wait
        skypanel delete -f shop.yaml --yes
    """
    limit = seconds(timeout)
    with backend(declares=True) as there:
        targets = _chosen(there.read, kind, name, file)
        asks = not yes and sys.stdin.isatty() and output is Format.TABLE
        if asks and not is_meant(_named(targets, [o for target in targets for o in below(there.read, target)])):
            say("nothing was deleted")
            raise typer.Exit(ExitCode.ERROR)
        done = there.delete(targets)
        for said in done.warnings:
            warn(said)
        show_written(done.written, output)
        if wait:
            from controller.cli.progress import shown  # noqa: PLC0415 - who does not wait needs no rich

            with shown(output) as show_progress:
                there.wait(done.written, limit, show_progress, deleted=True)


def _chosen(read: Read, kind: str | None, name: str | None, files: Sequence[str] | None) -> list[Target]:
    if files:
        if kind:
            raise ActionError("give a kind and a name, or files, not both")
        found = read_files(files)
        for each in found.variables:
            warn(f"{each.at(())}: {each.label}: config vars go with what they are for, or by `skypanel config unset`")
        if not found.resources:
            raise ActionError("no object is declared there", "`skypanel config unset` takes config vars away")
        return [Target.of(entry) for entry in found.resources]
    if not kind:
        raise ActionError("nothing to delete was named", "give a kind and a name, or files with -f")
    return [target_of(read, kind, name)]


def _named(targets: Sequence[Target], below: Sequence[DeclaredObject]) -> list[str]:
    named = [f"{t.kind.lower()} {t.name}" for t in targets]
    return named + [text for o in below if (text := f"{o.kind.lower()} {o.name}") not in named]
