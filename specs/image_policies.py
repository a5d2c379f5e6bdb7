"""Image policies: which images may run, by their names and digests. Pure.

    nginx:1  is  docker.io/library/nginx:1  and  nginx:1, without a tag :latest

A pattern stands for a whole reference, ``*`` in it for any characters. What is blocked is looked for under every
spelling: both names, alone, with the tag, with the digest. What is allowed has to be found under one that says what
runs: a tag beside a digest says nothing.

Each policy is judged by itself, so that no one of them loosens another: of what they say, the strictest holds.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from specs.images import ImageReference, parse_image
from specs.problems import RefusedError, quote
from specs.registries import HUB, registry_of
from specs.vulnerabilities import VulnerabilityLimits, VulnerabilityReport, excess, is_current

PATTERNS = 100
PATTERN_CHARACTERS = 255
KEYS = 16
_LIBRARY = "library/"
_PEM = re.compile(r"-----BEGIN PUBLIC KEY-----\s+([A-Za-z0-9+/=\s]{1,4096})-----END PUBLIC KEY-----", re.ASCII)
_P256 = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004")

Enforcement = Literal["audit", "new", "all"]
"""What a policy does: it says what violates it; it refuses what is new, too; it stops what runs, too."""
ENFORCEMENTS: Sequence[Enforcement] = ("audit", "new", "all")


class ImagePolicy(BaseModel):
    """One policy; an empty list of what is allowed allows everything that is not blocked.

    Args:
        allowed_registries: hosts as references have them, ``docker.io`` for Docker Hub; ``*``: any characters.
        allowed_patterns: one of them has to fit.
        blocked_patterns: none of them may fit.
        require_digest: whether a reference has to name a digest.
        require_signed: whether one of ``signature_keys`` has to have signed the image.
        signature_keys: public keys, PEM, ECDSA on P-256.
        vulnerabilities: how many its report may have; None: no report is asked for.
        enforcement: see ``Enforcement``.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    allowed_registries: tuple[str, ...] = ()
    allowed_patterns: tuple[str, ...] = ()
    blocked_patterns: tuple[str, ...] = ()
    require_digest: bool = False
    require_signed: bool = False
    signature_keys: tuple[str, ...] = ()
    vulnerabilities: VulnerabilityLimits | None = None
    enforcement: Enforcement = "new"

    @property
    def forbids(self) -> bool:
        """Whether there is anything that it does not allow."""
        lists = (self.allowed_registries, self.allowed_patterns, self.blocked_patterns)
        return any(lists) or self.require_digest or self.require_signed or self.asks_for_report

    @property
    def asks_for_report(self) -> bool:
        """Whether vulnerabilities are limited."""
        return self.vulnerabilities is not None and self.vulnerabilities.forbids


@dataclass(frozen=True, slots=True)
class Violation:
    """What one policy has against an image.

    Args:
        reason: in a word, as in conditions.
        message: says whose policy it is, and which part of it.
        enforcement: of that policy.
        awaited: it ends by itself when somebody scans the image.
    """

    reason: str
    message: str
    enforcement: Enforcement
    awaited: bool = False


@dataclass(frozen=True, slots=True)
class Scanned:
    """The reports of an image's content, the newest first, and the time by which they are old or not."""

    reports: Sequence[VulnerabilityReport]
    now: datetime


Policies = Sequence[tuple[str, ImagePolicy]]
"""Each with whose it is, as in ``image policy of organization acme``."""


