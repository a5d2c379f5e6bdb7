"""The parts of a JWT, of whomever: base64url and JSON, read in one way only. Pure."""

from __future__ import annotations

import binascii
import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

from controller.access.errors import Unauthenticated

PARTS = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)")
LEEWAY_SECONDS = 30
"""Clocks may differ by so much."""
LATEST = 1 << 40
"""Seconds; no clock gets there."""


def json_part(part: str, most: int) -> dict[str, Any]:
    """A part as an object of JSON, in which no name stands twice.

    Args:
        part: base64url.
        most: objects and lists that may begin in it.

    Raises:
        Unauthenticated: it is none.
    """
    try:
        text = bytes_part(part).decode("utf-8")
        if text.count("{") + text.count("[") > most:
            raise Unauthenticated
        found = json.loads(text, object_pairs_hook=_once, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise Unauthenticated from None
    if not isinstance(found, dict):
        raise Unauthenticated
    return found


def bytes_part(part: str) -> bytes:
    """Base64url as it is written: one text for the same bytes, and no other.

    Raises:
        Unauthenticated: it is not.
    """
    try:
        found = urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except (binascii.Error, ValueError):
        raise Unauthenticated from None
    if urlsafe_b64encode(found).rstrip(b"=") != part.encode("ascii"):
        raise Unauthenticated
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Unauthenticated
    return found


def _refuse(_: str) -> None:
    raise Unauthenticated
