"""Changes of declared objects by what they say now: read, locked, made anew, checked and written, all of them or none.

What is written is a whole document again, so plan, generation and release are those of every other write.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import psycopg
from pydantic import ValidationError

from controller.actions.apply import apply
from controller.actions.backend import Changed
from controller.actions.errors import ActionError
from controller.declared import config_vars, lookups, reader
from controller.declared.fields import VARIABLE
from controller.declared.outlast import outlasting
from controller.declared.reader import DeclaredObject
from controller.declared.rows import hold
from controller.declared.writer import Written
from reconcilers.ports import Options
from specs.kinds import KINDS, SOURCE, ancestors
from specs.loader import Located
from specs.problems import Path, problems_of
from specs.yaml_syntax import Position

__all__ = ["Changed", "Make", "Said", "change", "declared", "of_sources"]

_NAME = "name"
"""Of an object: no field of its spec, and a source's all the same."""

Make = Callable[[dict[str, Any]], Mapping[str, Any]]
"""Of a spec document, another one."""


class Said(Located):
    """What was said on a command line: it stands in no file, and has no line."""

    @property
    def place(self) -> str:
        """Nothing."""
        return ""

    def at(self, path: Path) -> str:
        """The field alone."""
        return ".".join(map(str, path))


def change(
    conn: psycopg.Connection,
    changes: Sequence[tuple[DeclaredObject, Make]],
    options: Options,
    *,
    dry_run: bool = False,
) -> Changed:
    """Have each object say what is made of what it says.

    Args:
        conn: the database.
        changes: living objects, and of each what it shall say.
        options: of the installation.
        dry_run: take everything back again.

    Raises:
        ActionError: what is made breaks a rule, or an object is deleted.
        SpecRefused: it is refused; nothing was written.
    """
    written = _change(conn, changes, options, dry_run)
    return Changed(written, list(of_sources(conn, written)))


def of_sources(conn: psycopg.Connection, written: Sequence[Written]) -> Iterator[str]:
    """What will not last, as a source declares it."""
    changed = [each for each in written if each.id is not None and each.changed]
    owners = {
        kind: lookups.owners(
            conn, KINDS[kind].word(), [each.id for each in changed if each.target.kind == kind and each.id]
        )
        for kind in dict.fromkeys(each.target.kind for each in changed)
    }
    for each in changed:
        owner = owners[each.target.kind].get(each.id) if each.id else None
        if owner is None:
            continue
        lost = sorted({change.field.partition(".")[0] for change in each.changes} & {*owner.fields, _NAME})
        if each.action == "deleted":
            yield f"{owner.named} declares {each.target.name}, and has it be there again at once"
        elif lost:
            yield f"{owner.named} declares {', '.join(lost)} of {each.target.name}, and takes it back at once"
    yield from _variables_of_sources(conn, changed)


def _variables_of_sources(conn: psycopg.Connection, changed: Sequence[Written]) -> Iterator[str]:
    for each in changed:
        names = {c.field.removeprefix(VARIABLE) for c in each.changes if c.field.startswith(VARIABLE)}
        for name, source, _ in config_vars.owned(conn, str(each.id)) if names else ():
            if name in names:
                said = f"{KINDS[SOURCE].word()} {source} declares {VARIABLE}{name} of {each.target.name}"
                yield f"{said}, and takes it back at once"


@outlasting
def _change(
    conn: psycopg.Connection, changes: Sequence[tuple[DeclaredObject, Make]], options: Options, dry_run: bool
) -> list[Written]:
    with conn.transaction(force_rollback=dry_run):
        entries = [declared(found.kind, make(_now(conn, found).document())) for found, make in changes]
        return apply(conn, entries, options)


def declared(kind: str, document: Mapping[str, Any]) -> Said:
    """What ``document`` declares.

    Raises:
        ActionError: it breaks a rule of its kind.
    """
    cls = KINDS[kind]
    try:
        return Said(cls.model_validate(document), "", Position(1, 1))
    except ValidationError as error:
        found = problems_of(error, model=cls, document=document)
        names = document["metadata"]
        owners = () if cls.globally_named else [str(names.get(KINDS[each].word(), "")) for each in ancestors(kind)]
        name = "/".join([*owners, str(names["name"])])
        raise ActionError("\n".join(f"{cls.word()} {name}: {each}" for each in found)) from None


def _now(conn: psycopg.Connection, found: DeclaredObject) -> DeclaredObject:
    """As it is when everybody who was changing it is done."""
    gone = found.deleted_at is not None
    if not gone and hold(conn, KINDS[found.kind].binding, found.id) == found.generation:
        return found
    present = () if gone else reader.objects(conn, found.kind, found.path, ids=[found.id])
    living = next((each for each in present if each.deleted_at is None), None)
    if living is None:
        word = KINDS[found.kind].word()
        raise ActionError(f"{found.name} is deleted", f"`skypanel restore {word} {found.name}`")
    return living
