"""``describe``: everything that is known of one object: spec, conditions, parts, tasks, events, inventory."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

import typer

from controller.actions.describe import Description
from controller.actions.swarm_view import Task
from controller.cli.formats import Format, Output, emit, to_plain, yaml_text
from controller.cli.inputs import Kind, Named, backend
from controller.cli.output import age, aligned, console, paragraph, say, table
from controller.cli.states import brief, ready_text
from controller.cli.terminal import Text
from controller.declared.lookups import Event, Owner, Quota
from controller.declared.reader import DeclaredObject
from controller.records import InventoryRow
from specs.kinds import KINDS

_RULE = "  "
_HANG = 4
_SHORT_ID = 12
_ENDED = {"complete", "shutdown", "failed", "rejected", "remove", "orphaned"}


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command(name="describe")(describe)


def describe(
    kind: Kind,
    name: Named = None,
    *,
    events: Annotated[int, typer.Option(help="How many of the last events.", metavar="NUMBER", min=0, max=1000)] = 10,
    output: Output = Format.TABLE,
) -> None:
    """Show all that is known of one object: what is wanted, how it is, and why.

    Tasks come from the engine, when it can be reached.

    **Examples**

        skypanel describe environment acme/shop/production
        skypanel describe org acme -o json
    """
    with backend() as there:
        found = there.describe(kind, name, events)
    if output is Format.TABLE:
        show(found)
    else:
        emit(found.document(), output)


def show(found: Description) -> None:
    """For people."""
    _head(found.object, found.owners)
    _conditions(found.object)
    _quotas(found.quotas)
    _parts(found)
    if found.tasks is not None:
        _tasks(found.tasks, found.engine_error)
    _made(found.inventory, found.inventory_error)
    _events(found.events)


def _head(found: DeclaredObject, owners: Sequence[Owner]) -> None:
    lines = {
        "Name": found.name,
        "Kind": found.kind,
        "Id": str(found.id),
        "Generation": f"{found.generation}{_observed(found)}",
        "Created": f"{found.created_at:%Y-%m-%d %H:%M:%S %Z} ({age(found.created_at)} ago)",
    }
    if found.deleted_at:
        lines["Deleted"] = f"{found.deleted_at:%Y-%m-%d %H:%M:%S %Z} ({age(found.deleted_at)} ago)"
    for label, value in (*lines.items(), *(("Declared by", str(owner)) for owner in owners)):
        console().print(Text.assemble((f"{label + ':':<13}", "bold"), value))
    _section("Spec")
    _indented(found.document()["spec"])


def _observed(found: DeclaredObject) -> str:
    """What has been looked at, of a kind that somebody looks at."""
    return f" (observed: {found.status.observed_generation})" if KINDS[found.kind].facts.reconciled else ""


def _indented(document: Mapping[str, Any]) -> None:
    for line in yaml_text([to_plain(dict(document))], stream=False).splitlines():
        say(f"{_RULE}{line}")


def _conditions(found: DeclaredObject) -> None:
    status = found.status
    if status.ready is None and not status.reason:
        return
    _section("Status")
    head = Text.assemble(_RULE, "Ready ", ready_text(found), "  ")
    paragraph(head, f"{status.reason}: {status.message}", hang=_HANG)
    if status.as_of:
        say(f"{_RULE}as of {status.as_of:%Y-%m-%d %H:%M:%S %Z} ({age(status.as_of)} ago)")
    for condition in status.conditions:
        if condition.get("type") != "Ready":
            said = [str(condition.get(part, "")) for part in ("type", "status", "reason", "message")]
            same = (said[2], said[3]) == (status.reason, status.message)
            body = "for the same reason" if same else f"{said[2]}: {said[3]}"
            paragraph(Text(f"{_RULE}{said[0]} {said[1]}  "), body, hang=_HANG)
    if status.details:
        _indented(status.details)


def _quotas(quotas: Sequence[Quota]) -> None:
    if quotas:
        _section("Quotas")
        rows = [
            [
                _RULE + q.quota.replace("_mb", " (MiB)").replace("_", " "),
                f"{q.used.normalize():f}",
                "-" if q.allowed is None else str(q.allowed),
            ]
            for q in quotas
        ]
        table([f"{_RULE}OF", "USED", "ALLOWED"], rows)


def _parts(found: Description) -> None:
    if not found.parts:
        return
    _section("Parts")
    path, details = "/".join(found.object.path), found.object.details
    rows: list[list[str | Text]] = [
        [_RULE + o.kind, o.path[-1], ready_text(o), o.status.reason, brief(o.status.message, path, details)]
        for o in found.parts
    ]
    table([f"{_RULE}KIND", "NAME", "READY", "REASON", "MESSAGE"], rows, cut=("MESSAGE",))


def _tasks(tasks: Sequence[Task], error: str) -> None:
    _section("Tasks")
    if error:
        say(f"{_RULE}unknown, the engine could not be queried: {error}")
    elif not tasks:
        say(f"{_RULE}none")
    else:
        _table_of_tasks(telling(tasks))


def _table_of_tasks(tasks: Sequence[Task]) -> None:
    """A line a task; what would not fit beside it, the image where they differ and the error, is below it."""
    rows = [[f"{_RULE}{t.service}{t.slot and f'.{t.slot}'}", t.node, _state(t), _since(t.since)] for t in tasks]
    heading, *lines = aligned([f"{_RULE}TASK", "NODE", "STATE", "SINCE"], rows, width=None).splitlines()
    sys.stdout.write(f"{heading}\n")
    differ = len({t.image for t in tasks}) > 1
    for task, line in zip(tasks, lines, strict=True):
        sys.stdout.write(f"{line}\n")
        if note := ": ".join(filter(None, (task.image if differ else "", task.error))):
            paragraph(Text(" " * _HANG), note)


def telling(tasks: Sequence[Task]) -> list[Task]:
    """Tasks that shall run, and of each slot the newest that ended with an error, or else the newest that ended.

    ``tasks`` has the newest first.
    """
    ended: dict[tuple[str, str, str], Task] = {}
    for task in (t for t in tasks if t.desired != "running"):
        place = (task.service, task.slot, task.node if not task.slot else "")
        if place not in ended or (task.error and not ended[place].error):
            ended[place] = task
    kept = list(map(id, ended.values()))
    return [t for t in tasks if t.desired == "running" or id(t) in kept]


def _state(task: Task) -> str:
    """How it is."""
    return "stopping" if task.desired in ("shutdown", "remove") and task.state not in _ENDED else task.state


def _since(moment: str) -> str:
    try:
        return age(datetime.fromisoformat(moment[:19] + "+00:00"))
    except ValueError:
        return "-"


def _made(made: Sequence[InventoryRow], unknown: str) -> None:
    if unknown:
        _section("Inventory")
        say(f"{_RULE}not known: {unknown}")
    elif made:
        _section("Inventory")
        table(
            [f"{_RULE}TYPE", "NAME", "STATE", "ENGINE ID"],
            [[_RULE + r.object_type, r.name, r.state, (r.engine_id or "-")[:_SHORT_ID]] for r in made],
        )


def _events(happened: Sequence[Event]) -> None:
    _section("Events")
    if not happened:
        say(f"{_RULE}none")
        return
    table(
        [f"{_RULE}LAST", "COUNT", "TYPE", "REASON", "MESSAGE"],
        [
            [
                _RULE + age(e.last_at),
                str(e.count),
                Text(e.type, style="yellow" if e.type == "Warning" else ""),
                e.reason,
                e.message,
            ]
            for e in happened
        ],
        wrap="MESSAGE",
    )


def _section(title: str) -> None:
    say()
    say(f"{title}:", "bold")
