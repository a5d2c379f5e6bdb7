"""How objects are loaded: the statements, and what their rows are. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from functools import cache
from typing import Any

import orjson
from psycopg import sql

from controller.postgres import decoding
from controller.postgres.statements import fenced, statement
from controller.records import InventoryRow, Key, Loaded, Pause

_AHEAD_LIMIT = 16
"""So many objects are loaded with their changes: when there are more, nobody waits for one of them."""


@cache
def load_statement(kind: str) -> str:
    """What ``load`` asks for objects of ``kind``, with their ``ids``."""
    return _load_statement(kind, sql.SQL("unnest(%(ids)s::uuid[])")).as_string()


def _load_statement(kind: str, keys: sql.Composable) -> sql.Composed:
    return sql.SQL(statement("store/loop/load")).format(
        kind=sql.Literal(kind),
        keys=keys,
        snapshot=sql.Identifier("skypanel", f"snapshot_{kind}"),
        largest=sql.Literal(decoding.LARGEST_DOCUMENT),
        member=sql.Literal(decoding.LARGEST_MEMBER),
    )


def consume_statement(kinds: Sequence[str]) -> str:
    """Take changes off, and look at the objects of ``kinds`` among them; all of it sees the same state."""
    parts: list[sql.Composable] = [sql.SQL(fenced("store/loop/consume"))]
    for kind in kinds:
        name = sql.Literal(kind)
        keys = sql.SQL(statement("store/loop/consume_keys")).format(kind=name, limit=sql.Literal(_AHEAD_LIMIT))
        load = _load_statement(kind, keys)
        parts.append(sql.SQL(statement("store/loop/consume_load")).format(kind=name, load=load))
    return sql.Composed(parts).as_string()


def readable(rows: Iterable[Sequence[Any]]) -> Iterator[Loaded]:
    """What came with the changes; what cannot be read is left out, and fails by itself when it is loaded."""
    for row in rows:
        with suppress(ValueError):
            yield loaded(Key(row[0], row[3]), *row[4:])


def loaded(  # noqa: PLR0917 - the columns of a row
    key: Key,
    organization_id: str | None,
    generation: int | None,
    deleted: bool | None,
    document: str | None,
    omitted: str | None,
    inventory: str,
    status: str | None,
    paused: str | None,
    token: str | None,
    bare: str | None,
    tombstone: bool | None,
) -> Loaded:
    """An object, by the columns of its row."""
    said = orjson.loads(status) if status else None
    pause = orjson.loads(paused) if paused else None
    row = orjson.loads(bare) if bare else {}
    read = decoding.read(document, orjson.loads(omitted) if omitted else {}) if document is not None else (None, None)
    return Loaded(
        key=key,
        organization_id=organization_id or row.get("organization_id") or (said or {}).get("organization_id"),
        generation=generation or row.get("generation") or 0,
        deleted=bool(deleted or row.get("deleted")),
        document=read[0],
        unreadable=read[1],
        inventory=tuple(InventoryRow(**made) for made in orjson.loads(inventory)),
        status=said,
        paused=Pause(pause["scope"], pause["reason"] or "", pause["by"] or "", pause["at"]) if pause else None,
        token=token or "",
        declared=document is not None or bare is not None,
        tombstone=bool(tombstone),
    )
