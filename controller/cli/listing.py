"""Lists of declared objects, for every command that shows one: a table a kind, or a form for programs."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated

import typer

from controller.actions.errors import ActionError
from controller.actions.objects import Found, question, status_document
from controller.actions.paths import ALL, apart, is_full, kind_of, path_of
from controller.cli.formats import Format, emit, line
from controller.cli.inputs import backend
from controller.cli.output import age, aligned, console, say
from controller.cli.states import ready_text
from controller.cli.watching import PERIOD_SECONDS, live_table
from controller.declared.objects import DeclaredObject
from specs.facts import Cell
from specs.kinds import KINDS

Watch = Annotated[bool, typer.Option("--watch", "-w", help="Keep watching, and show what changes.")]


def show_list(
    kind: str,
    name: str | None,
    output: Format,
    *,
    organizations: Sequence[str] = (),
    everything: bool = False,
    watch: bool = False,
) -> None:
    """Objects of a kind, or of all, at a path and below it.

    Args:
        kind: in any form.
        name: a path; None: all.
        output: the form.
        organizations: only of these, when any is given.
        everything: also those whose deletion is finished.
        watch: go on until interrupted.

    Raises:
        ActionError: nothing can be meant by that.
    """
    if watch and not output.streams:
        raise ActionError("--watch shows tables, names or JSON", "leave out -o yaml")
    word, path = apart(kind, name)
    ask = question(word, path, organizations, everything=everything)
    with backend() as there:
        if watch:
            _watch(lambda: ask(there.read), output)
            return
        found = ask(there.read)
    objects = [entry for entries in found.values() for entry in entries]
    if output is Format.YAML:
        emit([o.document() for o in objects if o.deleted_at is None or everything], Format.YAML, documents=True)
    elif output is Format.NAME:
        sys.stdout.writelines(f"{_name(o)}\n" for o in objects)
    elif output not in (Format.TABLE, Format.WIDE):
        documents = [status_document(o) for o in objects]
        emit(documents[0] if _is_one(word, path) and documents else documents, output)
    else:
        if not objects:
            say("nothing is declared" if len(found) > 1 else f"no {next(iter(found)).lower()} is declared")
        sys.stdout.write(
            tables(found, wide=output is Format.WIDE, width=console().width if console().is_terminal else None)
        )


def _is_one(word: str, name: str | None) -> bool:
    """Whether one object is meant, and not a list that has one by chance."""
    return bool(name) and word.lower() != ALL and is_full(kind_of(word), path_of(kind_of(word), name))


def _watch(ask: Callable[[], Found], form: Format) -> None:
    """Show what there is, and again what changes, until interrupted."""
    if console().is_terminal and form in (Format.TABLE, Format.WIDE):
        live_table(lambda: tables(ask(), wide=form is Format.WIDE, width=console().width) or "nothing is declared")
    said: set[str] = set()
    while True:
        lines = _lines(ask(), form)
        sys.stdout.writelines(f"{line}\n" for line in lines if line not in said)
        sys.stdout.flush()
        said = set(lines)
        time.sleep(PERIOD_SECONDS)


def _lines(found: Found, form: Format) -> list[str]:
    """A line an object, which differs when the object does."""
    objects = [entry for entries in found.values() for entry in entries]
    if form is Format.NAME:
        return [_name(o) for o in objects]
    if form not in (Format.TABLE, Format.WIDE):
        return [line(status_document(o), form) for o in objects]
    return ["   ".join((o.kind.lower(), o.name, *_cells(o, wide=form is Format.WIDE))) for o in objects]


def tables(found: Found, *, wide: bool, width: int | None) -> str:
    """A table a kind.

    Args:
        found: by kind.
        wide: with the columns that few people ask for, and nothing cut.
        width: of the terminal; None: nothing is cut.
    """
    parts = []
    for kind, objects in found.items():
        if not objects:
            continue
        facts = KINDS[kind].facts
        columns = [kind.upper(), *(("READY", "REASON") if facts.has_status else ()), *_columns(kind, wide=wide), "AGE"]
        rows = [
            [
                o.name,
                *((ready_text(o), o.status.reason) if facts.has_status else ()),
                *(_cell(value(o)) for value in _columns(kind, wide=wide).values()),
                age(o.created_at),
            ]
            for o in objects
        ]
        parts.append(aligned(columns, rows, width=None if wide else width, cut=("IMAGE",)))
    return "\n".join(parts)


def _columns(kind: str, *, wide: bool) -> Mapping[str, Cell]:
    facts = KINDS[kind].facts
    return {**facts.columns, **(facts.wide if wide else {})}


def _cells(found: DeclaredObject, *, wide: bool) -> list[str]:
    state = (ready_text(found).plain, found.status.reason) if KINDS[found.kind].facts.has_status else ()
    return [*state, *(_cell(value(found)) for value in _columns(found.kind, wide=wide).values())]


def _cell(value: object) -> str:
    return "-" if value is None else str(value)


def _name(found: DeclaredObject) -> str:
    return f"{found.kind.lower()}/{found.name}"
