"""Declared resources as rows: the statements that find, insert and change them, made from a kind's table binding.

A cell is a (table, column) of the main table or of one attached to it. Values are compared and shown as the specs name
them: in the place of a referred row's id stands its key (a plan's name, a user's e-mail address).
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from controller.postgres.statements import statement
from controller.postgres.tenancy import TenantConnection
from specs.binding import AttachedTable, Column, TableBinding
from specs.kinds import KINDS
from specs.problems import Path

Cell = tuple[str, str]


class MissingError(Exception):
    """Something that a resource needs is not there; found before anything of it was written.

    Args:
        message: what is missing.
        hint: how to mend it.
        path: of the field that asks for it, as in a file.
    """

    def __init__(self, message: str, hint: str, path: Path = ()) -> None:
        super().__init__(message)
        self.hint = hint
        self.path = path


@dataclass(frozen=True, slots=True)
class Row:
    """A resource's row and those attached to it.

    Args:
        id: of the main row.
        values: by cell; keys in the place of referred ids.
        absent: attached tables that have no row for it.
        deleted: attached tables whose row is marked deleted.
    """

    id: UUID
    values: Mapping[Cell, Any]
    absent: frozenset[str]
    deleted: frozenset[str]

    def tables(self) -> dict[str, dict[str, Any]]:
        """The values as ``specs.binding.from_rows`` takes them."""
        rows: dict[str, dict[str, Any]] = {}
        for (table, name), value in self.values.items():
            rows.setdefault(table, {})[name] = value
        return rows


def kept_tables(binding: TableBinding) -> list[AttachedTable]:
    """Attached tables that are read and updated."""
    return [attached for attached in binding.attached if not attached.insert_only]


def columns_by_cell(binding: TableBinding) -> dict[Cell, Column]:
    """Every column with a spec field, insert-only ones too."""
    found = {(binding.table, column.name): column for column in binding.columns.values()}
    for attached in binding.attached:
        found |= {(attached.table, column.name): column for column in attached.columns.values()}
    return found


def cells_of(binding: TableBinding, fields: Container[str]) -> set[Cell]:
    """Cells of some spec fields, which are named as in Python."""
    bound = [(binding.table, binding.columns), *((a.table, a.columns) for a in binding.attached)]
    return {(table, column.name) for table, by in bound for name, column in by.items() if name in fields}


def read_cells(binding: TableBinding) -> list[Cell]:
    """The cells that make up a resource: the key and every column but those of insert-only tables."""
    kept = {binding.table, *(attached.table for attached in kept_tables(binding))}
    return [
        (binding.table, binding.key_column),
        *(cell for cell in columns_by_cell(binding) if cell[0] in kept),
    ]


def cell_expression(conn: psycopg.Connection, binding: TableBinding, cell: Cell) -> sql.Composable:
    """What a SELECT reads for ``cell``: the main table is ``t``, attached ones go by their names."""
    table, name = cell
    value = sql.Identifier("t" if table == binding.table else table, name)
    column = columns_by_cell(binding).get(cell)
    if column is None or column.reference is None:
        return value
    reference = column.reference
    if reference.kind is None and isinstance(conn, TenantConnection):
        return sql.SQL("skypanel.seen_email({})").format(value)
    return sql.SQL("(SELECT r.{} FROM {} r WHERE r.{} = {})").format(
        sql.Identifier(reference.key_column),
        table_name(reference.table),
        sql.Identifier(reference.id_column),
        value,
    )


def attached_joins(binding: TableBinding, how: str) -> sql.Composable:
    """``how`` (LEFT JOIN or JOIN) of every table that is read beside ``t``."""
    return sql.SQL(" ").join(
        sql.SQL(how + " {} ON {} = t.id").format(
            table_name(attached.table), sql.Identifier(attached.table, attached.owner_column)
        )
        for attached in kept_tables(binding)
    )


def table_name(table: str) -> sql.Composable:
    """Every declared table is in ``public``."""
    return sql.Identifier("public", table)


def read_name(conn: psycopg.Connection, binding: TableBinding) -> sql.Composable:
    """Where main rows are read. Who acts for an organization reads a view where the table is another system's."""
    if binding.insert_only and isinstance(conn, TenantConnection):
        return sql.Identifier("skypanel", f"seen_{binding.table}")
    return table_name(binding.table)


def id_column(binding: TableBinding, table: str) -> str:
    """The column of ``table`` with the id of the main row."""
    return next((a.owner_column for a in binding.attached if a.table == table), "id")


def run(
    conn: psycopg.Connection,
    name: str,
    parts: Mapping[str, sql.Composable],
    parameters: Mapping[str, Any],
) -> tuple[Any, ...] | None:
    """One statement of ``sql/rows.sql``; its first row."""
    cursor = conn.execute(sql.SQL(statement(f"declared/rows/{name}")).format(**parts), parameters)
    return cursor.fetchone() if cursor.description else None