def digest_of(policies: Policies) -> str:
    """Another one when one of the policies is."""
    text = "\n".join(f"{whose} {policy.model_dump_json(exclude_defaults=True)}" for whose, policy in policies)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def violations(
    policies: Policies,
    image: str,
    *,
    digest: str = "",
    index: str = "",
    runs: bool = False,
    signed: Collection[str] | None = None,
    scanned: Scanned | None = None,
) -> list[Violation]:
    """What the policies have against an image, in their order.

    Args:
        policies: all that count for it.
        image: its reference, as it is declared, or as tasks name it.
        digest: of its content where that is known and not declared.
        index: digest of the index that it is of, where that is another one.
        runs: tasks name it so: then its digest is what was found under the tag.
        signed: fingerprints of keys that have signed it; None: that is not known, and not judged.
        scanned: its vulnerability reports; None: as ``signed``.
    """
    reference = parse_image(image)
    found: list[Violation] = []
    for whose, policy in policies:
        found += _of_one(whose, policy, reference, (digest, index), runs=runs)
        found += _unsigned(whose, policy, signed)
        found += _vulnerable(whose, policy, scanned)
    return found


def fingerprint(key: str) -> str:
    """What a public key goes by, whatever stands around it."""
    return hashlib.sha256(_der(key)).hexdigest()[:32]


def check_keys(keys: tuple[str, ...]) -> tuple[str, ...]:
    """``keys``, if each is a public key that cosign makes."""
    if len(keys) > KEYS:
        raise RefusedError(f"has {len(keys)} keys", f"at most {KEYS}")
    for number, key in enumerate(keys, 1):
        if not _is_key(key):
            raise RefusedError(
                f"key {number} is not a public key of ECDSA on P-256, in PEM",
                "copy the whole file that `cosign generate-key-pair` calls cosign.pub",
            )
    return keys


def keys_in(text: str) -> tuple[str, ...]:
    """All public keys of a file."""
    return tuple(f"{found[0]}\n" for found in _PEM.finditer(text))


def unsatisfied(policies: Policies, signed: Collection[str]) -> dict[str, str]:
    """Keys, by their fingerprints, of the policies that none of ``signed`` satisfies."""
    asking = [policy for _, policy in policies if policy.require_signed]
    lacking = [{fingerprint(key): key for key in policy.signature_keys if _is_key(key)} for policy in asking]
    return {name: key for keys in lacking if not keys.keys() & signed for name, key in keys.items()}


def matches(pattern: str, text: str) -> bool:
    """Whether ``pattern`` stands for all of ``text``; in a time that grows with their lengths alone."""
    first, *rest = pattern.split("*")
    if not rest:
        return pattern == text
    last, at = rest.pop(), len(first)
    if not text.startswith(first) or not text.endswith(last) or len(text) < len(first) + len(last):
        return False
    until = len(text) - len(last)
    for part in rest:
        found = text.find(part, at, until)
        if found < 0:
            return False
        at = found + len(part)
    return True


def check_patterns(patterns: tuple[str, ...]) -> tuple[str, ...]:
    """``patterns``, if each is a word."""
    if len(patterns) > PATTERNS:
        raise RefusedError(f"has {len(patterns)} patterns", f"at most {PATTERNS}")
    for pattern in patterns:
        if not pattern or len(pattern) > PATTERN_CHARACTERS or any(c.isspace() or not c.isprintable() for c in pattern):
            raise RefusedError(
                f"{quote(pattern)} is not a pattern",
                f"1 to {PATTERN_CHARACTERS} characters without a space, such as docker.io/library/*",
            )
    return patterns


def _of_one(
    whose: str, policy: ImagePolicy, reference: ImageReference, digests: Sequence[str], *, runs: bool
) -> Iterator[Violation]:
    says = f"image policy of {whose}"
    registry = registry_of(reference.domain)
    if pattern := _first(policy.blocked_patterns, _spellings(reference, digests)):
        yield Violation("ImageBlocked", f"{says} blocks {pattern}", policy.enforcement)
    if policy.allowed_registries and not any(matches(each, registry) for each in policy.allowed_registries):
        allowed = ", ".join(policy.allowed_registries[:5])
        yield Violation("ImageNotAllowed", f"{says} allows no registry {registry}, only {allowed}", policy.enforcement)
    if policy.allowed_patterns and not _first(policy.allowed_patterns, _telling(reference, digests, runs=runs)):
        yield Violation("ImageNotAllowed", f"{says}: none of its allowed patterns fits", policy.enforcement)
    if policy.require_digest and not reference.digest:
        yield Violation("DigestRequired", f"{says} requires a digest: name@sha256:…", policy.enforcement)


