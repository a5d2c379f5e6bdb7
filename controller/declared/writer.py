"""Writes declared resources into the spec tables: all of them or none, owners first, only what differs.

How a kind maps onto its tables is data (``specs.binding``), so nothing here knows a kind. A row that says the same is
not written: no trigger fires and no ``generation`` moves. A row that differs is locked and compared once more before
its changed columns are written, so that two writers at once never mix. A deleted row is never brought back: its name is
free, and a new row takes it; where a table has one row an owner (organizations), its mark is taken off, and what was
deleted with it stays deleted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NoReturn
from uuid import UUID

import psycopg
from psycopg import sql

from controller.declared import rows
from controller.declared.constraint_messages import RETRYABLE, Refusal, SpecRefused, explain
from controller.declared.fields import changed_fields
from controller.declared.holding import Holding
from controller.declared.outlast import outlasting
from controller.declared.rows import Cell, MissingError, Row
from controller.declared.written import Action, FieldChange, Target, Written
from specs.binding import to_rows
from specs.kinds import KINDS, ancestors, children, in_apply_order
from specs.loader import Located
from specs.resource import Resource

__all__ = ["Action", "FieldChange", "Target", "Written", "apply", "delete", "restore", "write"]

_ATTEMPTS = 3


Check = Callable[[Sequence[Written]], None]
Also = Callable[[psycopg.Connection, Sequence[Written]], list[Written]]


def apply(
    conn: psycopg.Connection,
    entries: Sequence[Located],
    *,
    check: Check | None = None,
    holding: Callable[[], Holding] | None = None,
    also: Also | None = None,
) -> list[Written]:
    """Write ``entries`` in one transaction of their own; what became of each, owners first.

    Args:
        conn: a connection that is not in a transaction, of a role that may write specs.
        entries: resources and where they were read.
        check: called before the commit; what it raises undoes everything.
        holding: called first, in the transaction: what was declared before, of which only declared fields are written.
            None: what is left out has its default.
        also: as of ``write``.

    Raises:
        SpecRefused: nothing was written; says what, where and how to mend it.
        psycopg.OperationalError: the connection was lost; the transaction may have been committed.
    """
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            with conn.transaction():
                written = write(conn, entries, holding() if holding else None, also)
                if check is not None:
                    check(written)
                return written
        except SpecRefused as refused:
            if attempt == _ATTEMPTS or not isinstance(refused.__cause__, RETRYABLE):
                raise
        except RETRYABLE:
            if attempt == _ATTEMPTS:
                raise
    raise AssertionError("the last attempt returns or raises")


def write(
    conn: psycopg.Connection, entries: Sequence[Located], holding: Holding | None = None, also: Also | None = None
) -> list[Written]:
    """``apply`` within the caller's transaction, which must be rolled back when this raises.

    Args:
        conn: as of ``apply``.
        entries: as well.
        holding: what was declared before.
        also: writes what else is declared of these and other objects, when they are written; gives what became of all.
    """
    writer = _Writer(conn, holding)
    targets = {entry.resource.key: Target.of(entry) for entry in entries}
    results: list[Written] = []
    refusals: dict[tuple[str, tuple[str, ...]], Refusal | None] = {}
    for resource in in_apply_order(entry.resource for entry in entries):
        target = targets[resource.key]
        if target.owner in refusals:
            refusals[target.kind, target.path] = None  # the owner's reason says it all
            continue
        try:
            results.append(writer.write(target, resource))
        except MissingError as missing:  # nothing was sent that failed: go on, and say all that is missing
            refusals[target.kind, target.path] = Refusal(
                target.at(missing.path), str(target), str(missing), missing.hint
            )
        except psycopg.Error as error:
            _refuse(error, target)
    if refusals:
        raise SpecRefused(filter(None, refusals.values()))
    if also is not None:
        results = also(conn, results)
    _check_as_a_whole(conn, results)
    return results


@outlasting
def delete(conn: psycopg.Connection, targets: Sequence[Target]) -> list[Written]:
    """Ask for the deletion of ``targets`` in one transaction, what is owned before its owners.

    ``deleted_at`` is set, and the controller removes what runs. A kind without it (Plan) loses its row at once. What is
    not there is reported as ``absent``.

    Raises:
        SpecRefused: nothing was deleted.
    """
    writer, rank = _Writer(conn), list(KINDS)
    results = []
    with conn.transaction():
        for target in sorted(targets, key=lambda t: (rank.index(t.kind), t.path), reverse=True):
            try:
                results.append(writer.delete(target))
            except psycopg.Error as error:
                _refuse(error, target)
        _check_as_a_whole(conn, results)
    return results


@outlasting
def restore(conn: psycopg.Connection, target: Target, row_id: UUID) -> Written:
    """Take the deletion of one object back, with what was deleted together with it.

    Args:
        conn: a connection of a role that may write specs.
        target: names of the object.
        row_id: its row; others that were deleted may have had the same names.

    Raises:
        SpecRefused: its owner is deleted, or its name is in use again; nothing was changed.
    """
    binding = KINDS[target.kind].binding
    place = rows.place(binding, binding.deleted_in or binding.table)
    try:
        with conn.transaction():
            if target.owner and _is_owner_deleted(conn, target, row_id):
                word, path = KINDS[target.owner[0]].word(), "/".join(target.owner[1])
                refusal = Refusal("", str(target), f"its {word} is deleted", f"skypanel restore {word} {path}")
                raise SpecRefused([refusal])
            rows.run(conn, "take_back", place, {"row_id": row_id})
    except psycopg.Error as error:
        _refuse(error, target)
    return Written(target, row_id, "restored")


def _is_owner_deleted(conn: psycopg.Connection, target: Target, row_id: UUID) -> bool:
    binding = KINDS[target.kind].binding
    owner = KINDS[binding.parent or ""].binding
    if not owner.deleted_in:
        return False
    of_owner = rows.place(owner, owner.deleted_in)
    parts: dict[str, sql.Composable] = {
        **rows.place(binding, binding.table),
        "owner_table": of_owner["table"],
        "owner_id": of_owner["id_column"],
        "parent_column": sql.Identifier(binding.parent_column or ""),
    }
    return rows.run(conn, "deleted_owner", parts, {"row_id": row_id}) is not None


def _check_as_a_whole(conn: psycopg.Connection, results: Sequence[Written]) -> None:
    """What the database looks at when everything is written, quotas; the refusal is of the object that it names."""
    changed = [w for w in results if w.changed]
    if not changed:
        return
    try:
        rows.run(conn, "check_now", {}, {})
    except psycopg.Error as error:
        named = error.diag.message_detail or ""
        _refuse(error, next((w for w in changed if str(w.id) in named), changed[-1]).target)


def _refuse(error: psycopg.Error, target: Target) -> NoReturn:
    meaning = explain(error)
    if meaning is None:
        raise error
    raise SpecRefused([Refusal(target.place, str(target), *meaning)]) from error


class _Writer:
    """One transaction's work; remembers the ids of owners."""

    def __init__(self, conn: psycopg.Connection, holding: Holding | None = None) -> None:
        self._conn = conn
        self._holding = holding
        self._ids: dict[tuple[str, tuple[str, ...]], UUID] = {}

    def write(self, target: Target, resource: Resource) -> Written:
        """Create or update one resource, or leave it."""
        binding = resource.binding
        owner_id = self._owner_id(target)
        if resource.globally_named and binding.parent:
            self._refuse_other_holder(target, owner_id)
        row = self._find(target, owner_id)
        renamed: tuple[FieldChange, ...] = ()
        restored = False
        if row is None:
            restored, renamed = self._bring_back(target, owner_id)
            renamed = renamed or (() if restored else self._rename(target, resource, owner_id))
            if restored or renamed:
                row = self._find(target, owner_id)
        fields = self._holding.fields(resource, target.path) if self._holding else None
        if row is not None and not _is_equal(resource, row, fields):  # look again when nobody else can change it
            ours = binding.deleted_in if binding.insert_only else None  # another system's row is not ours to lock
            rows.run(self._conn, "lock", rows.place(binding, ours or binding.table), {"id": row.id})
            row = self._find(target, owner_id)
        if row is None:
            result = Written(target, self._insert(resource, owner_id), "created")
        elif _is_equal(resource, row, fields):
            action: Action = "restored" if restored else "updated" if renamed else "unchanged"
            result = Written(target, row.id, action, renamed)
        elif row.absent or row.deleted:
            self._restore(resource, row)
            result = Written(target, row.id, "created")
        else:
            differing = _differing(resource, row, fields)
            self._update(resource, row.id, differing)
            changes = (*renamed, *changed_fields(resource, row, differing))
            result = Written(target, row.id, "restored" if restored else "updated", changes)
        assert result.id is not None
        self._ids[target.kind, target.path] = result.id
        return result

    def _bring_back(self, target: Target, owner_id: UUID | None) -> tuple[bool, tuple[FieldChange, ...]]:
        """Have the row that was declared here be here again, where others have deleted or renamed it.

        Its deletion is taken back with what was deleted together with it. Where that cannot be, as the name is taken or
        the row is gone, nothing is done.

        Returns:
            whether its deletion was taken back, and its name.
        """
        held = self._holding.of(target.kind, target.path) if self._holding else None
        binding = KINDS[target.kind].binding
        if held is None or binding.deleted_in != binding.table:
            return False, ()
        place = rows.place(binding, binding.table)
        parts = {**place, "key_column": sql.Identifier(binding.key_column)}
        parts["parent_column"] = sql.Identifier(binding.parent_column or binding.key_column)
        try:
            with self._conn.transaction():
                found = rows.run(self._conn, "whereabouts", parts, {"row_id": held.id})
                if found is None or (binding.parent_column and found[2] != owner_id):
                    return False, ()
                name, deleted, _ = found
                changes: tuple[FieldChange, ...] = ()
                if name != target.path[-1]:
                    rows.update(self._conn, binding, binding.table, held.id, {binding.key_column: target.path[-1]})
                    changes = (FieldChange("name", name, target.path[-1]),)
                if deleted:
                    rows.run(self._conn, "take_back", place, {"row_id": held.id})
                return deleted, changes
        except psycopg.errors.IntegrityError:
            return False, ()

    def delete(self, target: Target) -> Written:
        """Mark one object deleted, or delete its row."""
        binding = KINDS[target.kind].binding
        try:
            row = self._find(target, self._owner_id(target))
        except MissingError:
            row = None
        table = binding.deleted_in or binding.table
        if row is None or table in row.absent | row.deleted:
            return Written(target, None, "absent")
        name = "mark_deleted" if binding.deleted_in else "delete"
        rows.run(self._conn, name, rows.place(binding, table), {"row_id": row.id})
        return Written(target, row.id, "deleted")

    def _rename(self, target: Target, resource: Resource, owner_id: UUID | None) -> tuple[FieldChange, ...]:
        """Give the object of the former name, if there is one, the name of ``target``."""
        former, binding = resource.metadata.former_name, resource.binding
        row = None if former is None else self._find(replace(target, path=(*target.path[:-1], former)), owner_id)
        if row is None:
            return ()
        rows.update(self._conn, binding, binding.table, row.id, {binding.key_column: target.path[-1]})
        return (FieldChange("name", former, target.path[-1]),)

    def _find(self, target: Target, owner_id: UUID | None) -> Row | None:
        return rows.find(self._conn, KINDS[target.kind].binding, target.path[-1], owner_id)

    def _owner_id(self, target: Target) -> UUID | None:
        """Id of the owner's row, found from the outermost owner down."""
        owner_id: UUID | None = None
        for depth, kind in enumerate(ancestors(target.kind), start=1):
            owner = Target(kind, target.path[:depth])
            key = (owner.kind, owner.path)
            if key not in self._ids:
                row = self._find(owner, owner_id)
                if row is None:
                    raise MissingError(
                        f"its {KINDS[kind].word()} {owner.name} does not exist",
                        f"add the {kind} to the files, or check the names in metadata",
                        ("metadata", KINDS[kind].word()),
                    )
                self._ids[key] = row.id
            owner_id = self._ids[key]
        return owner_id

    def _refuse_other_holder(self, target: Target, owner_id: UUID | None) -> None:
        cls = KINDS[target.kind]
        parts: dict[str, sql.Composable] = {
            "table": rows.table_name(cls.binding.table),
            "key_column": sql.Identifier(cls.binding.key_column),
            "parent_column": sql.Identifier(cls.binding.parent_column or ""),
        }
        owner = KINDS[cls.binding.parent or ""].word()
        holder = rows.run(self._conn, "holder", parts, {"key": target.path[-1], "owner": owner})
        if holder is not None and holder[1] != owner_id:
            raise MissingError(
                f"{owner} {holder[0]} has this {cls.facts.named}",
                f"delete it there first: skypanel delete {cls.word()} {target.name}",
                ("metadata", "name"),
            )

    def _insert(self, resource: Resource, owner_id: UUID | None) -> UUID:
        binding, values_by_table = resource.binding, to_rows(resource)
        row = values_by_table.pop(binding.table)
        if binding.parent_column:
            row[binding.parent_column] = owner_id
        row_id = rows.insert(self._conn, binding, binding.table, row)
        for attached in binding.attached:
            values = {attached.owner_column: row_id, **values_by_table[attached.table]}
            rows.insert(self._conn, binding, attached.table, values)
        return row_id

    def _restore(self, resource: Resource, row: Row) -> None:
        """Make parts that are absent, take the mark of deletion off those that have one, and change what differs."""
        binding, values_by_table = resource.binding, to_rows(resource)
        for attached in rows.kept_tables(binding):
            if attached.table in row.absent:
                values = {attached.owner_column: row.id, **values_by_table[attached.table]}
                rows.insert(self._conn, binding, attached.table, values)
            elif attached.table in row.deleted:
                self._take_back(resource, attached.table, row.id)
        self._update(resource, row.id, [cell for cell in _differing(resource, row) if cell[0] not in row.absent])

    def _update(self, resource: Resource, row_id: UUID, differing: Sequence[Cell]) -> None:
        values_by_table = to_rows(resource)
        for table in dict.fromkeys(table for table, _ in differing):
            values = {name: values_by_table[table][name] for of, name in differing if of == table}
            rows.update(self._conn, resource.binding, table, row_id, values)

    def _take_back(self, resource: Resource, table: str, row_id: UUID) -> None:
        parts = rows.place(resource.binding, table)
        for child in (KINDS[kind].binding for kind in children(resource.kind)):
            if child.parent_column and child.deleted_in:
                apart: dict[str, sql.Composable] = {
                    "table": rows.table_name(child.table),
                    "owner_column": sql.Identifier(child.parent_column),
                    "owner_table": parts["table"],
                    "id_column": parts["id_column"],
                }
                rows.run(self._conn, "part", apart, {"row_id": row_id})
        rows.run(self._conn, "take_back", parts, {"row_id": row_id})


def _differing(resource: Resource, row: Row, fields: frozenset[str] | None = None) -> list[Cell]:
    """Cells in which the row says something else; those of insert-only tables are not ours to change.

    One that is kept, and not said, stays as it is; as do all but those of ``fields``, where that is given.
    """
    binding, values_by_table = resource.binding, to_rows(resource)
    ours = {attached.table for attached in rows.kept_tables(binding)}
    if not binding.insert_only:
        ours.add(binding.table)
    written = None if fields is None else rows.cells_of(binding, fields)
    return [
        (table, name)
        for (table, name), column in rows.columns_by_cell(binding).items()
        if table in ours and values_by_table[table][name] != row.values[table, name]
        if not (column.kept and values_by_table[table][name] is None)
        if written is None or (table, name) in written
    ]


def _is_equal(resource: Resource, row: Row, fields: frozenset[str] | None = None) -> bool:
    return not (row.absent or row.deleted or _differing(resource, row, fields))
