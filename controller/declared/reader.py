"""Reads declared objects as people ask for them: by kind and path of names, with what was last said of them.

What is said of them is that of the view ``skypanel.status``: ``Pending`` while nobody has looked at this generation,
``Unknown`` while nobody vouches for it. An object whose deletion is finished is left out unless it is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql

from controller.declared.fields import spec_document
from controller.declared.objects import DeclaredObject, ObjectStatus
from controller.declared.rows import Row, attached_joins, cell_expression, read_cells, read_name, table_name
from controller.postgres.statements import statement
from reconcilers.conditions import PAUSED
from specs.binding import TableBinding
from specs.kinds import KINDS, ancestors, of_tenant
from specs.resource import Resource

__all__ = ["DeclaredObject", "ObjectStatus", "Page", "objects"]

_STATUS_COLUMNS = 10


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list.

    Args:
        most: so many.
        after: names and time of creation of the last object before it; empty: from the beginning.
        ready: only those whose status says so: ``True``, ``False`` or ``Unknown``; empty: all.
        reason: only those whose status gives this one; empty: all.
    """

    most: int
    after: tuple[str, ...] = ()
    ready: str = ""
    reason: str = ""


def objects(
    conn: psycopg.Connection,
    kind: str,
    path: Sequence[str] = (),
    *,
    organizations: Sequence[str] = (),
    everything: bool = False,
    page: Page | None = None,
    ids: Sequence[UUID] | None = None,
    specs: bool = True,
) -> list[DeclaredObject]:
    """Objects of ``kind``, by path.

    Args:
        conn: a connection of a role that may read specs and status.
        kind: one of ``specs.kinds.KINDS``.
        path: names from the outermost owner down; as many as given must be equal.
        organizations: only these, when any is given.
        everything: also those whose deletion is finished.
        page: a part of them.
        ids: only these.
        specs: with what is declared; else that is left empty, and not read.
    """
    cls = KINDS[kind]
    binding, chain = cls.binding, ancestors(kind)
    cells = read_cells(binding) if specs else []
    names = [sql.Identifier(f"p{depth}", KINDS[owner].binding.key_column) for depth, owner in enumerate(chain)]
    names.append(sql.Identifier("t", binding.key_column))
    spec_table = binding.deleted_in or binding.table
    alias = "t" if spec_table == binding.table else spec_table
    deleted_at: sql.Composable = sql.SQL("NULL::timestamptz")
    if binding.deleted_in:
        deleted_at = sql.Identifier(alias, "deleted_at")
        if cls.facts.part:  # it goes with its owner, whether or not it was marked itself
            owner = sql.Identifier(f"p{len(chain) - 1}", "deleted_at")
            deleted_at = sql.SQL("coalesce({}, {})").format(deleted_at, owner)

    given = _Given({"kind": cls.word()})
    conditions: list[sql.Composable] = [sql.SQL("true")]
    if cls.globally_named and len(path) == 1 and "." in path[0]:
        conditions.append(sql.SQL("{} = {}").format(names[-1], given.add(path[0])))
    else:
        said = zip(names, path, strict=False)
        conditions += [sql.SQL("{} = {}").format(name, given.add(value)) for name, value in said]
    if organizations and of_tenant(kind):
        conditions.append(sql.SQL("{} = ANY ({})").format(names[0], given.add(list(organizations))))
    among: sql.Composable = sql.SQL("")
    if ids is not None:
        meant = given.add(list(ids))
        conditions.append(sql.SQL("{} = ANY ({})").format(sql.Identifier("t", "id"), meant))
        among = sql.SQL(" AND s.id = ANY ({})").format(meant)  # else all statuses are made, to join these
    if binding.deleted_in and not everything:
        conditions.append(sql.SQL("({} IS NULL OR {})").format(deleted_at, _worth_showing(cls)))

    order = [*names, sql.SQL("{}.created_at").format(sql.Identifier(alias))]
    if page is not None:
        conditions += _of_page(page, order, given)

    query = sql.SQL(statement("declared/read/objects")).format(
        id=sql.Identifier("t", "id"),
        among=among,
        spec_table=sql.Identifier(alias),
        deleted_at=deleted_at,
        columns=sql.SQL(", ").join([*names, *(cell_expression(conn, binding, cell) for cell in cells)]),
        table=read_name(conn, binding),
        joins=sql.SQL(" ").join([attached_joins(binding, "JOIN"), *_owner_joins(conn, binding, chain)]),
        conditions=sql.SQL(" AND ").join(conditions),
        order=sql.SQL(", ").join(order),
        most=sql.SQL("") if page is None else sql.SQL("LIMIT {}").format(given.add(page.most)),
    )
    found = []
    for row in conn.execute(query, given.values):
        object_id, generation, created_at, deleted = row[:4]
        owners, status = tuple(row[4 : 4 + len(names)]), row[-_STATUS_COLUMNS:]
        values = dict(zip(cells, row[4 + len(names) : -_STATUS_COLUMNS], strict=True))
        parents = {KINDS[owner].word(): name for owner, name in zip(chain, owners, strict=False)}
        spec = spec_document(cls, parents, Row(object_id, values, frozenset(), frozenset())) if specs else {}
        found.append(
            DeclaredObject(
                kind=kind,
                id=object_id,
                path=owners,
                spec=spec,
                generation=generation,
                created_at=created_at,
                deleted_at=deleted,
                status=_status(*status),
            )
        )
    return found if cls.facts.status_from is None else _as_children_are(conn, found, KINDS[cls.facts.status_from])


