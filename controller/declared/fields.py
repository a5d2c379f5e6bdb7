"""What a write changes, in the words of the spec: ``replicas: 2 -> 3``, not ``instances``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from controller.declared.rows import Cell, Row, columns_by_cell
from controller.declared.written import VARIABLE, FieldChange
from specs.binding import from_rows
from specs.resource import Resource

__all__ = ["VARIABLE", "FieldChange", "changed_fields", "spec_changes", "spec_document"]


def changed_fields(resource: Resource, row: Row, cells: Iterable[Cell]) -> list[FieldChange]:
    """What ``resource`` changes in the ``cells`` of ``row``."""
    wanted = set(cells)
    names = {
        field
        for table, columns in _bound_tables(resource)
        for field, column in columns.items()
        if (table, column.name) in wanted
    }
    aliases = {name: info.alias or name for name, info in type(resource.spec).model_fields.items() if name in names}
    after = resource.document()["spec"]
    before = spec_document(type(resource), resource.metadata.parents, row)
    found: list[FieldChange] = []
    for alias in aliases.values():
        found += _walk(alias, before.get(alias), after.get(alias))
    return found


def spec_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[FieldChange, ...]:
    """What is otherwise in one spec document than in another."""
    names = [*before, *(name for name in after if name not in before)]
    return tuple(change for name in names for change in _walk(name, before.get(name), after.get(name)))


def spec_document(kind: type[Resource], parents: Mapping[str, str], row: Row) -> dict[str, Any]:
    """The ``spec`` that a row stands for; with the columns' own values when it breaks a rule of the spec."""
    try:
        spec: dict[str, Any] = from_rows(kind, parents, row.tables()).document()["spec"]
    except (ValueError, TypeError, LookupError, AttributeError):  # a document of any shape may be in a row
        cells = columns_by_cell(kind.binding)
        fields = kind.model_fields["spec"].annotation.model_fields  # type: ignore[union-attr]
        spec = {
            fields[field].alias or field: row.values[table, column.name]
            for table, columns in _bound_tables(kind)
            for field, column in columns.items()
            if (table, column.name) in row.values and (table, column.name) in cells
        }
        spec = {alias: value for alias, value in spec.items() if value is not None}
    return spec


def _bound_tables(kind: type[Resource] | Resource) -> Iterator[tuple[str, Mapping[str, Any]]]:
    yield kind.binding.table, kind.binding.columns
    for attached in kind.binding.attached:
        yield attached.table, attached.columns


def _walk(path: str, before: Any, after: Any) -> Iterator[FieldChange]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in [*before, *(key for key in after if key not in before)]:
            yield from _walk(f"{path}.{key}", before.get(key), after.get(key))
    elif before != after:
        yield FieldChange(path, before, after)
