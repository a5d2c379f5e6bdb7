"""What would be lost, and what waits, as ``store/sql/fuse/assess.sql`` and ``record.sql`` say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

import orjson

from controller.records import Assessment, Holdings, Key, Loss
from specs.releases import overlaid
from tests.sim.database.database import SimDatabase
from tests.sim.database.link import now
from tests.sim.database.rows import Fuse, Waiting


def assess(database: SimDatabase, holdings: Holdings) -> Assessment:
    """By one look at all rows."""
    lost = {}
    owners = Counter(holdings.owners)
    owners.update(row.owner for (object_type, _), row in database.inventory.items() if "/" in object_type)
    for key, objects in owners.items():
        row = database.objects.get(key)
        if row is None or row.deleted:
            absent = row is None and key not in database.tombstones
            lost[key] = Loss("absent" if absent else "deleted", objects, 0, 0)
    serving = set(_serving(database))
    processes = Counter(i for i, name in holdings.processes if ("process", i, name) not in serving)
    hosts = Counter(i for i, name in holdings.hosts if ("host", "", name) not in serving)
    for environment in processes | hosts:
        key = Key("environment", environment)
        lost.setdefault(key, Loss("reduced", 0, processes[environment], hosts[environment]))
    controls, organization_of = database.controls, database.organization_of
    tripped = database.fuse is not None and database.fuse.tripped_at is not None
    told = {
        key: loss._replace(confirmed=_covers(database.losses.get(key), loss))
        for key, loss in lost.items()
        if controls.pause_of(key, organization_of(key)) is None
    }
    return Assessment(tripped, "", len(database.losses), told)


def record(database: SimDatabase, waiting: Mapping[Key, Loss], *, tripped: bool, live: int) -> int:
    """Write down what waits, all of it; how many rows changed."""
    before, fuse = database.losses, database.fuse
    database.losses = {
        key: Waiting(*loss[:4], confirmed=_covers(before.get(key), loss)) for key, loss in waiting.items()
    }
    since = (fuse.tripped_at if fuse is not None and fuse.tripped_at is not None else now()) if tripped else None
    database.fuse = Fuse(since, live)
    changed = sum(before.get(key) != row for key, row in database.losses.items())
    return changed + len(before.keys() - database.losses.keys()) + (database.fuse != fuse)


def _covers(row: Waiting | None, loss: Loss) -> bool:
    return (
        row is not None and row.confirmed and all(now <= shown for now, shown in zip(loss[1:4], row[1:4], strict=True))
    )


def _serving(database: SimDatabase) -> Iterator[tuple[str, str, str]]:
    """What ``skypanel.serving`` shows; a host name may lead anywhere."""
    for key, row in database.objects.items():
        if key.kind != "environment" or row.deleted:
            continue
        document = overlaid(orjson.loads(row.document))
        yield from (("host", "", domain["hostname"]) for domain in document.get("domains") or ())
        if not document.get("suspended"):
            alone = [{"type": "web", "instances": document.get("instances", 1)}]
            processes = [p for p in document.get("processes") or () if p["type"] != "release"] or alone
            yield from (("process", key.id, p["type"]) for p in processes if p.get("instances", 1) > 0)
