"""Vulnerability reports of the simulated database."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import orjson

from controller.records import Key
from specs.vulnerabilities import VulnerabilityReport
from tests.sim.database.documents import image_facts, verdicts
from tests.sim.database.link import now

if TYPE_CHECKING:
    from tests.sim.database.database import SimDatabase


def put(database: SimDatabase, report: VulnerabilityReport) -> bool:
    """What ``skypanel.report_image`` does; whether it is news."""
    before = database.scans.get(report.digest)
    if before is not None and before.scanned_at >= report.scanned_at:
        return False
    says_else = before is None or (before.found, before.fixable) != (report.found, report.fixable)
    if before is not None:
        says_else |= not set(report.digests) <= set(before.digests)
        report = replace(report, digests=tuple(dict.fromkeys((*report.digests, *before.digests))))
    database.scans[report.digest] = report
    database.scanned_at[report.digest] = now()
    waiting = [key for key in _named(database, report.digests) if says_else or not _allowed(database, key)]
    database.touch(*waiting)
    return True


def found(database: SimDatabase, digests: Sequence[str]) -> list[VulnerabilityReport]:
    """What the store answers."""
    named = [replace(each, reference="") for each in database.scans.values() if set(each.digests) & set(digests)]
    return sorted(named, key=lambda each: (-each.scanned_at.timestamp(), each.digest))


def _named(database: SimDatabase, digests: Iterable[str]) -> list[Key]:
    """Environments that want the image which is called by one of these, or had it last."""
    keys = [key for key in database.objects if key.kind == "environment"]
    return [key for key in keys if (_content(database, key) | _serving(database, key)) & set(digests)]


def _serving(database: SimDatabase, key: Key) -> set[str]:
    ran = [kept for kept in database.releases.get(key.id, ()) if kept.deployed]
    listed = (ran[-1].content.resolved or {}).get("digests") or () if ran else ()
    return {_digest(ran[-1].content.image), *map(str, listed)} - {""} if ran else set()


def _content(database: SimDatabase, key: Key) -> set[str]:
    pinned = orjson.loads(database.objects[key].document).get("pinned")
    facts: Mapping[str, object] = (pinned or {}).get("resolved") or database.rows.get(image_facts(key)) or {}
    listed = facts.get("digests")
    return {str(each) for each in listed} if isinstance(listed, list) and listed else {_digest(facts.get("pinned"))}


def _digest(reference: object) -> str:
    return str(reference or "").partition("@")[2]


def _allowed(database: SimDatabase, key: Key) -> bool:
    table, of = verdicts(key)
    rows = [row for (name, where), row in database.rows.items() if name == table and of in where]
    return bool(rows) and rows[-1]["verdict"] == "allowed"
