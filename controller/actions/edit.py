"""Editing of one declared object as a file: its text, and what a changed text may say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg

from controller.actions.apply import apply
from controller.actions.errors import ActionError
from controller.actions.export import export
from controller.actions.objects import find_one
from controller.actions.paths import one
from controller.declared import lookups, reader
from controller.declared.outlast import outlasting
from controller.declared.reader import DeclaredObject
from controller.declared.rows import hold
from controller.declared.writer import Written
from reconcilers.ports import Options
from specs.dump import dump_yaml
from specs.kinds import KINDS
from specs.loader import Located, load
from specs.yaml_syntax import YamlProblem
from specs.yaml_text import read_documents

_HEAD = """\
# {what}, as it is declared in generation {generation}.{by}
# Save and leave the editor: what would change is shown, and asked for. Leave it as it is, or empty: nothing happens.
"""


@dataclass(frozen=True, slots=True)
class Editable:
    """One object as text.

    Args:
        object: it.
        text: as a file.
    """

    object: DeclaredObject
    text: str

    @property
    def what(self) -> str:
        """For people."""
        return f"{KINDS[self.object.kind].word()} {self.object.name}"


def begin(conn: psycopg.Connection, word: str, name: str | None) -> Editable:
    """The object of this kind and path, to be edited.

    Raises:
        ActionError: there is none, or it cannot be written down.
    """
    kind, path = one(word, name)
    found = find_one(conn, kind, path)
    owner = lookups.owners(conn, KINDS[kind].word(), [found.id]).get(found.id)
    return editable(found, [(owner.named, owner.fields)] if owner else [])


def editable(found: DeclaredObject, owners: Sequence[tuple[str, Sequence[str]]]) -> Editable:
    """An object, to be edited; ``owners`` are those that declare fields of it.

    Raises:
        ActionError: it is deleted, or cannot be written down.
    """
    if found.deleted_at is not None:
        raise ActionError(f"{found.name} is deleted", f"`skypanel restore {found.kind.lower()} {found.name}`")
    written = export([found])
    if not written.resources:
        raise ActionError("\n".join(written.left_out), "mend the row, with `skypanel apply -f FILE`")
    said = [(named, ", ".join(sorted(fields))) for named, fields in owners if fields]
    by = "".join(f"\n# {named} declares {fields} of it, and takes that back at once." for named, fields in said)
    made = Editable(found, "")
    head = _HEAD.format(what=made.what.capitalize(), generation=found.generation, by=by)
    return Editable(found, head + dump_yaml(written.resources))


def is_same(before: Editable, text: str) -> bool:
    """Whether nothing was changed, or everything deleted; comments do not count, but what a text says after a ``#``."""
    lines = (each.strip() for each in text.splitlines())
    if all(not each or each.startswith("#") or each == "---" for each in lines):
        return True
    return text == before.text or _said(text) == _said(before.text)


def _said(text: str) -> list[str]:
    found = read_documents(text)
    return [repr(each if isinstance(each, YamlProblem) else each.data) for each in found]


def read(before: Editable, file: Path) -> list[Located]:
    """What the changed text declares.

    Raises:
        SpecFilesError: it breaks a rule.
        ActionError: it is of something else.
    """
    found = load([file])
    names = {entry.resource.key.path for entry in found if entry.resource.kind == before.object.kind}
    former = {entry.resource.metadata.former_name for entry in found}
    own = KINDS[before.object.kind].globally_named and names == {before.object.path[-1:]}
    if len(found) != 1 or not (own or names == {before.object.path} or before.object.path[-1] in former):
        raise ActionError(
            f"the file no longer declares {before.what}, and it alone",
            "`skypanel apply -f FILE` declares other things; metadata.renamedFrom has the old name of what is renamed",
        )
    return found


@outlasting
def declare(conn: psycopg.Connection, before: Editable, entries: Sequence[Located], options: Options) -> list[Written]:
    """What became of it; who is changing it just now is waited for.

    Raises:
        ActionError: somebody has changed it.
        SpecRefused: it is refused; nothing was written.
    """
    with conn.transaction():
        hold(conn, KINDS[before.object.kind].binding, before.object.id)
        refuse_changed(conn, before)
        return apply(conn, entries, options)


def refuse_changed(conn: psycopg.Connection, before: Editable) -> None:
    """Have nobody's change be lost that came meanwhile.

    Raises:
        ActionError: one came.
    """
    now: Sequence[DeclaredObject] = reader.objects(conn, before.object.kind, before.object.path, ids=[before.object.id])
    if not any(each.generation == before.object.generation and each.deleted_at is None for each in now):
        raise ActionError(f"{before.what} was changed meanwhile by somebody else", "edit it as it is now")
