"""Reports that Trivy writes: ``trivy image --format json``. Pure.

Of all that is in one, the counts are kept, and what the image is called: its id, and the digests of its repositories.
What Trivy did not look for, it does not say: a report without a word of packages is refused, unless somebody says that
the image has none.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from specs.problems import RefusedError, quote
from specs.vulnerabilities import MOST_FOUND, SEVERITIES, VulnerabilityReport

LARGEST = 64 << 20
"""Bytes of a report."""
SCANNER = "trivy"
_SCHEMA = 2
_IMAGE = "container_image"
_PACKAGES = ("os-pkgs", "lang-pkgs")
_DIGEST = re.compile(r"sha256:[a-f0-9]{64}|sha384:[a-f0-9]{96}|sha512:[a-f0-9]{128}", re.ASCII)
_NAMES = 63
_REFERENCE = 1024
_WRITE_ONE = "write one with `trivy image --format json --output FILE IMAGE`"
_FOREIGN = (("bomFormat", "a CycloneDX document"), ("spdxVersion", "an SPDX document"), ("runs", "a SARIF document"))


def read_report(data: bytes, *, no_packages: bool = False) -> VulnerabilityReport:
    """What a report says.

    Args:
        data: all of the file.
        no_packages: somebody vouches that there is no package in the image that Trivy knows.

    Raises:
        RefusedError: it is no such report, or says nothing that counts; says what to do.
    """
    document = _document(data)
    if document.get("ArtifactType") != _IMAGE:
        raise RefusedError(f"it is about {quote(document.get('ArtifactType'))}, and not about an image", _WRITE_ONE)
    results = [each for each in _list(document, "Results") if isinstance(each, dict)]
    if not no_packages and not any(each.get("Class") in _PACKAGES for each in results):
        raise RefusedError(
            "it says nothing of packages: Trivy was not asked for vulnerabilities, or found no package in the image",
            "scan with `--scanners vuln --list-all-pkgs`; --no-packages when the image has none that Trivy knows",
        )
    digest, *others = _digests(document)
    found, fixable = _counts(results)
    reference = "".join(c for c in str(document.get("ArtifactName") or "") if c.isprintable())[:_REFERENCE]
    return VulnerabilityReport(digest, (digest, *others), SCANNER, _scanned_at(document), found, fixable, reference)


def _document(data: bytes) -> dict[str, Any]:
    if len(data) > LARGEST:
        raise RefusedError(f"it has more than {LARGEST >> 20} MiB", "is it a report? " + _WRITE_ONE)
    try:
        document = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise RefusedError(f"it is no JSON: {error}", _WRITE_ONE) from None
    if isinstance(document, list):
        raise RefusedError("it is a list, as Trivy wrote before 0.20", "take a current Trivy")
    if not isinstance(document, dict):
        raise RefusedError("it is no report", _WRITE_ONE)
    if foreign := next((what for name, what in _FOREIGN if name in document), ""):
        raise RefusedError(f"it is {foreign}", _WRITE_ONE)
    if (version := document.get("SchemaVersion")) != _SCHEMA:
        raise RefusedError(f"its SchemaVersion is {quote(version)}, and {_SCHEMA} is known", _WRITE_ONE)
    return document


def _digests(document: Mapping[str, Any]) -> list[str]:
    """The image's id first; without one, the first digest of a repository."""
    metadata = document.get("Metadata")
    if not isinstance(metadata, dict):
        metadata = {}
    repositories = [str(each).rpartition("@")[2] for each in _list(metadata, "RepoDigests")]
    named = [each for each in (str(metadata.get("ImageID")), *repositories) if _DIGEST.fullmatch(each)]
    if not named:
        raise RefusedError("it does not say which image was scanned: neither ImageID nor RepoDigests", _WRITE_ONE)
    return list(dict.fromkeys(named))[: _NAMES + 1]


def _scanned_at(document: Mapping[str, Any]) -> datetime:
    try:
        found = datetime.fromisoformat(str(document.get("CreatedAt")))
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise RefusedError("it does not say when: CreatedAt", "take Trivy 0.47 or newer") from None


def _counts(results: list[dict[str, Any]]) -> tuple[dict[str, int], dict[str, int]]:
    found: Counter[str] = Counter()
    fixable: Counter[str] = Counter()
    for entry in _vulnerabilities(results):
        severity = str(entry.get("Severity")).lower()
        severity = severity if severity in SEVERITIES else SEVERITIES[-1]
        found[severity] += 1
        fixable[severity] += bool(entry.get("FixedVersion"))
    if max(found.values(), default=0) > MOST_FOUND:
        raise RefusedError(f"it has more than {MOST_FOUND} vulnerabilities of one severity", "is it a report?")
    return {name: found[name] for name in SEVERITIES}, {name: fixable[name] for name in SEVERITIES}


def _vulnerabilities(results: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for result in results:
        for entry in _list(result, "Vulnerabilities"):
            if not isinstance(entry, dict) or not entry.get("VulnerabilityID"):
                raise RefusedError("an entry of Vulnerabilities is none", _WRITE_ONE)
            yield entry


def _list(document: Mapping[str, Any], name: str) -> list[Any]:
    found = document.get(name)
    if found is None:
        return []
    if not isinstance(found, list):
        raise RefusedError(f"its {name} is no list", _WRITE_ONE)
    return found
