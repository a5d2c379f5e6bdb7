"""``apply``: write spec files into the database, all of them or none."""

from __future__ import annotations

import typer

from controller.actions.apply import apply as apply_files
from controller.actions.change import of_sources
from controller.actions.config_files import of_documents
from controller.actions.doubts import of_rows
from controller.actions.wait import wait_written
from controller.cli.formats import Format, Output
from controller.cli.inputs import (
    AgeKey,
    Commit,
    Files,
    MoreFiles,
    Reason,
    Timeout,
    Wait,
    database,
    read_files,
    seconds,
    settings,
)
from controller.cli.output import warn
from controller.cli.progress import shown
from controller.cli.shown import show_written


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command(name="apply")(apply)


def apply(
    files: MoreFiles = None,
    *,
    file: Files = None,
    age_key: AgeKey = None,
    reason: Reason = "",
    commit: Commit = "",
    wait: Wait = False,
    timeout: Timeout = "5m",
    output: Output = Format.TABLE,
) -> None:
    """Declare what the files say: create what is absent, change what differs, leave the rest.

    All in one transaction: when anything is refused, nothing is written. What the files do not name is left alone.
    With `--wait`, exit code 4 says that something stalled or was not ready in time; it stays declared.

    **Examples**

        skypanel apply -f specs/examples
        skypanel apply -f shop.yaml --wait --timeout 2m
        skypanel get environment acme/shop/production -o yaml | skypanel apply -f -
    """
    limit = seconds(timeout)
    entries = read_files(file, files, age_key=age_key)
    options, variables = settings().options, of_documents(entries, settings())
    with database(declares=True, why=reason, commit=commit) as conn:
        written = apply_files(conn, entries.resources, options, variables)
        for said in (*of_rows(conn, entries), *of_sources(conn, written)):
            warn(said)
        show_written(written, output)
        if wait:
            with shown(output) as show_progress:
                wait_written(conn, written, limit, show_progress)
