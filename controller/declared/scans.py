"""Vulnerability reports as rows: handed in by whoever scans, and listed for operators."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import psycopg

from controller.postgres.statements import statement
from specs.vulnerabilities import SEVERITIES, VulnerabilityLimits, VulnerabilityReport


def put(conn: psycopg.Connection, report: VulnerabilityReport) -> bool:
    """Hand a report in; whether it is newer than what is there.

    Args:
        conn: of a role of skypanel_scanner.
        report: what was found.

    Raises:
        psycopg.errors.CheckViolation: it is from the future.
    """
    row = conn.execute(
        statement("declared/scans/put").encode(),
        {
            "digest": report.digest,
            "digests": list(report.digests),
            "scanner": report.scanner,
            "reference": report.reference,
            "scanned_at": report.scanned_at,
            "found": [report.found.get(name, 0) for name in SEVERITIES],
            "fixable": [report.fixable.get(name, 0) for name in SEVERITIES],
        },
    ).fetchone()
    return row is not None and bool(row[0])


def asked_for(conn: psycopg.Connection) -> Mapping[str, VulnerabilityLimits]:
    """By organization: how its image policy limits what a report may find, where it asks for one."""
    rows = conn.execute(statement("declared/scans/asked_for"))
    found = {name: VulnerabilityLimits.model_validate(limits) for name, limits in rows}
    return {name: limits for name, limits in found.items() if limits.forbids}


def newest(conn: psycopg.Connection) -> tuple[datetime, float] | None:
    """When a report was handed in last, and how many days ago that is; None: none ever was."""
    row = conn.execute(statement("declared/scans/newest")).fetchone()
    return None if row is None or row[0] is None else (row[0], float(row[1]))


def listed(conn: psycopg.Connection, digest: str, most: int) -> Sequence[VulnerabilityReport]:
    """The newest reports; of those whose image goes by ``digest``, where one is given.

    Args:
        conn: of a role of skypanel_panel or skypanel_reader.
        digest: empty: all.
        most: so many.
    """
    rows = conn.execute(statement("declared/scans/listed").encode(), {"digest": digest, "most": most})
    return [VulnerabilityReport.of_row(row) for row in rows]