def find(conn: psycopg.Connection, binding: TableBinding, key: str, owner_id: UUID | None) -> Row | None:
    """The row with ``key`` below ``owner_id`` that is not deleted; an attached row may be."""
    cells, kept = read_cells(binding), kept_tables(binding)
    shown = [cell_expression(conn, binding, cell) for cell in cells]
    shown += [sql.SQL("{} IS NULL").format(sql.Identifier(a.table, a.owner_column)) for a in kept]
    deletable = [a for a in kept if a.table == binding.deleted_in]
    shown += [sql.SQL("{}.deleted_at IS NOT NULL").format(sql.Identifier(a.table)) for a in deletable]
    conditions: list[sql.Composable] = [sql.SQL("{} = %(key)s").format(sql.Identifier("t", binding.key_column))]
    if binding.parent_column:
        conditions.append(sql.SQL("{} = %(owner)s").format(sql.Identifier("t", binding.parent_column)))
    if binding.deleted_in == binding.table:
        conditions.append(sql.SQL("t.deleted_at IS NULL"))
    parts = {
        "columns": sql.SQL(", ").join(shown),
        "table": read_name(conn, binding),
        "joins": attached_joins(binding, "LEFT JOIN"),
        "conditions": sql.SQL(" AND ").join(conditions),
    }
    row = run(conn, "find", parts, {"key": key, "owner": owner_id})
    if row is None:
        return None
    values, flags = row[1 : 1 + len(cells)], row[1 + len(cells) :]
    return Row(
        id=row[0],
        values=dict(zip(cells, values, strict=True)),
        absent=frozenset(a.table for a, is_absent in zip(kept, flags, strict=False) if is_absent),
        deleted=frozenset(a.table for a, marked in zip(deletable, flags[len(kept) :], strict=True) if marked),
    )


def insert(conn: psycopg.Connection, binding: TableBinding, table: str, values: Mapping[str, Any]) -> UUID:
    """A new row of ``table``; the id of the main row."""
    written = _to_db(conn, binding, table, values)
    parts = {
        "table": table_name(table),
        "columns": sql.SQL(", ").join(map(sql.Identifier, written)),
        "values": sql.SQL(", ").join(map(sql.Placeholder, written)),
        "returned": sql.Identifier(id_column(binding, table)),
    }
    row = run(conn, "insert", parts, written)
    assert row is not None
    created: UUID = row[0]
    return created


def update(
    conn: psycopg.Connection, binding: TableBinding, table: str, row_id: UUID, values: Mapping[str, Any]
) -> None:
    """Change some columns of the row of ``table`` that belongs to the main row ``row_id``."""
    written = _to_db(conn, binding, table, values)
    assignments = sql.SQL(", ").join(
        sql.SQL("{} = {}").format(sql.Identifier(name), sql.Placeholder(name)) for name in written
    )
    parts = {**place(binding, table), "assignments": assignments}
    run(conn, "update", parts, {**written, "row_id": row_id})


def hold(conn: psycopg.Connection, binding: TableBinding, row_id: UUID) -> int | None:
    """The generation of a resource, which nobody else changes before the transaction ends; None: it is gone."""
    found = run(conn, "hold", place(binding, binding.deleted_in or binding.table), {"row_id": row_id})
    return None if found is None else int(found[0])


def place(binding: TableBinding, table: str) -> dict[str, sql.Composable]:
    """``table`` and ``id_column`` of a statement about one row."""
    return {"table": table_name(table), "id_column": sql.Identifier(id_column(binding, table))}


def _to_db(conn: psycopg.Connection, binding: TableBinding, table: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Values as the columns take them: ids for keys, JSON documents wrapped."""
    columns = columns_by_cell(binding)
    written = {}
    for name, value in values.items():
        column = columns.get((table, name))
        if column is not None and column.reference is not None:
            written[name] = _referred(conn, binding, column, value)
        elif column is not None and column.json and value is not None:
            written[name] = Jsonb(value)
        else:
            written[name] = value
    return written


def _referred(conn: psycopg.Connection, binding: TableBinding, column: Column, key: Any) -> Any:
    """Id of the row that ``key`` names."""
    reference = column.reference
    assert reference is not None
    field = next(name for name, known in binding.columns.items() if known.reference == reference)
    if key is None:
        if binding.insert_only:
            raise MissingError(f"spec.{field}: is required to create it", "name an existing one", ("spec",))
        return None
    parts = {
        "table": table_name(reference.table),
        "key_column": sql.Identifier(reference.key_column),
        "id_column": sql.Identifier(reference.id_column),
    }
    row = run(conn, "reference", parts, {"key": key})
    if row is None:
        known = KINDS[reference.kind].word() if reference.kind else reference.table.removesuffix("s")
        mend = f"add the {reference.kind} to the files" if reference.kind else f"skypanel {known} add {key} makes one"
        raise MissingError(f"spec.{field}: there is no {known} {key}", f"{mend}, or name another", ("spec", field))
    return row[0]
