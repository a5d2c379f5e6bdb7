"""``delete``: ask for the removal of what was declared."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import psycopg
import typer
from rich.prompt import Confirm
from rich.text import Text

from controller.cli.apply import show
from controller.cli.failures import CliError
from controller.cli.kinds import complete, full_path, kind_of
from controller.cli.output import Format, error_console
from controller.cli.session import Output, Timeout, Wait, database, read_files, seconds
from controller.cli.waiting import wait as wait_for
from controller.declared import reader, readiness, writer
from controller.declared.reader import DeclaredObject
from controller.declared.rows import ancestors
from controller.declared.writer import Target
from specs.kinds import KINDS

_LISTED = 20


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command(name="delete")(delete)


def delete(
    kind: Annotated[str | None, typer.Argument(help="Its kind, such as env.", autocompletion=complete)] = None,
    name: Annotated[str | None, typer.Argument(help="Path of names, such as acme/shop/production.")] = None,
    *,
    file: Annotated[
        list[str] | None, typer.Option("--file", "-f", help="Delete what these files declare; repeat it.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    wait: Wait = False,
    timeout: Timeout = "5m",
    output: Output = Format.TABLE,
) -> None:
    """Delete one declared object, or all that files declare, with everything below it.

    The controller then removes what runs; `--wait` waits until nothing of it is left. The name is free at once. A Plan
    goes at once, unless an environment uses it. On a terminal it asks first; elsewhere it does not.

    **Examples**

        skypanel delete environment acme/shop/production --wait

        skypanel delete -f shop.yaml --yes
    """
    limit = seconds(timeout)
    with database() as conn:
        targets = _chosen(conn, kind, name, file)
        if not yes and sys.stdin.isatty() and output is Format.TABLE:
            _ask(targets, [o for target in targets for o in _below(conn, target)])
        written = writer.delete(conn, targets)
        show(written, output)
        if wait:
            keys = readiness.affected(conn, [w.status_key for w in written if w.id], deleted=True)
            wait_for(conn, keys, limit, output)


def _chosen(conn: psycopg.Connection, kind: str | None, name: str | None, files: Sequence[str] | None) -> list[Target]:
    if files:
        if kind:
            raise CliError("give a kind and a name, or files, not both")
        return [Target.of(entry) for entry in read_files(files)]
    if not kind or not name:
        raise CliError("what is to be deleted?", "give a kind and a name, or files with -f")
    found_kind = kind_of(kind)
    path = full_path(found_kind, name)
    found = [o for o in reader.objects(conn, found_kind, path) if o.deleted_at is None]
    if not found:
        raise CliError(f"there is no {found_kind.lower()} {name}", f"`skypanel get {found_kind.lower()}` lists them")
    return [Target(found_kind, found[0].path)]


def _below(conn: psycopg.Connection, target: Target) -> list[DeclaredObject]:
    """What goes with ``target``."""
    kinds = [kind for kind in KINDS if target.kind in ancestors(kind)]
    found = [o for kind in kinds for o in reader.objects(conn, kind, target.path)]
    return [o for o in found if o.deleted_at is None]


def _ask(targets: Sequence[Target], below: Sequence[DeclaredObject]) -> None:
    """Show what will go, and go on only when it is meant.

    Raises:
        CliError: it is not.
    """
    named = [f"{t.kind.lower()} {t.name}" for t in targets]
    named += [text for o in below if (text := f"{o.kind.lower()} {o.name}") not in named]
    out = error_console()
    out.print(Text("This will be deleted:"))
    for text in named[:_LISTED]:
        out.print(Text(f"  {text}", style="red"))
    if len(named) > _LISTED:
        out.print(Text(f"  and {len(named) - _LISTED} more"))
    if not Confirm.ask("Delete?", console=out, default=False):
        raise CliError("nothing was deleted")