def _unsigned(whose: str, policy: ImagePolicy, signed: Collection[str] | None) -> Iterator[Violation]:
    if not policy.require_signed:
        return
    says = f"image policy of {whose} requires a signature"
    if not policy.signature_keys:
        yield Violation("ImageNotSigned", f"{says}, and names no key that may make it", policy.enforcement)
    elif signed is not None and not any(fingerprint(key) in signed for key in policy.signature_keys):
        yield Violation("ImageNotSigned", f"{says}, and no key of it has signed the image", policy.enforcement)


def _vulnerable(whose: str, policy: ImagePolicy, scanned: Scanned | None) -> Iterator[Violation]:
    """A report that finds too much does not get better with age; one that finds nothing does not stay good."""
    limits = policy.vulnerabilities
    if scanned is None or limits is None or not limits.forbids:
        return
    says = f"image policy of {whose}"
    too_many = [(each, over) for each in scanned.reports if (over := excess(limits, each))]
    if too_many:
        report, over = too_many[0]
        yield Violation("Vulnerable", f"{says}: {report.words} has too many {over}", policy.enforcement)
    elif limits.without_report != "allow" and not any(
        is_current(limits, each, scanned.now) for each in scanned.reports
    ):
        newest = f"{scanned.reports[0].words} is older" if scanned.reports else "there is none"
        message = f"{says} requires a vulnerability report of at most {limits.max_age_days} days, and {newest}"
        # What runs is not stopped because nobody has scanned it.
        enforcement: Enforcement = "audit" if policy.enforcement == "audit" else "new"
        yield Violation("NotScanned", message, enforcement, awaited=limits.without_report == "wait")


def _is_key(key: str) -> bool:
    der = _der(key)
    return len(der) == len(_P256) + 64 and der.startswith(_P256)


def _der(key: str) -> bytes:
    found = _PEM.fullmatch(key.strip())
    try:
        return base64.b64decode("".join(found[1].split()), validate=True) if found else b""
    except ValueError:
        return b""


def _first(patterns: Iterable[str], spellings: Sequence[str]) -> str:
    return next((pattern for pattern in patterns if any(matches(pattern, text) for text in spellings)), "")


def _names(reference: ImageReference) -> tuple[str, ...]:
    """The repository, with its registry and as people write it."""
    registry = registry_of(reference.domain)
    if registry != HUB:
        return (f"{registry}/{reference.path}",)
    short = reference.path.removeprefix(_LIBRARY) if reference.path.count("/") == 1 else reference.path
    path = short if "/" in short else f"{_LIBRARY}{short}"
    return tuple(dict.fromkeys((f"{HUB}/{path}", short, path)))


def _spellings(reference: ImageReference, digests: Sequence[str]) -> list[str]:
    """All that it may be called."""
    tag = reference.tag or ("" if reference.digest else "latest")
    ends = ["", f":{tag}" if tag else ""]
    for digest in _contents(reference, digests):
        ends += [f"@{digest}", f":{tag}@{digest}" if tag else ""]
    return [f"{name}{end}" for name in _names(reference) for end in dict.fromkeys(ends)]


def _contents(reference: ImageReference, digests: Sequence[str]) -> list[str]:
    """The digest that is declared or was found, and that of its index."""
    own, *others = digests
    return list(dict.fromkeys(filter(None, (reference.digest or own, *others))))


def _telling(reference: ImageReference, digests: Sequence[str], *, runs: bool) -> list[str]:
    """All that says what it is."""
    found = [*_names(reference)]
    for known in _contents(reference, digests):
        found += [f"{name}@{known}" for name in _names(reference)]
    if runs or not reference.digest:
        found += [f"{name}:{reference.tag or 'latest'}" for name in _names(reference)]
    return found
