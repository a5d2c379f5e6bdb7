"""``plan``: what ``apply`` would change, in the rows and on the Swarm. Nothing is changed."""

from __future__ import annotations

from collections.abc import Sequence

import typer
from rich.text import Text

from controller.actions import swarm_view
from controller.actions.apply import written_document
from controller.actions.preview import Preview, preview
from controller.changes import Change, Difference
from controller.cli.errors import ExitCode
from controller.cli.formats import Format, Output, emit
from controller.cli.inputs import Files, MoreFiles, database, of_kinds, read_files, settings
from controller.cli.output import console, say, warn
from reconcilers import labels

_SIGNS = {"create": "+", "created": "+", "update": "~", "updated": "~", "connect": "~", "recreate": "±", "delete": "-"}
_STYLES = {"+": "green", "~": "yellow", "±": "yellow", "-": "red"}


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command(name="plan")(plan)


def plan(files: MoreFiles = None, *, file: Files = None, output: Output = Format.TABLE) -> None:
    """Show what `apply -f` would change, in the rows and then on the Swarm, and change nothing.

    `+` is created, `~` changed, `±` recreated, `-` removed. The Swarm's part also shows drift of the objects that the
    files name. Without the engine, only the rows are compared.

    Exit code 0: nothing would change; 2: something would; 1: it would be refused.

    **Examples**

        skypanel plan -f shop.yaml

        skypanel plan -f specs/ -o json | jq '.swarm[].name'
    """
    entries = read_files(file, files)
    found = settings()
    live, why = swarm_view.look(found)
    with database() as conn:
        looked_ahead = preview(conn, entries, found.options, live, of_kinds())
    looked_ahead.unknown = looked_ahead.unknown or why
    _show(looked_ahead, output)
    if looked_ahead.changed:
        raise typer.Exit(ExitCode.CHANGES)


def _show(found: Preview, form: Format) -> None:
    if form is not Format.TABLE:
        emit(_document(found), form)
        return
    rows = [w for w in found.rows if w.changed]
    if rows:
        say("Rows", "bold")
    for w in rows:
        _print(_SIGNS[w.action], f"{w.target.kind.lower()} {w.target.name}", [str(c) for c in w.changes])
    if found.changes:
        say("Swarm", "bold")
    for change in found.changes or ():
        name = (
            f"edge joins network {change.name}"
            if change.object_type == "edge"
            else f"{change.object_type} {change.name}"
        )
        _print(_SIGNS[change.action], name, [str(d) for d in _telling(change)])
    for problem in found.problems:
        warn(problem)
    if found.unknown:
        warn(f"only the rows were compared: {found.unknown}")
    if not found.changed:
        say("nothing would change")
        return
    say(f"{len(rows)} row(s) and {_count(found)} on the Swarm would change")


def _count(found: Preview) -> str:
    return "an unknown number of objects" if found.changes is None else f"{len(found.changes)} object(s)"


def _print(sign: str, name: str, details: Sequence[str]) -> None:
    line = Text.assemble((f"  {sign} ", _STYLES[sign]), name)
    if len(details) == 1:
        line.append(f": {details[0]}")
    console().print(line)
    if len(details) > 1:
        for detail in details:
            console().print(Text(f"      {detail}"))


def _telling(change: Change) -> list[Difference]:
    """The hashes differ whenever anything does."""
    hashes = {f"Labels.{labels.SPEC_HASH}", f"Labels.{labels.TEMPLATE_HASH}"}
    return [d for d in change.differences if d.path not in hashes]


def _document(found: Preview) -> dict[str, object]:
    changes = None
    if found.changes is not None:
        changes = [
            {
                "action": c.action,
                "type": c.object_type,
                "name": c.name,
                "differences": [d.document() for d in c.differences],
            }
            for c in found.changes
        ]
    return {
        "changed": found.changed,
        "rows": [written_document(w) for w in found.rows],
        "swarm": changes,
        "problems": found.problems,
        "unknown": found.unknown or None,
    }
