"""What image policies say of vulnerability reports: limits, age, and which report is about an image at all."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from specs.image_policies import ImagePolicy, Scanned, violations
from specs.vulnerabilities import VulnerabilityLimits, VulnerabilityReport, about

NOW = datetime(2026, 11, 27, tzinfo=UTC)
INDEX, AMD64, ARM64, OF_AMD64, OF_ARM64 = (f"sha256:{letter * 64}" for letter in "abcde")
OURS = (INDEX, AMD64, OF_AMD64)


def report(*digests: str, days: float = 0, fixable: int = 0, **found: int) -> VulnerabilityReport:
    return VulnerabilityReport(
        digests[0], digests, "trivy", NOW - timedelta(days=days), found, dict.fromkeys(found, fixable), "secret/name:1"
    )


def judged(*reports: VulnerabilityReport, enforcement: str = "new", **limits: Any) -> list[tuple[str, str, bool]]:
    policy = ImagePolicy.model_validate({"vulnerabilities": limits, "enforcement": enforcement})
    scanned = Scanned(about(reports, OURS), NOW)
    found = violations([("acme", policy)], f"web@{INDEX}", scanned=scanned)
    return [(each.reason, each.enforcement, each.awaited) for each in found]


@pytest.mark.parametrize("digests", [(OF_AMD64, INDEX), (OF_AMD64, AMD64), (OF_AMD64,), (INDEX,), (AMD64,)])
def test_a_report_on_the_index_or_the_manifest_is_found(digests: tuple[str, ...]) -> None:
    assert judged(report(*digests), critical=0) == []
    assert judged(report(*digests, critical=1), critical=0) == [("Vulnerable", "new", False)]


def test_a_report_on_another_platform_of_the_index_is_none() -> None:
    assert judged(report(OF_ARM64, INDEX), critical=0) == [("NotScanned", "new", True)]
    both = (report(OF_ARM64, INDEX, critical=9), report(OF_AMD64, INDEX))
    assert judged(*both, critical=0) == []


def test_where_the_platform_is_not_known_all_of_them_count() -> None:
    both = (report(OF_ARM64, INDEX, critical=9), report(OF_AMD64, INDEX))
    assert [each.digest for each in about(both, (INDEX,))] == [OF_ARM64, OF_AMD64]


def test_limits_count_by_severity_and_what_can_be_mended_alone_where_that_is_asked() -> None:
    found = report(OF_AMD64, high=6, low=100, fixable=5)
    assert judged(found, high=6) == []
    assert judged(found, high=5) == [("Vulnerable", "new", False)]
    assert judged(found, high=5, only_fixable=True) == []
    assert judged(found, high=4, only_fixable=True) == [("Vulnerable", "new", False)]


def test_a_report_gets_old_where_it_is_good_and_not_where_it_is_bad() -> None:
    assert judged(report(OF_AMD64, days=7), critical=0) == []
    assert judged(report(OF_AMD64, days=7.01), critical=0) == [("NotScanned", "new", True)]
    assert judged(report(OF_AMD64, days=400, critical=1), critical=0) == [("Vulnerable", "new", False)]
    assert judged(report(OF_AMD64, days=400), critical=0, max_age_days=401) == []


def test_without_a_report_a_policy_waits_refuses_or_allows_and_stops_nothing() -> None:
    assert judged(critical=0, enforcement="all") == [("NotScanned", "new", True)]
    assert judged(critical=0, without_report="refuse", enforcement="all") == [("NotScanned", "new", False)]
    assert judged(critical=0, enforcement="audit") == [("NotScanned", "audit", True)]
    assert judged(critical=0, without_report="allow") == []
    assert judged() == [("NotScanned", "new", True)], "it asks for a report, whatever is in it"
    assert not VulnerabilityLimits(without_report="allow").forbids


def test_each_policy_is_judged_by_itself_and_the_message_does_not_say_what_was_scanned() -> None:
    strict = ImagePolicy(vulnerabilities=VulnerabilityLimits(high=0), enforcement="all")
    loose = ImagePolicy(vulnerabilities=VulnerabilityLimits(high=9), enforcement="audit")
    scanned = Scanned(about([report(OF_AMD64, high=3)], OURS), NOW)
    for both in ([("one", strict), ("other", loose)], [("one", loose), ("other", strict)]):
        (found,) = violations(both, f"web@{INDEX}", scanned=scanned)
        assert (found.reason, found.enforcement) == ("Vulnerable", "all")
        assert "too many vulnerabilities: 3 high (0 allowed)" in found.message
        assert "2026-11-27 00:00 UTC" in found.message
        assert "secret" not in found.message
