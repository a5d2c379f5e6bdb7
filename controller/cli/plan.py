"""``plan``: what ``apply`` would change, in the rows and on the Swarm. Nothing is changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import psycopg
import typer
from psycopg import errors
from rich.text import Text

from controller.cli import engine
from controller.cli.agreement import check_environments
from controller.cli.apply import to_document
from controller.cli.failures import ExitCode
from controller.cli.output import Format, console, emit, say, warn
from controller.cli.rendering import render
from controller.cli.session import Files, Output, database, read_files, settings
from controller.declared import lookups, readiness, writer
from controller.declared.lookups import Document
from controller.declared.writer import Written
from controller.records import InventoryRow
from controller.settings import Settings
from controller.swarm.diff import Difference
from controller.swarm.liveview import LiveView
from controller.swarm.plan import Change
from controller.swarm.plan import plan as plan_swarm
from reconcilers import labels
from reconcilers.objects import Objects
from reconcilers.ports import Options
from specs.loader import Located
from specs.problems import InvalidSpec

_SIGNS = {"create": "+", "created": "+", "update": "~", "updated": "~", "connect": "~", "recreate": "±", "delete": "-"}
_STYLES = {"+": "green", "~": "yellow", "±": "yellow", "-": "red"}


@dataclass(slots=True)
class Preview:
    """What would be.

    Args:
        rows: what would become of each declared object.
        changes: what would be done on the Swarm; None when that cannot be told.
        problems: objects that would stall, and why.
        unknown: why the Swarm's part cannot be told; empty when it can.
    """

    rows: list[Written]
    changes: list[Change] | None = None
    problems: list[str] = field(default_factory=list)
    unknown: str = ""

    @property
    def changed(self) -> bool:
        """Whether anything would change."""
        return bool(self.changes) or any(w.changed for w in self.rows)


@dataclass(slots=True)
class _Wanted:
    """What the rows would say, read before they are rolled back."""

    rows: list[Written]
    documents: list[Document] = field(default_factory=list)
    inventory: dict[tuple[str, UUID], list[InventoryRow]] = field(default_factory=dict)
    subnets: dict[UUID, str] = field(default_factory=dict)
    unknown: str = ""


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command(name="plan")(plan)


def plan(file: Files, *, output: Output = Format.TABLE) -> None:
    """Show what `apply -f` would change, in the rows and then on the Swarm, and change nothing.

    `+` is made, `~` changed, `±` made anew, `-` removed. The Swarm's part also shows drift of the objects that the
    files name. Without the engine, only the rows are compared.

    Exit code 0: nothing would change; 2: something would; 1: it would be refused.

    **Examples**

        skypanel plan -f shop.yaml

        skypanel plan -f specs/ -o json | jq '.swarm[].name'
    """
    entries = read_files(file)
    found = settings()
    live, why = _look(found)
    with database() as conn:
        wanted = _try(conn, entries, found.options)
    preview = Preview(wanted.rows, unknown=wanted.unknown or why)
    if live is not None and not wanted.unknown:
        preview.changes = list(_swarm_changes(wanted, live, found.options, preview.problems))
    _show(preview, output)
    if preview.changed:
        raise typer.Exit(ExitCode.CHANGES)


def _look(found: Settings) -> tuple[LiveView | None, str]:
    try:
        return engine.live_view(found), ""
    except engine.UNREACHABLE as error:
        return None, str(error)


def _try(conn: psycopg.Connection, entries: Sequence[Located], options: Options) -> _Wanted:
    """Write the rows, read what they would mean, and roll everything back."""
    with conn.transaction(force_rollback=True):
        wanted = _Wanted(writer.write(conn, entries))
        check_environments(conn, wanted.rows, options)
        keys = readiness.affected(conn, [w.status_key for w in wanted.rows if w.id])
        try:
            with conn.transaction():
                for kind in dict.fromkeys(kind for kind, _ in keys):
                    wanted.documents += lookups.documents(conn, kind, [i for k, i in keys if k == kind])
                wanted.inventory = lookups.inventory(conn, [object_id for _, object_id in keys])
                wanted.subnets = lookups.subnets(conn, [i for k, i in keys if k == "organization"])
        except errors.InsufficientPrivilege as error:
            wanted.unknown = (
                f"the role of DATABASE_URL may not read what the controller reads ({error.diag.message_primary})"
            )
    return wanted


def _swarm_changes(wanted: _Wanted, live: LiveView, options: Options, problems: list[str]) -> Iterator[Change]:
    for document in wanted.documents:
        objects = Objects()
        if not document.deleted:
            try:
                objects = render(document.kind, document.doc, options, live, wanted.subnets)
            except InvalidSpec as error:
                name = document.doc.get("swarm_name") or document.doc.get("slug")
                problems.append(f"{document.kind} {name} would stall, and stay as it is: {error}")
                continue
        owner = (document.kind, str(document.id))
        known = wanted.inventory.get((document.kind, document.id), [])
        yield from plan_swarm(owner, objects, live, known).changes


def _show(preview: Preview, form: Format) -> None:
    if form is not Format.TABLE:
        emit(_document(preview), form)
        return
    rows = [w for w in preview.rows if w.changed]
    if rows:
        say("Rows", "bold")
    for w in rows:
        _print(_SIGNS[w.action], f"{w.target.kind.lower()} {w.target.name}", [str(c) for c in w.changes])
    if preview.changes:
        say("Swarm", "bold")
    for change in preview.changes or ():
        name = (
            f"edge joins network {change.name}"
            if change.object_type == "edge"
            else f"{change.object_type} {change.name}"
        )
        _print(_SIGNS[change.action], name, [str(d) for d in _telling(change)])
    for problem in preview.problems:
        warn(problem)
    if preview.unknown:
        warn(f"only the rows were compared: {preview.unknown}")
    if not preview.changed:
        say("nothing would change")
        return
    say(f"{len(rows)} row(s) and {_count(preview)} on the Swarm would change")


def _count(preview: Preview) -> str:
    return "an unknown number of objects" if preview.changes is None else f"{len(preview.changes)} object(s)"


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


def _document(preview: Preview) -> dict[str, object]:
    changes = None
    if preview.changes is not None:
        changes = [
            {
                "action": c.action,
                "type": c.object_type,
                "name": c.name,
                "differences": [d.document() for d in c.differences],
            }
            for c in preview.changes
        ]
    return {
        "changed": preview.changed,
        "rows": [to_document(w) for w in preview.rows],
        "swarm": changes,
        "problems": preview.problems,
        "unknown": preview.unknown or None,
    }
