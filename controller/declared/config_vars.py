"""Config vars as people may see them: names, versions, and where they are set; see ``sealing`` for what writes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import psycopg
from psycopg import sql

from controller.declared.sealing import Owner
from controller.postgres.statements import statement
from specs.kinds import KINDS, SOURCE


@dataclass(frozen=True, slots=True)
class Variable:
    """One that is set.

    Args:
        owner: number of what it is set for, among those that were asked for.
        effective: whether no later one sets it, too.
        source: path of the source that declares it; None: none does.
    """

    owner: int
    name: str
    version: int
    as_file: bool
    changed_at: datetime
    effective: bool = True
    source: str | None = None


def listed(conn: psycopg.Connection, owners: Sequence[Owner]) -> list[Variable]:
    """What is set for ``owners``, of which later ones win; by name, the winner last."""
    found = []
    for number, owner in enumerate(owners):
        sources = {name: path for name, path, _ in owned(conn, owner.id)}
        found += [replace(Variable(number, *row), source=sources.get(row[0])) for row in _of(conn, owner)]
    winner = {variable.name: variable.owner for variable in found}
    marked = [replace(v, effective=v.owner == winner[v.name]) for v in found]
    return sorted(marked, key=lambda v: (v.name, v.owner))


def owned(conn: psycopg.Connection, owner_id: str) -> list[tuple[str, str, str]]:
    """Variables of an owner that sources declare: name, path of the source, and what that has declared last."""
    asked = {"owner": owner_id, "source_kind": KINDS[SOURCE].word()}
    return conn.execute(statement("declared/sealing/owned"), asked).fetchall()


def _of(conn: psycopg.Connection, owner: Owner) -> psycopg.Cursor:
    query = sql.SQL(statement("declared/sealing/listed")).format(owner=owner.column)
    return conn.execute(query, {"owner": owner.id})
