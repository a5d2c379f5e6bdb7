"""Reports of Trivy: what is kept of them, and what is refused.

``tests/fixtures/trivy.json`` is what Trivy 0.59.1 wrote of the platform linux/amd64 of an image in a registry, with a
database of two entries that were made up: one that a newer version of the package has not, and one that it has, too.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specs.problems import RefusedError
from specs.trivy import LARGEST, read_report

INDEX, CONFIG = f"sha256:{'a' * 64}", f"sha256:{'c' * 64}"


def entry(severity: str, fixed: str = "") -> dict[str, str]:
    """A vulnerability, as far as it counts."""
    return {"VulnerabilityID": "CVE-2026-1", "PkgName": "libx", "Severity": severity, "FixedVersion": fixed}


def document(*entries: dict[str, str], **other: Any) -> dict[str, Any]:
    """As `trivy image --format json` writes it."""
    return {
        "SchemaVersion": 2,
        "CreatedAt": "2026-11-27T14:22:47.279847703+02:00",
        "ArtifactName": "registry.example.com/shop/web:1",
        "ArtifactType": "container_image",
        "Metadata": {
            "ImageID": CONFIG,
            "RepoTags": ["registry.example.com/shop/web:1"],
            "RepoDigests": [f"registry.example.com/shop/web@{INDEX}"],
        },
        "Results": [{"Target": "web (debian 12)", "Class": "os-pkgs", "Vulnerabilities": list(entries)}],
        **other,
    }


def refused(data: Any) -> str:
    with pytest.raises(RefusedError) as caught:
        read_report(data if isinstance(data, bytes) else json.dumps(data).encode())
    return f"{caught.value.message}; {caught.value.hint}"


def test_counts_and_names_are_kept_and_nothing_else() -> None:
    found = read_report(
        json.dumps(
            document(entry("CRITICAL"), entry("HIGH", "2.0"), entry("HIGH"), entry("", "1"), entry("odd"))
        ).encode()
    )
    assert found.found == {"critical": 1, "high": 2, "medium": 0, "low": 0, "unknown": 2}
    assert found.fixable == {"critical": 0, "high": 1, "medium": 0, "low": 0, "unknown": 1}
    assert (found.digest, found.digests) == (CONFIG, (CONFIG, INDEX))
    assert found.scanned_at == datetime(2026, 11, 27, 12, 22, 47, 279847, tzinfo=UTC)
    assert (found.scanner, found.reference) == ("trivy", "registry.example.com/shop/web:1")


def test_what_trivy_writes_is_read() -> None:
    found = read_report((Path(__file__).parents[2] / "fixtures/trivy.json").read_bytes())
    assert found.found == {"critical": 1, "high": 1, "medium": 0, "low": 0, "unknown": 0}
    assert found.fixable == {"critical": 1, "high": 0, "medium": 0, "low": 0, "unknown": 0}
    assert len(found.digests) == 2, "of the image, and of the index that was asked for"
    assert found.reference.endswith("/shop/web:1")


def test_without_an_id_an_image_goes_by_its_repository_s_digest() -> None:
    named = document(Metadata={"RepoDigests": [f"127.0.0.1:5000/web@{INDEX}", "web:1", "web@sha256:short"]})
    assert read_report(json.dumps(named).encode()).digests == (INDEX,)


def test_a_report_without_packages_opens_no_gate_unless_somebody_vouches_for_it() -> None:
    of_secrets = document(Results=[{"Target": "/app/key", "Class": "secret", "Secrets": []}])
    assert "nothing of packages" in refused(of_secrets)
    nothing = {name: value for name, value in document().items() if name != "Results"}
    assert "--no-packages" in refused(nothing)
    assert read_report(json.dumps(nothing).encode(), no_packages=True).found["critical"] == 0


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "no JSON"),
        (b"\xff\x00", "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b"7", "no report"),
        (b" " * (LARGEST + 1), "64 MiB"),
        ([{"Target": "x", "Vulnerabilities": None}], "before 0.20"),
        ({"bomFormat": "CycloneDX", "components": []}, "a CycloneDX document"),
        ({"spdxVersion": "SPDX-2.3"}, "an SPDX document"),
        ({"version": "2.1.0", "runs": []}, "a SARIF document"),
        ({**document(), "SchemaVersion": 3}, "SchemaVersion"),
        ({**document(), "ArtifactType": "filesystem"}, 'about "filesystem"'),
        ({**document(), "Metadata": {"ImageID": "sha256:x"}}, "which image"),
        ({**document(), "Metadata": 7}, "which image"),
        ({**document(), "CreatedAt": None}, "0.47"),
        ({**document(), "Results": {}}, "Results is no list"),
        ({**document(), "Results": [{"Class": "os-pkgs", "Vulnerabilities": ["CVE"]}]}, "an entry of Vulnerabilities"),
    ],
)
def test_what_is_no_report_is_refused_with_what_to_do(data: Any, said: str) -> None:
    assert said in refused(data)


_PLAIN = st.none() | st.booleans() | st.integers() | st.text()
_NAMES = st.sampled_from(("Metadata", "Results", "Class", "Vulnerabilities", "ImageID", "RepoDigests", "Severity"))
_FLAT = _PLAIN | st.lists(_PLAIN) | st.dictionaries(_NAMES, _PLAIN)
_DEEP = _FLAT | st.lists(st.dictionaries(_NAMES, _FLAT | st.lists(_FLAT))) | st.dictionaries(_NAMES, _FLAT)


@given(_DEEP)
def test_whatever_stands_in_a_report_is_read_or_refused(part: Any) -> None:
    for name in ("Metadata", "Results", "CreatedAt", "ArtifactName"):
        try:
            read_report(json.dumps({**document(), name: part}).encode(), no_packages=True)
        except RefusedError:
            continue
