"""The statement that writes rows of a table that a kind declared: one for each set of columns."""

from __future__ import annotations

from typing import NamedTuple

from psycopg import sql

from controller.postgres.statements import fenced


class RowShape(NamedTuple):
    """Which columns of which table are written.

    Args:
        table: its name, in ``public``.
        where: columns that are unique together.
        columns: all of them.
    """

    table: str
    where: tuple[str, ...]
    columns: tuple[str, ...]


def upsert(shape: RowShape) -> sql.Composed:
    """Inserts or changes ``rows``, a JSON list; needs the parameters of the lease."""
    return sql.SQL(fenced("store/loop/write_rows")).format(
        table=sql.Identifier("public", shape.table),
        columns=_names(shape.columns),
        where=_names(shape.where),
        changes=sql.SQL(", ").join(
            sql.SQL("{0} = excluded.{0}").format(sql.Identifier(name)) for name in shape.columns
        ),
    )


def _names(columns: tuple[str, ...]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, columns))
