"""Scale: how many tasks the processes of an environment shall have."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import psycopg

from controller.actions.change import Changed, Make, change
from controller.actions.errors import ActionError
from controller.actions.promote import PROCESS, SCALE
from controller.actions.releases import KIND
from controller.declared import reader
from controller.declared.reader import DeclaredObject
from reconcilers.ports import Options
from specs.kinds import KINDS
from specs.problems import closest, quote

_PAIR = re.compile(r"(?P<name>[^=]*)=(?P<number>[0-9]{1,6})", re.ASCII)
_ALONE = "web"
"""What an environment without processes is called where one is meant."""


def parse(words: Sequence[str]) -> dict[str, int]:
    """``web=3 worker=1`` as numbers by name.

    Raises:
        ActionError: a word is something else, or a name is there twice.
    """
    found: dict[str, int] = {}
    for word in words:
        said = _PAIR.fullmatch(word)
        if said is None or not said["name"]:
            raise ActionError(f"{quote(word)} is not PROCESS=NUMBER", "write web=3, or web=3 worker=1")
        if said["name"] in found:
            raise ActionError(f"{said['name']} is there twice", "keep one of them")
        found[said["name"]] = int(said["number"])
    return found


def scale(
    conn: psycopg.Connection,
    owner: DeclaredObject,
    wanted: Mapping[str, int],
    options: Options,
    *,
    dry_run: bool = False,
) -> Changed:
    """Have processes of ``owner`` run so many tasks, all of them or none.

    Args:
        conn: the database.
        owner: what has releases.
        wanted: number by process; of one that declares none, of ``web``: its own.
        options: of the installation.
        dry_run: take everything back again.

    Raises:
        ActionError: it has no such process.
        SpecRefused: it is too many, or against a rule; nothing was written.
    """
    heir, _ = KINDS[KIND].facts.overruled[SCALE]
    assert heir == PROCESS
    there = {
        each.path[-1]: each
        for each in reader.objects(conn, PROCESS, owner.path)
        if each.path[:-1] == owner.path and each.deleted_at is None
    }
    changes: list[tuple[DeclaredObject, Make]] = []
    for name, number in wanted.items():
        found = there.get(name) if there else owner if name == _ALONE else None
        if found is None:
            raise ActionError(f"{owner.name} has no process {quote(name)}", _hint(name, list(there)))
        changes.append((found, _to(number)))
    return change(conn, changes, options, dry_run=dry_run)


def _to(number: int) -> Make:
    def make(document: dict[str, Any]) -> dict[str, Any]:
        return {**document, "spec": {**(document.get("spec") or {}), SCALE: number}}

    return make


def _hint(name: str, there: Sequence[str]) -> str:
    if not there:
        return f"it declares no processes: write {_ALONE}=NUMBER"
    return closest(name, there) or f"it has {', '.join(there)}"
