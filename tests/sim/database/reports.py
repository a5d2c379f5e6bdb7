"""Intents and reports, as ``sql/intend.sql`` and ``sql/report.sql`` write them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import orjson

from controller.records import EventRecord, Intent, Key, Report, Rest
from reconcilers.conditions import Status
from tests.sim.database.database import SimDatabase
from tests.sim.database.link import now
from tests.sim.database.rows import EventWritten, Happened, Made, Said, StatusWritten, dumps, storable

COUNTED_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Sent:
    """A report as it is when it is sent: the reconcile may go on changing its own."""

    key: Key
    organization_id: str | None
    statuses: tuple[tuple[Status, bytes, bytes], ...]
    events: tuple[EventRecord, ...]
    inventory: Mapping[tuple[str, str], Mapping[str, Any]]
    handled_token: str | None
    rest: Rest | None

    @classmethod
    def of(cls, report: Report) -> Self:
        """Copy ``report``: statuses with their conditions and details as text, updates of one object merged."""
        inventory: dict[tuple[str, str], dict[str, Any]] = {}
        for update in report.inventory:
            known = inventory.setdefault((update.object_type, update.name), {})
            for column in ("engine_id", "spec_hash", "failed_hash", "template_hash"):
                if (value := getattr(update, column)) is not None:
                    known[column] = storable(value)
            if update.last_good is not None:
                known["last_good"] = dumps(update.last_good)
            known["gone"] = update.gone
        return cls(
            report.key,
            report.organization_id,
            tuple((s, dumps([_condition(c) for c in s.conditions]), dumps(s.details)) for s in report.statuses),
            tuple(report.events),
            inventory,
            report.handled_token,
            report.rest,
        )


def write_intents(
    database: SimDatabase, key: Key, organization_id: str | None, intents: Sequence[Intent], epoch: int
) -> tuple[list[str], int]:
    """Insert the rows, or make them this owner's; names of things that stay another's, and how many were written."""
    refused = []
    for intent in intents:
        known = database.inventory.get((intent.object_type, intent.name))
        if "/" in intent.object_type and known is not None and known.owner != key:
            refused.append(intent.name)
            continue
        if known is None or known.owner != key:
            row = Made(
                intent.object_type, intent.name, key, organization_id, None, None, None, None, intent.state, epoch
            )
        else:
            row = known._replace(owner=key, organization_id=organization_id, state=intent.state, epoch=epoch)
        database.keep(row)
    return refused, len(intents) - len(refused)


def write_report(database: SimDatabase, n: int, sent: Sent, epoch: int) -> int:
    """Write what says something new, as the statement ``n``; how many rows."""
    rows = sum(_say(database, n, sent, *said, epoch) for said in sent.statuses)
    rows += _end_the_rest(database, n, sent, epoch)
    rows += _happen(database, n, sent)
    return rows + sum(_learn(database, sent, *place, known, epoch) for place, known in sent.inventory.items())


def _token(sent: Sent, status: Status) -> str | None:
    """A request to look now is handled by the status of the object itself, not by those of its parts."""
    return sent.handled_token if (status.kind, status.id) == sent.key else None


def _end_the_rest(database: SimDatabase, n: int, sent: Sent, epoch: int) -> int:
    """Parts that were spoken of and are not in this report get the report's word for them."""
    if sent.rest is None:
        return 0
    conditions, finalized = dumps([_condition(c) for c in sent.rest.conditions]), sent.rest.finalized
    named = {Key(status.kind, status.id) for status, _, _ in sent.statuses}
    ended = 0
    for key in sorted(database.parts.get(sent.key, set()) - named):
        before = database.statuses[key]
        if before.finalized_at is not None or not (finalized or before.conditions != conditions):
            continue
        status = Status(*key, before.organization_id, before.observed_generation, sent.rest.conditions, {}, finalized)
        ended += _write(database, n, status, conditions, dumps({}), epoch, before.handled_token, before.parent)
    return ended


def _say(
    database: SimDatabase, n: int, sent: Sent, status: Status, conditions: bytes, details: bytes, epoch: int
) -> int:
    key = Key(status.kind, status.id)
    before = database.statuses.get(key)
    parent = None if key == sent.key else sent.key
    handled_token = _token(sent, status) or (before.handled_token if before else None)
    if before is not None and (
        before.observed_generation,
        before.conditions,
        before.details,
        before.finalized_at is not None,
        before.parent,
        before.handled_token,
    ) == (status.observed_generation, conditions, details, status.finalized, parent, handled_token):
        return 0
    return _write(database, n, status, conditions, details, epoch, handled_token, parent)


def _write(
    database: SimDatabase,
    n: int,
    status: Status,
    conditions: bytes,
    details: bytes,
    epoch: int,
    handled_token: str | None,
    parent: Key | None,
) -> int:
    key = Key(status.kind, status.id)
    before = database.statuses.get(key)
    ready = status.ready
    said = Said(
        status.organization_id or (before.organization_id if before else None),
        status.observed_generation,
        conditions,
        ready.status == "True",
        storable(ready.reason),
        storable(ready.message),
        details,
        now() if status.finalized else None,
        epoch,
        handled_token,
        parent,
    )
    database.say(key, said)
    row = database.objects.get(key)
    written = replace(status, details=orjson.loads(details))
    database.history.statuses.append(StatusWritten(n, epoch, written, row.generation if row else None))
    database.on_status(database.history.statuses[-1])
    return 1


def _happen(database: SimDatabase, n: int, sent: Sent) -> int:
    """An event equal to the object's last one, if that is not older than ten minutes, is counted once."""
    last = database.last_event.get(sent.key)
    time = now()
    for event in sent.events:
        type_, reason, message = event.type, storable(event.reason), storable(event.message)
        before = database.events[last] if last is not None else None
        counted = (
            before is not None
            and (before.type, before.reason, before.message) == (type_, reason, message)
            and before.last_at > time - COUNTED_SECONDS
        )
        if counted and before is not None and last is not None:
            database.events[last] = before._replace(times=before.times + 1, last_at=time)
            last = None  # one statement updates a row once
        else:
            database.insert_event(Happened(sent.key, sent.organization_id, type_, reason, message, 1, time, time))
        database.history.events.append(EventWritten(n, sent.key, type_, reason, message, counted))
    return len(sent.events)


def _learn(database: SimDatabase, sent: Sent, object_type: str, name: str, known: Mapping[str, Any], epoch: int) -> int:
    before = database.inventory.get((object_type, name))
    if before is not None and before.owner != sent.key:
        return 0
    if known["gone"]:
        if before is not None:
            database.forget(before)
        return int(before is not None)
    if before is None:
        before = Made(object_type, name, sent.key, sent.organization_id, None, None, None, None, "", epoch)
    changes = {column: value for column, value in known.items() if column != "gone"}
    database.keep(before._replace(**changes, state="present", epoch=epoch))
    return 1


def _condition(condition: Any) -> dict[str, str]:
    return {
        "type": condition.type,
        "status": condition.status,
        "reason": condition.reason,
        "message": condition.message,
    }
