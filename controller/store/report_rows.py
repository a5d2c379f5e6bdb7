"""Reports as the rows that one statement writes: statuses, events, inventory. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import orjson
from psycopg.types.json import Jsonb

from controller.records import EventRecord, Intent, InventoryUpdate, Key, Report
from reconcilers.conditions import Condition

_NOBODY = UUID(int=0)
_BACKSLASH_OR_NUL = re.compile(r"\\\\|\\u0000")  # what follows an escaped backslash is no escape


def report_parameters(reports: Sequence[Report]) -> Mapping[str, Any]:
    """Those of ``store/loop/report``, for reports of a group that ``apart`` made."""
    # The same key does not come twice in a group: it is never worked on twice at once.
    statuses = [
        {
            "kind": s.kind,
            "id": s.id,
            "organization_id": s.organization_id,
            "observed_generation": s.observed_generation,
            "conditions": [fields(c) for c in s.conditions],
            "ready": s.ready.status == "True",
            "reason": s.ready.reason,
            "message": s.ready.message,
            "details": s.details,
            "finalized": s.finalized,
            "handled_token": report.handled_token if (s.kind, s.id) == report.key else None,
            **({} if (s.kind, s.id) == report.key else {"parent_kind": report.key.kind, "parent_id": report.key.id}),
        }
        for report in reports
        for s in report.statuses
    ]
    rest = [
        {
            "kind": r.key.kind,
            "id": r.key.id,
            "conditions": [fields(c) for c in r.rest.conditions],
            "reason": r.rest.conditions[0].reason,
            "message": r.rest.conditions[0].message,
            "finalized": r.rest.finalized,
        }
        for r in reports
        if r.rest is not None
    ]
    events = [
        {**fields(e), "kind": r.key.kind, "object_id": r.key.id, "organization_id": r.organization_id}
        for r in reports
        for e in r.events
    ]
    for ordinal, event in enumerate(events):
        event["ordinal"] = ordinal
    inventory: dict[tuple[str, str], dict[str, Any]] = {}
    for r in reports:
        for update in r.inventory:
            owner = {"owner_kind": r.key.kind, "owner_id": r.key.id, "organization_id": r.organization_id}
            known = {k: v for k, v in fields(update).items() if v is not None}
            inventory.setdefault((update.object_type, update.name), {}).update({**owner, **known})
    return {
        "statuses": Jsonb(statuses, dumps=storable),
        "rest": Jsonb(rest, dumps=storable),
        "ended": [
            _NOBODY,
            *(UUID(r.key.id) for r in reports if r.rest is not None),
        ],  # once more, as what the planner looks up by index
        "events": Jsonb(events, dumps=storable),
        "inventory": Jsonb(list(inventory.values()), dumps=storable),
    }


def apart(reports: Sequence[Report]) -> list[list[Report]]:
    """Groups in which no two owners speak of one object, on the engine or declared.

    A former owner's word must not displace the new one's, and one statement does not write one status twice.
    """
    groups: list[list[Report]] = [[]]
    owners: dict[tuple[str, str], Key] = {}
    for report in reports:
        places = [(update.object_type, update.name) for update in report.inventory]
        places += [(status.kind, status.id) for status in report.statuses]
        if any(owners.get(place, report.key) != report.key for place in places):
            groups.append([])
            owners.clear()
        groups[-1].append(report)
        owners.update(dict.fromkeys(places, report.key))
    return groups


def storable(document: object) -> str:
    """JSON that PostgreSQL takes: it has no NUL, which the engine's words, or somebody's label, may hold."""
    text = orjson.dumps(document).decode()
    if "\\u0000" not in text:
        return text
    return _BACKSLASH_OR_NUL.sub(lambda found: "\\ufffd" if found[0] == "\\u0000" else found[0], text)


def fields(record: Condition | EventRecord | Intent | InventoryUpdate) -> dict[str, Any]:
    """Fields by name, as they are: ``asdict`` copies every document to its last leaf."""
    return {name: getattr(record, name) for name in record.__slots__}
