"""What a registry asks for in ``WWW-Authenticate`` (RFC 9110, section 11): schemes, and their parameters.

Bearer realm="https://auth.example.com/token",service="registry",scope="repository:a/b:pull,push", Basic realm=x
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 - the grammar's word for it
_PARAMETER = re.compile(rf'\s*({_TOKEN})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|({_TOKEN}))\s*')
_SCHEME = re.compile(rf"\s*({_TOKEN})(?:\s+|\s*(?=,)|$)")
_MOST = 16
"""Challenges that are looked at."""


@dataclass(frozen=True, slots=True)
class Challenge:
    """One of them.

    Args:
        scheme: in lower case, such as ``bearer``.
        parameters: names in lower case.
    """

    scheme: str
    parameters: Mapping[str, str] = field(default_factory=dict)


def challenges(headers: Iterable[str]) -> list[Challenge]:
    """All challenges of all headers; what cannot be read ends its header."""
    found: list[Challenge] = []
    for header in headers:
        found += _of(header)
    return found[:_MOST]


def _of(header: str) -> list[Challenge]:
    found: list[Challenge] = []
    at = 0
    while at < len(header):
        parameter = _PARAMETER.match(header, at) if found else None
        scheme = None if parameter else _SCHEME.match(header, at)
        if parameter:
            name, quoted, plain = parameter.groups()
            value = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else plain
            found[-1] = Challenge(found[-1].scheme, {name.lower(): value, **found[-1].parameters})
        elif scheme:
            found.append(Challenge(scheme[1].lower()))
        else:
            break
        match = parameter or scheme
        assert match is not None
        at = match.end()
        while at < len(header) and header[at] in ", \t":
            at += 1
    return found
