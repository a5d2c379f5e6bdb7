"""What ``skypanel.prune`` takes away, of what has an age here: events, and statuses that are final."""

from __future__ import annotations

import orjson

from controller.records import Key
from tests.sim.database.database import SimDatabase

DAY_SECONDS = 86400.0


def prune(database: SimDatabase, what: str, before: float, most: int) -> int:
    """One piece of what is older than ``before``; how many rows."""
    match what:
        case "removals":
            return _note_removals(database, most)
        case "events":
            return _forget_events(database, before, most)
        case "statuses":
            return _forget_statuses(database, before, most)
    return 0


def _note_removals(database: SimDatabase, most: int) -> int:
    done = [
        key
        for key, row in database.objects.items()
        if row.deleted
        and key not in database.removed
        and (said := database.statuses.get(key)) is not None
        and said.finalized_at is not None
    ]
    database.removed.update(done[:most])
    return len(done[:most])


def _forget_events(database: SimDatabase, before: float, most: int) -> int:
    old = [number for number, event in database.events.items() if event.last_at < before][:most]
    for number in old:
        key = database.events.pop(number).key
        if database.last_event.get(key) == number:
            del database.last_event[key]
    return len(old)


def _forget_statuses(database: SimDatabase, before: float, most: int) -> int:
    old = [
        key
        for key, said in database.statuses.items()
        if said.finalized_at is not None
        and said.finalized_at < before
        and key not in database.objects
        and not _is_named(database, key, said.parent)
    ][:most]
    for key in old:
        database.unsay(key)
    return len(old)


def _is_named(database: SimDatabase, part: Key, parent: Key | None) -> bool:
    row = database.objects.get(parent) if parent is not None else None
    return row is not None and part.id.encode() in row.document and part.id in _ids(orjson.loads(row.document))


def _ids(document: dict[str, object]) -> set[object]:
    rows = [row for value in document.values() if isinstance(value, list) for row in value if isinstance(row, dict)]
    return {row.get("id") for row in rows}
