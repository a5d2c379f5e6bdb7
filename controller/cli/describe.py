"""``describe``: everything that is known of one object: spec, conditions, parts, tasks, events, inventory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Annotated, Any

import psycopg
import typer
from psycopg import errors
from rich.text import Text

from controller.cli import engine
from controller.cli.engine import Task
from controller.cli.get import one, ready_text, to_document
from controller.cli.kinds import complete, full_path, kind_of
from controller.cli.output import Format, age, console, emit, say, table, to_plain, yaml_text
from controller.cli.session import Output, database, settings
from controller.declared import lookups, reader
from controller.declared.lookups import Event
from controller.declared.reader import DeclaredObject
from controller.records import InventoryRow
from specs.kinds import KINDS

_SERVED = ("Organization", "Environment")
_RULE = "  "


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command(name="describe")(describe)


def describe(
    kind: Annotated[str, typer.Argument(help="Its kind, such as env.", autocompletion=complete)],
    name: Annotated[str, typer.Argument(help="Path of names, such as acme/shop/production.")],
    *,
    events: Annotated[int, typer.Option(help="How many of the last events.", min=0, max=1000)] = 10,
    output: Output = Format.TABLE,
) -> None:
    """Show all that is known of one object: what is wanted, how it is, and why.

    Tasks come from the engine, when it can be reached.

    **Examples**

        skypanel describe environment acme/shop/production

        skypanel describe org acme -o json
    """
    found_kind = kind_of(kind)
    path = full_path(found_kind, name)
    with database() as conn:
        found = one(conn, found_kind, path)
        happened = lookups.events(conn, found_kind.lower(), found.id, events)
        parts = [o for k in _children(found_kind) for o in reader.objects(conn, k, found.path)]
        made, unknown = _inventory(conn, found)
    tasks: list[Task] = []
    engine_error = ""
    if found_kind in _SERVED:
        try:
            tasks = engine.tasks(settings(), f"{found_kind.lower()}/{found.id}")
        except engine.UNREACHABLE as error:
            engine_error = str(error)
    if output is not Format.TABLE:
        document = to_document(found)
        document |= {
            "parts": [to_document(o) for o in parts],
            "events": [_fields(e) for e in happened],
            "tasks": None if engine_error else [_fields(t) for t in tasks],
            "inventory": None if unknown else [_fields(row) for row in made],
        }
        emit(document, output)
        return
    _head(found)
    _conditions(found)
    _parts(parts)
    _tasks(tasks, engine_error, served=found_kind in _SERVED)
    _made(made, unknown)
    _events(happened)


def _children(kind: str) -> Iterable[str]:
    return [name for name, cls in KINDS.items() if cls.binding.parent == kind]


def _inventory(conn: psycopg.Connection, found: DeclaredObject) -> tuple[list[InventoryRow], str]:
    try:
        with conn.transaction():
            return lookups.inventory(conn, [found.id]).get((found.kind.lower(), found.id), []), ""
    except errors.InsufficientPrivilege as error:
        return [], str(error.diag.message_primary)


def _fields(record: Any) -> dict[str, Any]:
    return {name: getattr(record, name) for name in type(record).__slots__ if name != "last_good"}


def _head(found: DeclaredObject) -> None:
    lines = {
        "Name": found.name,
        "Kind": found.kind,
        "Id": str(found.id),
        "Generation": f"{found.generation} (observed: {found.status.observed_generation})",
        "Created": f"{found.created_at:%Y-%m-%d %H:%M:%S %Z} ({age(found.created_at)} ago)",
    }
    if found.deleted_at:
        lines["Deleted"] = f"{found.deleted_at:%Y-%m-%d %H:%M:%S %Z} ({age(found.deleted_at)} ago)"
    for label, value in lines.items():
        console().print(Text.assemble((f"{label + ':':<13}", "bold"), value))
    _section("Spec")
    _indented(found.document()["spec"])


def _indented(document: Mapping[str, Any]) -> None:
    for line in yaml_text([to_plain(dict(document))], stream=False).splitlines():
        say(f"{_RULE}{line}")


def _conditions(found: DeclaredObject) -> None:
    status = found.status
    if status.ready is None and not status.reason:
        return
    _section("Status")
    console().print(Text.assemble(_RULE, "Ready ", ready_text(found), f"  {status.reason}: {status.message}"))
    if status.as_of:
        say(f"{_RULE}as of {status.as_of:%Y-%m-%d %H:%M:%S %Z} ({age(status.as_of)} ago)")
    for condition in status.conditions:
        if condition.get("type") != "Ready":
            said = [str(condition.get(part, "")) for part in ("type", "status", "reason", "message")]
            say(f"{_RULE}{said[0]} {said[1]}  {said[2]}: {said[3]}")
    if status.details:
        _indented(status.details)


def _parts(parts: list[DeclaredObject]) -> None:
    if parts:
        _section("Parts")
        table(
            [f"{_RULE}KIND", "NAME", "READY", "REASON", "MESSAGE"],
            [[_RULE + o.kind, o.path[-1], ready_text(o), o.status.reason, o.status.message] for o in parts],
        )


def _tasks(tasks: list[Task], error: str, *, served: bool) -> None:
    if not served:
        return
    _section("Tasks")
    if error:
        say(f"{_RULE}not known, the engine cannot be asked: {error}")
    elif not tasks:
        say(f"{_RULE}none")
    else:
        table(
            [f"{_RULE}SERVICE", "SLOT", "NODE", "DESIRED", "STATE", "SINCE", "ERROR"],
            [[_RULE + t.service, t.slot, t.node, t.desired, t.state, _since(t.since), t.error] for t in tasks],
        )


def _since(moment: str) -> str:
    try:
        return age(datetime.fromisoformat(moment[:19] + "+00:00"))
    except ValueError:
        return "-"


def _made(made: list[InventoryRow], unknown: str) -> None:
    if unknown:
        _section("Inventory")
        say(f"{_RULE}not known: {unknown}")
    elif made:
        _section("Inventory")
        table(
            [f"{_RULE}TYPE", "NAME", "STATE", "ENGINE ID", "SPEC HASH"],
            [[_RULE + r.object_type, r.name, r.state, r.engine_id or "-", r.spec_hash or "-"] for r in made],
        )


def _events(happened: list[Event]) -> None:
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
    )


def _section(title: str) -> None:
    say()
    say(f"{title}:", "bold")
