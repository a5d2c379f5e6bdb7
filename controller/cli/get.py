"""``get``: lists of declared objects and how they are; their spec documents."""

from __future__ import annotations

from typing import Annotated

import typer

from controller.actions.errors import ActionError
from controller.actions.objects import status_document
from controller.actions.paths import ALL, complete, is_full, kind_of, listed, path_of
from controller.cli.inputs import Output, database
from controller.cli.output import Format, age, emit, say, table
from controller.cli.shown import ready_text
from controller.declared import reader
from controller.declared.reader import DeclaredObject
from specs.kinds import KINDS

Kind = Annotated[
    str,
    typer.Argument(help=f"{listed()}.", autocompletion=complete),
]
OrganizationFilter = Annotated[
    list[str] | None, typer.Option("--organization", "-n", help="Only of this organization; repeat it.")
]


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command(name="get")(get)


def get(
    kind: Kind,
    name: Annotated[str | None, typer.Argument(help="Path of names, such as acme/shop/production.")] = None,
    *,
    organization: OrganizationFilter = None,
    everything: Annotated[bool, typer.Option("--all", "-a", help="Also those whose deletion is finished.")] = False,
    output: Output = Format.TABLE,
) -> None:
    """Show declared objects and whether they are as declared.

    KIND is a kind in any form (`env`, `environments`), or `all`. A path with fewer names than the kind has shows all
    below it. YAML is what `apply -f` takes; JSON has the status as well.

    **Examples**

        skypanel get environments

        skypanel get env acme/shop

        skypanel get domain shop.example.com -o json

        skypanel get all -n acme -o yaml > acme.yaml
    """
    kinds = list(KINDS) if kind.lower() == ALL else [kind_of(kind)]
    if name and len(kinds) > 1:
        raise ActionError("`all` takes no name", "use -n ORGANIZATION")
    path = path_of(kinds[0], name) if name else ()
    with database() as conn:
        found = {
            k: reader.objects(conn, k, path, organizations=organization or (), everything=everything) for k in kinds
        }
    objects = [entry for entries in found.values() for entry in entries]
    single = bool(name) and is_full(kinds[0], path)
    if single and not objects:
        raise ActionError(f"there is no {kinds[0].lower()} {name}", f"`skypanel get {kinds[0].lower()}` lists them")
    if output is Format.YAML:
        emit([o.document() for o in objects if o.deleted_at is None or everything], output, documents=True)
    elif output is Format.JSON:
        emit(status_document(objects[0]) if single else [status_document(o) for o in objects], output)
    else:
        _tables(found)


def _tables(found: dict[str, list[DeclaredObject]]) -> None:
    shown = {kind: objects for kind, objects in found.items() if objects}
    if not shown:
        say("nothing is declared" if len(found) > 1 else f"no {next(iter(found)).lower()} is declared")
    for number, (kind, objects) in enumerate(shown.items()):
        if number:
            say()
        facts = KINDS[kind].facts
        columns = [kind.upper(), *(("READY", "REASON") if facts.has_status else ()), *facts.columns, "AGE"]
        table(
            columns,
            [
                [
                    o.name,
                    *((ready_text(o), o.status.reason) if facts.has_status else ()),
                    *(_cell(value(o)) for value in facts.columns.values()),
                    age(o.created_at),
                ]
                for o in objects
            ],
        )


def _cell(value: object) -> str:
    return "-" if value is None else str(value)
