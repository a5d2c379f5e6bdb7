"""How a kind maps onto its tables, as data: a store writer needs nothing else to write it, read it and
delete it.

    to_rows(resource)                {table: {column: value}}, values as psycopg takes them
    from_rows(kind, parents, rows)   the resource again; ``from_rows(to_rows(x)) == x``

A value of a column with ``reference`` is the other row's key (a plan's name, a user's e-mail address); the
writer puts that row's id into the column, and the reader the key in its place. A value of a column with
``json`` is a JSON document. SQL and its driver are the store's; nothing here is run against a database.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from specs.resource import Resource

R = TypeVar("R", bound="Resource")
Rows = dict[str, dict[str, Any]]


def unchanged(value: Any) -> Any:
    """The value itself."""
    return value


def listed(value: tuple[str, ...] | None) -> list[str] | None:
    """A ``text[]`` value: psycopg writes lists, not tuples, as arrays."""
    return None if value is None else list(value)


@dataclass(frozen=True, slots=True)
class Reference:
    """A row of another table that a spec names by a key.

    Args:
        table: where it is.
        key_column: column that the spec's value is compared with.
        kind: its kind, when it is one of ours: it is applied earlier.
        id_column: column whose value goes into the referring column.
    """

    table: str
    key_column: str
    kind: str | None = None
    id_column: str = "id"


@dataclass(frozen=True, slots=True)
class Column:
    """A column and how a spec field becomes its value and back; None is NULL both ways.

    Args:
        name: its name.
        to_db: from the field's value to the column's; not asked for None.
        from_db: the way back; not asked for None.
        json: the value is a JSON document (``jsonb``).
        reference: the value is a key of that row, the column has its id.
        key_by_default: an absent value is written as the resource's own name.
        kept: an absent value leaves the row's as it is.
    """

    name: str
    to_db: Callable[[Any], Any] = unchanged
    from_db: Callable[[Any], Any] = unchanged
    json: bool = False
    reference: Reference | None = None
    key_by_default: bool = False
    kept: bool = False


@dataclass(frozen=True, slots=True)
class AttachedTable:
    """A table with one row for each row of the main table, written in the same transaction after it.

    Args:
        table: its name.
        owner_column: column with the id of the main table's row.
        columns: spec field to column.
        constants: further columns and what an insert puts into them.
        insert_only: written when the main row is inserted, never afterwards; not read.
    """

    table: str
    owner_column: str
    columns: Mapping[str, Column]
    constants: Mapping[str, Any] = field(default_factory=dict)
    insert_only: bool = False


@dataclass(frozen=True, slots=True)
class TableBinding:
    """The table of a kind.

    Args:
        table: its name.
        key_column: column of ``metadata.name``; unique below the parent among rows that are not deleted.
        columns: spec field (Python name) to column.
        parent: kind of the owner, None at the top.
        parent_column: column with the id of the owner's row.
        insert_only: rows of another system: inserted when absent, never changed.
        attached: tables beside it.
        after: kinds that are applied earlier although no column refers to them.
        deleted_in: table whose ``deleted_at`` asks for deletion; None: the row itself is deleted.
    """

    table: str
    key_column: str
    columns: Mapping[str, Column]
    parent: str | None = None
    parent_column: str | None = None
    insert_only: bool = False
    attached: tuple[AttachedTable, ...] = ()
    after: tuple[str, ...] = ()
    deleted_in: str | None = None

    @property
    def depends_on(self) -> set[str]:
        """Kinds whose rows must be there before a row of this kind."""
        named = {column.reference.kind for column in self.columns.values() if column.reference}
        return {kind for kind in (self.parent, *named, *self.after) if kind}


def to_rows(resource: Resource) -> Rows:
    """The column values of ``resource``, by table; the key is in the main table's, row ids in none."""
    binding = resource.binding
    rows = {binding.table: {binding.key_column: resource.metadata.name} | _values(resource, binding.columns)}
    for attached in binding.attached:
        rows[attached.table] = dict(attached.constants) | _values(resource, attached.columns)
    return rows


def from_rows(kind: type[R], parents: Mapping[str, str], rows: Mapping[str, Mapping[str, Any]]) -> R:
    """The resource that ``rows`` hold.

    Args:
        kind: its class.
        parents: names of the owners by metadata field, such as ``{"organization": "acme", "app": "hello"}``.
        rows: ``{table: {column: value}}`` as ``to_rows`` gives it; insert-only attached ones may be left out.

    Raises:
        pydantic.ValidationError: the rows break a rule; ``InvalidSpec.of`` says which.
    """
    binding = kind.binding
    spec = _fields(rows[binding.table], binding.columns)
    for attached in binding.attached:
        if not attached.insert_only:
            spec |= _fields(rows[attached.table], attached.columns)
    document = {"metadata": {**parents, "name": rows[binding.table][binding.key_column]}, "spec": spec}
    return kind.from_fields(document)


def _values(resource: Resource, columns: Mapping[str, Column]) -> dict[str, Any]:
    values = {}
    for name, column in columns.items():
        value = getattr(resource.spec, name)
        if value is None and column.key_by_default:
            value = resource.metadata.name
        values[column.name] = None if value is None else column.to_db(value)
    return values


def _fields(row: Mapping[str, Any], columns: Mapping[str, Column]) -> dict[str, Any]:
    found = {name: row[column.name] for name, column in columns.items()}
    return {name: None if value is None else columns[name].from_db(value) for name, value in found.items()}
