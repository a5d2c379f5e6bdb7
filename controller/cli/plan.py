"""``plan``: what ``apply`` would change, in the rows and on the Swarm. Nothing is changed."""

from __future__ import annotations

from collections.abc import Sequence

import typer

from controller.actions import swarm_view
from controller.actions.doubts import of_rows
from controller.actions.preview import Preview, preview
from controller.cli.errors import ExitCode
from controller.cli.formats import Format, Output, emit
from controller.cli.inputs import Files, MoreFiles, database, of_kinds, read_files, settings
from controller.cli.output import counted, paragraph, say, table, warn
from controller.cli.terminal import Text
from controller.cost import Cost
from specs.kinds import TENANT

_HANG = 6
_SIGNS = {"create": "+", "created": "+", "update": "~", "updated": "~", "connect": "~", "recreate": "±", "delete": "-"}
_STYLES = {"+": "green", "~": "yellow", "±": "yellow", "-": "red"}


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command(name="plan")(plan)
    app.command(name="diff")(diff)


def plan(files: MoreFiles = None, *, file: Files = None, output: Output = Format.TABLE) -> None:
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
    entries = read_files(file, files)
    found = settings()
    live, why = swarm_view.look(found)
    with database(declares=True, tries=True) as conn:
        looked_ahead = preview(conn, entries, found.options, live, of_kinds())
        looked_ahead.problems += of_rows(conn, entries)
    looked_ahead.unknown = looked_ahead.unknown or why
    show(looked_ahead, output)
    if looked_ahead.changed:
        raise typer.Exit(ExitCode.CHANGES)


def diff(files: MoreFiles = None, *, file: Files = None, output: Output = Format.TABLE) -> None:
    """Show what `apply -f` would change; the same as `plan`.

    Exit code 0: nothing would change; 2: something would; 1: it would be refused.

    **Examples**

        skypanel diff -f shop.yaml
    """
    plan(files, file=file, output=output)


def show(found: Preview, form: Format) -> None:
    """What would change, in the ``form`` that was asked for."""
    if form is not Format.TABLE:
        emit(found.document(), form)
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
        _print(_SIGNS[change.action], name, change.told())
    if found.costs:
        _cost(found.costs)
    for problem in (*found.problems, *map(str, found.held)):
        warn(problem)
    if found.unknown:
        warn(f"only the rows were compared: {found.unknown}")
    if not found.changed:
        say("nothing would change")
        return
    objects = "an unknown number of objects" if found.changes is None else counted(len(found.changes), "object")
    say(f"{counted(len(rows), 'row')} and {objects} on the Swarm would change")


def _cost(costs: Sequence[Cost]) -> None:
    say("Cost", "bold")
    table(
        [f"  {TENANT.upper()}", "AN HOUR", "A MONTH"], [[f"  {c.tenant}", str(c.hourly), str(c.monthly)] for c in costs]
    )
    for path in (path for cost in costs for path in cost.without_plan):
        say(f"  {path}: no plan, and so no price")


def _print(sign: str, name: str, details: Sequence[str]) -> None:
    head = Text.assemble((f"  {sign} ", _STYLES[sign]), name)
    alone = len(details) == 1
    paragraph(head.append(": ") if alone else head, details[0] if alone else "", hang=_HANG)
    for detail in details if not alone else ():
        paragraph(Text(" " * _HANG), detail)
