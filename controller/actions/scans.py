"""Vulnerability reports of images: handed in, and listed."""

from __future__ import annotations

from collections.abc import Sequence

import psycopg

from controller.actions.errors import ActionError
from controller.declared import scans
from controller.declared.outlast import outlasting
from specs.problems import RefusedError
from specs.trivy import read_report
from specs.vulnerabilities import VulnerabilityReport

MOST_LISTED = 100


@outlasting
def hand_in(
    conn: psycopg.Connection, source: str, data: bytes, *, no_packages: bool = False
) -> tuple[VulnerabilityReport, bool]:
    """What a report says, and whether it is newer than the one that is there; then it counts from now on.

    Args:
        conn: of a role of skypanel_scanner.
        source: where it comes from, for messages.
        data: as Trivy wrote it.
        no_packages: see ``specs.trivy.read_report``.

    Raises:
        ActionError: it is no report that counts; nothing was written.
    """
    try:
        report = read_report(data, no_packages=no_packages)
        return report, scans.put(conn, report)
    except RefusedError as error:
        raise ActionError(f"{source}: {error.message}", error.hint) from None
    except psycopg.errors.CheckViolation as error:
        raise ActionError(f"{source}: {error.diag.message_primary}", error.diag.message_hint or "") from None


def listed(conn: psycopg.Connection, digest: str) -> Sequence[VulnerabilityReport]:
    """The newest of all, or of an image by a digest that it goes by."""
    return scans.listed(conn, digest, MOST_LISTED)
