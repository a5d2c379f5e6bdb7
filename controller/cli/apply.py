"""``apply``: write spec files into the database, all of them or none."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from controller.cli.asking import is_meant
from controller.cli.errors import ExitCode
from controller.cli.formats import Format, Output
from controller.cli.inputs import (
    AgeKey,
    Commit,
    DryRun,
    Files,
    MoreFiles,
    Prune,
    Reason,
    Timeout,
    Values,
    Wait,
    backend,
    read_files,
    seconds,
)
from controller.cli.output import say, warn
from controller.cli.planned import show_plan
from controller.cli.shown import show_written


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command(name="apply")(apply)


def apply(
    files: MoreFiles = None,
    *,
    file: Files = None,
    age_key: AgeKey = None,
    value: Values = None,
    prune: Prune = "",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before --prune deletes something.")] = False,
    reason: Reason = "",
    commit: Commit = "",
    dry_run: DryRun = False,
    wait: Wait = False,
    timeout: Timeout = "5m",
    output: Output = Format.TABLE,
) -> None:
    """Declare what the files say: create what is absent, change what differs, leave the rest.

    All in one transaction: when anything is refused, nothing is written. What the files do not name is left alone; with
    `--prune PATH` what is below that path and in none of them is deleted, but for what a source declares. On a terminal
    it asks first; `plan --prune PATH` shows it.
    With `--wait`, exit code 4 says that something stalled or was not ready in time; it stays declared.
    `--dry-run` shows what would change, as `plan` does, and changes nothing.

    **Examples**

        skypanel apply -f specs/examples
        skypanel apply -f shop.yaml --wait --timeout 2m
        skypanel apply -f acme/ --prune acme/shop
        skypanel get environment acme/shop/production -o yaml | skypanel apply -f -
    """
    limit = seconds(timeout)
    entries = read_files(file, files, age_key=age_key, values=value)
    if dry_run:
        with backend(declares=True, tries=True) as there:
            show_plan(there.preview(entries, prune), output)
        return
    with backend(declares=True, why=reason, commit=commit) as there:
        if prune and not yes and sys.stdin.isatty() and output is Format.TABLE:
            gone = [row.target for row in there.preview(entries, prune).rows if row.action == "deleted"]
            if gone and not is_meant([f"{each.kind.lower()} {each.name}, with all below it" for each in gone]):
                say("nothing was changed")
                raise typer.Exit(ExitCode.ERROR)
        done = there.apply(entries, prune)
        for said in done.warnings:
            warn(said)
        show_written(done.written, output)
        if wait:
            from controller.cli.progress import shown  # noqa: PLC0415 - who does not wait needs no rich

            with shown(output) as show_progress:
                there.wait(done.written, limit, show_progress, deleted=any(w.action == "deleted" for w in done.written))
