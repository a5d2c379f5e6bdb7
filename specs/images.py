"""Image references, by the grammar of the distribution project (github.com/distribution/reference).

    reference   name [":" tag] ["@" digest] name        [domain "/"] path              at most 255
    characters, lower case domain      host [":" port]                with a dot or a port, or "localhost";
    else it is part of the path path        component ("/" component)*     alphanumerics with ".", "_", "__"
    or hyphens between tag         [A-Za-z0-9_][A-Za-z0-9_.-]{0,127} digest      "sha256:" 64 hex digits |
    "sha384:" 96 | "sha512:" 128

Stricter than the original in one point: an upper case domain is refused, too (``UPPER/x`` is a slip far
more often than a host).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from specs.problems import RefusedError, quote

NAME_LIMIT = 255
PORT_LIMIT = 65535

_EXAMPLE = "such as registry.example.com/team/app:1.2"
_DIGEST_CHARACTERS = {"sha256": 64, "sha384": 96, "sha512": 128}
_LABEL = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
_DOMAIN = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[a-f0-9:]+\])(?::([0-9]{{1,5}}))?", re.ASCII)
_COMPONENT = r"[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*"
_PATH = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*", re.ASCII)
_IMAGE_ID = re.compile(r"[a-f0-9]{64}")
_TAG = re.compile(r"\w[\w.-]{0,127}", re.ASCII)


@dataclass(frozen=True, slots=True)
class ImageReference:
    """A parsed reference; absent parts are empty.

    Args:
        domain: registry host with its port.
        path: repository without the domain.
        tag: tag without its colon.
        digest: digest with its algorithm.
    """

    domain: str
    path: str
    tag: str
    digest: str

    @property
    def name(self) -> str:
        """Domain and path, without tag and digest."""
        return f"{self.domain}/{self.path}" if self.domain else self.path

    def __str__(self) -> str:
        return self.name + (self.tag and f":{self.tag}") + (self.digest and f"@{self.digest}")


@lru_cache(maxsize=1024)
def parse_image(text: str) -> ImageReference:
    """Split an image reference into its parts; remembered, as each reconcile asks twice.

    Raises:
        RefusedError: it is none; the message says which part is wrong.
    """
    rest, at, digest = text.partition("@")
    head, colon, tag = rest.rpartition(":")
    if not colon or "/" in tag:  # that colon is before a port
        head, colon, tag = rest, "", ""
    domain, path = _split_domain(head)
    wrong = (
        _wrong_name(head, domain, path)
        or (colon and not _TAG.fullmatch(tag) and ("the tag is not a word of letters, digits, _ . and -", _EXAMPLE))
        or (at and not _is_digest(digest) and ("the digest is not sha256: and 64 hexadecimal digits", "copy all of it"))
    )
    if wrong:
        raise RefusedError(f"{quote(text)} is not an image reference: {wrong[0]}", wrong[1])
    return ImageReference(domain, path, tag, digest)


def check_image(text: str) -> str:
    """``text``, if it is an image reference."""
    parse_image(text)
    return text


def _split_domain(name: str) -> tuple[str, str]:
    """Docker's rule: the first part is a domain when it cannot be a path on the default registry."""
    first, slash, rest = name.partition("/")
    if slash and (first == "localhost" or "." in first or ":" in first or first.startswith("[")):
        return first, rest
    return "", name


def _wrong_name(name: str, domain: str, path: str) -> tuple[str, str] | None:
    """What is wrong with the part before tag and digest, and how to mend it."""
    faults = (
        (not name, "it has no name", _EXAMPLE),
        ("://" in name, "it has a scheme", f"leave the scheme out, {_EXAMPLE}"),
        (name != name.lower(), "the name has upper case letters", f"write {name.lower()}"),
        (len(name) > NAME_LIMIT, f"the name has {len(name)} characters", f"at most {NAME_LIMIT}"),
        (domain and not _is_domain(domain), f"{quote(domain)} is not a registry host", _EXAMPLE),
        (not _PATH.fullmatch(path), f"{quote(path)} is not a repository name", _EXAMPLE),
        (
            _IMAGE_ID.fullmatch(name),
            "64 hexadecimal digits are an image id",
            "name the repository: name@sha256:…",
        ),
    )
    return next(((message, hint) for fault, message, hint in faults if fault), None)


def _is_domain(domain: str) -> bool:
    match = _DOMAIN.fullmatch(domain)
    return match is not None and (match[1] is None or 1 <= int(match[1]) <= PORT_LIMIT)


def _is_digest(digest: str) -> bool:
    algorithm, _, encoded = digest.partition(":")
    return len(encoded) == _DIGEST_CHARACTERS.get(algorithm) and re.fullmatch(r"[a-f0-9]+", encoded) is not None
