"""``plan``: what ``apply`` would change, in the rows and on the Swarm. Nothing is changed."""

from __future__ import annotations

import typer

from controller.cli.errors import ExitCode
from controller.cli.formats import Format, Output
from controller.cli.inputs import AgeKey, Files, MoreFiles, Prune, Values, backend, read_files
from controller.cli.planned import show_plan


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command(name="plan")(plan)
    app.command(name="diff")(diff)


def plan(
    files: MoreFiles = None,
    *,
    file: Files = None,
    age_key: AgeKey = None,
    value: Values = None,
    prune: Prune = "",
    output: Output = Format.TABLE,
) -> None:
    """Show what `apply -f` would change, in the rows and then on the Swarm, and change nothing.

    `+` is created, `~` changed, `±` recreated, `-` removed. The Swarm's part also shows drift of the objects that the
    files name. Of a release that is held (by its image policies, its registry, its release command, or as it failed) it
    is said why, and only what comes all the same is shown. Without the engine, only the rows are compared. At the end
    stands what the organizations of changed rows cost by the hour and by the month, before and after.

    Exit code 0: nothing would change; 2: something would; 1: it would be refused.

    **Examples**

        skypanel plan -f shop.yaml
        skypanel plan -f specs/ -o json | jq '.swarm[].name'
    """
    entries = read_files(file, files, age_key=age_key, values=value)
    with backend(declares=True, tries=True) as there:
        looked_ahead = there.preview(entries, prune)
    show_plan(looked_ahead, output)
    if looked_ahead.changed:
        raise typer.Exit(ExitCode.CHANGES)


def diff(
    files: MoreFiles = None,
    *,
    file: Files = None,
    age_key: AgeKey = None,
    value: Values = None,
    prune: Prune = "",
    output: Output = Format.TABLE,
) -> None:
    """Show what `apply -f` would change; the same as `plan`.

    Exit code 0: nothing would change; 2: something would; 1: it would be refused.

    **Examples**

        skypanel diff -f shop.yaml
    """
    plan(files, file=file, age_key=age_key, value=value, prune=prune, output=output)
