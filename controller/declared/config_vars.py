"""Config vars as people may see them: names, versions, and where they are set; see ``sealing`` for what writes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import psycopg
from psycopg import sql

from controller.declared.sealing import Owner
from controller.declared.variables import Variable
from controller.postgres.statements import statement
from specs.kinds import KINDS, SOURCE

__all__ = ["Variable", "listed", "owned"]


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