class _Given:
    """What people say, as parameters of a statement: a text may have a percent sign in it."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.values = values

    def add(self, value: Any) -> sql.Placeholder:
        """Where it stands in the statement."""
        name = f"given_{len(self.values)}"
        self.values[name] = value
        return sql.Placeholder(name)


def _of_page(page: Page, order: Sequence[sql.Composable], given: _Given) -> list[sql.Composable]:
    """Conditions under which a row is in a part of a list, which is in this order."""
    found: list[sql.Composable] = []
    if page.after:
        comma = sql.SQL(", ")
        found.append(sql.SQL("({}) > ({})").format(comma.join(order), comma.join(map(given.add, page.after))))
    if page.ready:
        found.append(sql.SQL("s.ready = {}").format(given.add(page.ready)))
    if page.reason:
        found.append(sql.SQL("s.reason = {}").format(given.add(page.reason)))
    return found


def _worth_showing(cls: type[Resource]) -> sql.Composable:
    """The condition under which a deleted row is still shown: as long as something of it goes."""
    if cls.facts.reconciled:
        return sql.SQL("s.finalized_at IS NULL")
    if cls.facts.status_from is None:
        return sql.SQL("false")
    return sql.SQL(statement("declared/read/child_going")).format(**_children_of(KINDS[cls.facts.status_from]))


def _children_of(cls: type[Resource]) -> dict[str, sql.Composable]:
    return {
        "children": table_name(cls.binding.table),
        "owner_column": sql.Identifier(cls.binding.parent_column or ""),
        "kind": sql.Literal(cls.word()),
    }


def _owner_joins(conn: psycopg.Connection, binding: TableBinding, chain: Sequence[str]) -> list[sql.Composable]:
    joins: list[sql.Composable] = []
    below, child = "t", binding
    for depth in range(len(chain) - 1, -1, -1):
        owner = KINDS[chain[depth]].binding
        joins.append(
            sql.SQL("JOIN {} {} ON {} = {}").format(
                read_name(conn, owner),
                sql.Identifier(f"p{depth}"),
                sql.Identifier(f"p{depth}", "id"),
                sql.Identifier(below, child.parent_column or ""),
            )
        )
        below, child = f"p{depth}", owner
    return joins


def _status(  # noqa: PLR0917 - the columns of a row
    observed: int | None,
    conditions: Sequence[Mapping[str, Any]] | None,
    ready: str | None,
    reason: str,
    message: str,
    stalled: bool,
    details: Mapping[str, Any],
    finalized_at: datetime | None,
    updated_at: datetime | None,
    as_of: datetime | None,
) -> ObjectStatus:
    if ready is None:  # nobody speaks of it
        return ObjectStatus()
    return ObjectStatus(
        ready=ready == "True",
        unknown=ready == "Unknown",
        reason=reason,
        message=message,
        stalled=stalled,
        observed_generation=observed or 0,
        conditions=conditions or [],
        details=details,
        finalized_at=finalized_at,
        updated_at=updated_at,
        as_of=as_of,
    )


def _as_children_are(
    conn: psycopg.Connection, owners: list[DeclaredObject], child: type[Resource]
) -> list[DeclaredObject]:
    """Owners that have no reconciler and are as their children are."""
    query = sql.SQL(statement("declared/read/children")).format(**_children_of(child))
    rows = conn.execute(query, {"ids": [owner.id for owner in owners]})
    counts = {row[0]: row[1:] for row in rows}
    return [replace(o, status=_together(o, child, *counts.get(o.id, (0, 0, 0, 0, 0, None)))) for o in owners]


def _together(  # noqa: PLR0917 - the columns of a row
    owner: DeclaredObject,
    child: type[Resource],
    total: int,
    ready: int,
    stalled: int,
    leaving: int,
    unknown: int,
    away: str | None,
) -> ObjectStatus:
    word, plural = child.word(), child.plural()
    details = {plural: total, "ready": ready, "stalled": stalled, "leaving": leaving}
    if owner.deleted_at is not None:
        reason, message = (
            ("Deleting", f"{leaving} {word}(s) are still being removed") if leaving else ("Deleted", "gone")
        )
        return ObjectStatus(ready=False, reason=reason, message=message, details=details)
    if not total:
        return ObjectStatus(reason=f"No{plural.capitalize()}", message=f"it has no {word}", details=details)
    message = f"{ready} of {total} {word}(s) are ready" + (f", {stalled} stalled" if stalled else "")
    if unknown and away:
        message += f", {unknown} {'paused' if away == PAUSED else 'not known'}"
    reason = "Ready" if ready == total else "Stalled" if stalled else away or "Converging"
    return ObjectStatus(
        ready=ready == total,
        unknown=bool(unknown) and not stalled,
        reason=reason,
        message=message,
        stalled=bool(stalled),
        details=details,
    )
