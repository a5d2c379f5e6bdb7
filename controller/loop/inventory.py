"""The inventory of one owner: what we made for it, what of that worked, and what failed. Pure.

A row is there before its object is (the intent) and until its object is known to be gone: whatever a crash leaves
behind is found by it. Functions here take the rows as they were read and give the updates to be written; nothing is
changed in place.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from controller.changes import ChangeSet
from controller.records import InventoryRow, InventoryUpdate
from reconcilers.objects import Service, SpecDocument, template_hash
from reconcilers.ports import ServiceProgress

Rows = Sequence[InventoryRow]


def by_object(rows: Rows) -> dict[tuple[str, str], InventoryRow]:
    """Rows by type and name of their objects."""
    return {(row.object_type, row.name): row for row in rows}


def tried_anew(rows: Rows) -> tuple[InventoryRow, ...]:
    """The rows as if nothing had ever been applied: what failed is tried once more.

    All of them: an attempt that failed for another reason may have forgiven one already.
    """
    return tuple(replace(row, failed_hash=None, spec_hash=None, template_hash=None) for row in rows)


def pardons(rows: Rows) -> list[InventoryUpdate]:
    """Every failure is forgotten."""
    return [InventoryUpdate(row.object_type, row.name, failed_hash="") for row in rows if row.failed_hash]


def without_wishes(rows: Rows) -> list[InventoryRow]:
    """The rows without what was asked for last, and failed: where the last good one is wanted, that is no reason."""
    return [replace(row, spec_hash=None, failed_hash=None) for row in rows]


def barred(rows: Rows, images: Collection[str]) -> list[InventoryRow]:
    """The rows with what no task may run of."""
    return [replace(row, barred=frozenset(images)) for row in rows] if images else list(rows)


def good_documents(rows: Rows, live: Mapping[str, SpecDocument], well: Collection[str] = ()) -> dict[str, SpecDocument]:
    """By service name: the last document that worked, or what is live where none ever did; scaled as it is now.

    Args:
        rows: as they were read.
        live: documents of the live services.
        well: services whose live document is kept, as nothing has shown yet that it does not work.
    """
    good = {name: dict(document) for name, document in live.items()}
    for row in rows:
        if row.object_type == Service.object_type and row.last_good is not None and row.name not in well:
            good[row.name] = {**row.last_good, "Mode": (live.get(row.name) or row.last_good)["Mode"]}
    return good


def unproven(rows: Rows, live: Mapping[str, SpecDocument]) -> list[Service]:
    """Services that run what was applied last, which has neither failed nor run long enough to be the last good one."""
    found = []
    for row in rows:
        document = live.get(row.name)
        if row.object_type != Service.object_type or row.last_good is None or document is None:
            continue
        service = Service.sealed(document)
        applied = service.hash == row.spec_hash and service.template_hash != row.failed_hash
        if applied and service.template_hash != template_hash(row.last_good):
            found.append(service)
    return found


def goes_well(progress: ServiceProgress) -> bool:
    """Whether all its tasks run or are done, of this version or the one before it, and nothing speaks against it.

    Of a version that only the first tasks run that is not known yet.
    """
    there = progress.running + progress.completed + progress.outdated
    return not progress.first and not _fails(progress) and there >= progress.desired


def _fails(progress: ServiceProgress) -> bool:
    """Whether it ends again and again, is never healthy, one of the first tasks has ended, or Swarm pauses what it
    cannot go back from; see ``controller.swarm.pace``.
    """
    ends = progress.looping or progress.unhealthy or bool(progress.first and progress.failures)
    return ends or progress.update_state == "paused"


def planned(rows: Rows, changes: ChangeSet) -> list[InventoryUpdate]:
    """What planning has shown: what Swarm took back, what lives and is not on record, and what may be tried again."""
    return [
        *(InventoryUpdate(Service.object_type, name, failed_hash=digest) for name, digest in changes.failed.items()),
        *changes.seen,
        *_forgiven(rows, changes),
    ]


def _forgiven(rows: Rows, changes: ChangeSet) -> Iterator[InventoryUpdate]:
    """Another template is wanted than the one that failed: that may be tried again when it is asked for anew."""
    wanted = {service.name: service for service in changes.wanted.services}
    for row in rows:
        service = wanted.get(row.name)
        if not row.failed_hash or service is None or row.name in changes.blocked:
            continue
        if row.failed_hash != service.template_hash:
            yield InventoryUpdate(Service.object_type, row.name, failed_hash="")


def strays(rows: Rows, changes: ChangeSet) -> list[InventoryRow]:
    """What is on record, is not wanted and is not being removed: its removal may have been done and not written down.

    Args:
        rows: as they were read.
        changes: for all that is wanted, with those that are left undone for now.
    """
    known = changes.wanted.keys | changes.left | {(change.object_type, change.name) for change in changes.changes}
    return [row for row in rows if (row.object_type, row.name) not in known]


def struck_off(row: InventoryRow) -> InventoryUpdate:
    """Its object is known to be gone."""
    return InventoryUpdate(row.object_type, row.name, gone=True)


class Lesson(NamedTuple):
    """What the tasks of one service have shown.

    Args:
        progress: as it is to be said of.
        update: what the inventory must learn; None: nothing.
        gives_up: whether the template has failed, and did not as Swarm watched it.
    """

    progress: ServiceProgress
    update: InventoryUpdate | None = None
    gives_up: bool = False


def lesson(progress: ServiceProgress, service: Service | None, row: InventoryRow | None) -> Lesson:
    """Remember what is proven to work, and what is shown not to.

    Args:
        progress: how far its tasks are.
        service: as it was applied; None: it was not.
        row: what is on record of it.
    """
    if service is None or not progress.desired or progress.blocked:
        return Lesson(replace(progress, proves_in=0.0))  # of what runs no task nothing is known
    good = (row.last_good if row else None) or {}
    another = bool(good) and template_hash(good) != service.template_hash
    if another and _fails(progress):
        return Lesson(
            progress, InventoryUpdate(Service.object_type, service.name, failed_hash=service.template_hash), True
        )
    update = None
    # The labels hold the hash of the whole spec.
    if progress.stable and not (another and progress.proves_in) and good.get("Labels") != service.spec["Labels"]:
        update = InventoryUpdate(
            Service.object_type,
            service.name,
            spec_hash=service.hash,
            template_hash=service.template_hash,
            last_good=service.spec,
        )
    return Lesson(progress if another else replace(progress, proves_in=0.0), update)
