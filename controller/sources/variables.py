"""Config vars that a source declares: whose they are, in the transaction that declares the rest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from controller.access.permissions import allows
from controller.access.roles import Role, Verb
from controller.declared.config_documents import Variable
from controller.declared.fields import VARIABLE
from controller.postgres.statements import statement
from reconcilers.sources import Taken
from specs.kinds import LAYERS, TENANT_WORD
from specs.loader import LocatedVars

ROLE = Role.ADMIN
"""What a source may in its organization: whoever writes one is that."""


def foreign(documents: Sequence[LocatedVars], organization: str) -> Iterator[str]:
    """Documents that the source of ``organization`` has no right to declare, a sentence each."""
    for each in documents:
        if each.vars.path[0] != organization:
            place = each.at(("metadata", TENANT_WORD))
            said = f"metadata.{TENANT_WORD}: the source is {organization}'s and declares nothing else"
            yield f"{place}: {each.label}: {said}"
        elif not allows(ROLE, Verb.CONFIG, LAYERS[len(each.vars.path) - 1]):
            yield f"{each.at(())}: {each.label}: is not for an organization to declare, so neither for a source of it"


def note(
    conn: psycopg.Connection, asked: Mapping[str, Any], variables: Sequence[Variable]
) -> tuple[list[dict[str, Any]], dict[str, list[Any]]]:
    """Note which config vars the source declares: as the database has been told, and what it says of them."""
    told = [
        {
            "id": each.id,
            "kind": each.owner.layer,
            "owner": each.owner.id,
            "name": each.name,
            "changed": each.change is not None,
        }
        for each in variables
    ]
    by = {(each.owner.id, each.name): each for each in variables}
    said: dict[str, list[Any]] = {"taken": [], "left": [], "took": [], "contested": []}
    rows_found = conn.execute(statement("sources/rows/configured"), {**asked, "variables": Jsonb(told)})
    for what, row_id, _, owner, name, other in rows_found.fetchall():
        if what == "left":
            said[what].append(row_id)
            continue
        one = by[owner, name]
        if what == "taken":
            field = f"{VARIABLE}{name}: the source {other} declares it, too: take it out of one of them"
            said[what].append(f"{one.place}: {one.target}: {field}")
        else:
            said[what].append(Taken(str(one.target), (f"{VARIABLE}{name}",), other))
    return told, said


def unset(conn: psycopg.Connection, ids: Sequence[str]) -> int:
    """Unset config vars that are declared no longer; how many were."""
    return conn.execute(statement("declared/sealing/drop"), {"ids": list(ids)}).rowcount if ids else 0


def with_variables(conn: psycopg.Connection, ids: Sequence[str]) -> set[tuple[str, str]]:
    """Of objects that are declared no longer: those that stay, as a config var is declared of them, or below them."""
    if not ids:
        return set()
    return {(kind, i) for kind, i in conn.execute(statement("sources/rows/configured_below"), {"ids": list(ids)})}
