"""``apply``: write spec files into the database, all of them or none."""

from __future__ import annotations

from collections.abc import Sequence

import typer
from rich.text import Text

from controller.cli.agreement import check_environments
from controller.cli.output import Format, console, emit
from controller.cli.session import Files, Output, Timeout, Wait, database, read_files, seconds, settings
from controller.cli.waiting import wait as wait_for
from controller.declared import readiness, writer
from controller.declared.writer import Written

STYLES = {"created": "green", "updated": "yellow", "deleted": "red", "unchanged": "dim", "absent": "dim"}


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command(name="apply")(apply)


def apply(
    file: Files,
    *,
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
    entries = read_files(file)
    options = settings().options
    with database() as conn:
        written = writer.apply(conn, entries, check=lambda done: check_environments(conn, done, options))
        show(written, output)
        if wait:
            wait_for(conn, readiness.affected(conn, [w.status_key for w in written if w.id]), limit, output)


def show(written: Sequence[Written], form: Format) -> None:
    """One line a resource."""
    if form is not Format.TABLE:
        emit([to_document(w) for w in written], form)
        return
    out = console()
    for w in written:
        line = Text.assemble(f"{w.target.kind.lower()} {w.target.name}  ", (w.action, STYLES[w.action]))
        if w.changes:
            line.append("  " + "; ".join(map(str, w.changes)))
        out.print(line)


def to_document(written: Written) -> dict[str, object]:
    """For programs."""
    return {
        "kind": written.target.kind,
        "name": written.target.name,
        "id": written.id,
        "action": written.action,
        "changes": [c.document() for c in written.changes],
    }
