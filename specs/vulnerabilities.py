"""Vulnerability reports of images, and the limits that an image policy sets to what they find. Pure.

A report is about content, whatever it is called: its digest is the image's id where the scanner says it, and it is
found by every digest that the scanner names beside that (of an index, of a manifest).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

SEVERITIES = ("critical", "high", "medium", "low", "unknown")
MOST_FOUND = 1_000_000
"""Of one severity: more is no count of anything."""
DAYS = 3650
WithoutReport = Literal["wait", "refuse", "allow"]
"""What becomes of a new image without a current report: it waits for one, is refused, or runs."""


class VulnerabilityLimits(BaseModel):
    """How many vulnerabilities an image may have, by its report; None: any number.

    Args:
        only_fixable: those count that a newer version of their package has not.
        max_age_days: what is older says nothing good any more.
        without_report: see ``WithoutReport``.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    critical: int | None = None
    high: int | None = None
    medium: int | None = None
    low: int | None = None
    unknown: int | None = None
    only_fixable: bool = False
    max_age_days: int = 7
    without_report: WithoutReport = "wait"

    @property
    def limits(self) -> Mapping[str, int]:
        """Those that are set, by severity."""
        found = {name: getattr(self, name) for name in SEVERITIES}
        return {name: limit for name, limit in found.items() if limit is not None}

    @property
    def forbids(self) -> bool:
        """Whether there is anything that it does not allow."""
        return bool(self.limits) or self.without_report != "allow"


@dataclass(frozen=True, slots=True)
class VulnerabilityReport:
    """What a scanner found in an image.

    Args:
        digest: of the content: the image's id where the scanner said it.
        digests: all that the scanner called it by, that one among them.
        scanner: its name, as ``trivy``.
        scanned_at: when, by the scanner's clock.
        found: vulnerabilities by severity.
        fixable: those of them that a newer version of their package has not.
        reference: what was scanned, for operators alone: it may be another organization's name for the same content.
    """

    digest: str
    digests: tuple[str, ...]
    scanner: str
    scanned_at: datetime
    found: Mapping[str, int] = field(default_factory=dict)
    fixable: Mapping[str, int] = field(default_factory=dict)
    reference: str = ""

    @classmethod
    def of_row(cls, row: Sequence[Any]) -> VulnerabilityReport:
        """By the columns of its row; counts are lists there, the most severe first."""
        digest, digests, scanner, scanned_at, *counts = row[:6]
        found, fixable = (dict(zip(SEVERITIES, numbers, strict=True)) for numbers in counts)
        return cls(digest, tuple(digests), scanner, scanned_at.astimezone(UTC), found, fixable, *row[6:])

    @property
    def words(self) -> str:
        """Whose it is and when, without what was scanned."""
        return f"the report of {self.scanner} of {self.scanned_at:%Y-%m-%d %H:%M} UTC"


def about(reports: Iterable[VulnerabilityReport], digests: Sequence[str]) -> list[VulnerabilityReport]:
    """Those about what is under ``digests``, the newest first.

    Of an index, several platforms may have been scanned. Where it is known which is meant (there is a digest of its
    own), the others do not count; where it is not, all do.
    """
    exact = len(digests) > 1
    found = [each for each in reports if (each.digest in digests if exact else set(digests) & set(each.digests))]
    return sorted(found, key=lambda each: each.scanned_at, reverse=True)


def excess(limits: VulnerabilityLimits, report: VulnerabilityReport) -> str:
    """What of a report is over the limits, in words; empty: nothing."""
    counts = report.fixable if limits.only_fixable else report.found
    what = "fixable vulnerabilities" if limits.only_fixable else "vulnerabilities"
    found = [(counts.get(name, 0), name, limit) for name, limit in limits.limits.items()]
    over = [f"{count} {name} ({limit} allowed)" for count, name, limit in found if count > limit]
    return f"{what}: {', '.join(over)}" if over else ""


def is_current(limits: VulnerabilityLimits, report: VulnerabilityReport, now: datetime) -> bool:
    """Whether it is not too old."""
    return now - report.scanned_at <= timedelta(days=limits.max_age_days)
