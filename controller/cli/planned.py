"""How a plan is shown, by more than one command."""

from __future__ import annotations

from collections.abc import Sequence

from controller.actions.backend import Foreseen
from controller.cli.formats import Format, emit
from controller.cli.output import counted, paragraph, say, table, warn
from controller.cli.terminal import Text
from controller.cost import Cost
from specs.kinds import TENANT

_HANG = 6
_SIGNS = {
    **dict.fromkeys(("create", "created"), "+"),
    **dict.fromkeys(("update", "updated", "connect"), "~"),
    **dict.fromkeys(("delete", "deleted"), "-"),
    "recreate": "±",
}
_STYLES = {"+": "green", "~": "yellow", "±": "yellow", "-": "red"}


def show_plan(found: Foreseen, form: Format) -> None:
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
