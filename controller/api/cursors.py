"""Where the next page of a list begins: the names of the last object of the one before, signed.

A cursor is bound to the list that it came from, filters and all: sent with another one it is refused. It holds nothing
that the page before did not show, and lets nobody see more: what may be seen is asked anew for each page.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence

import orjson

from controller.api.problems import Fault, ProblemError

_SIGNED = 16


def query_of(place: str, filters: Mapping[str, str]) -> str:
    """The list that a cursor belongs to: its address and all that chooses what is in it."""
    return orjson.dumps([place, sorted(filters.items())]).decode()


def make(key: bytes, query: str, after: Sequence[str]) -> str:
    """The cursor of the list ``query`` behind the object with the names ``after``."""
    said = orjson.dumps(list(after))
    return base64.urlsafe_b64encode(_signature(key, query, said) + said).decode().rstrip("=")


def read(key: bytes, query: str, cursor: str) -> tuple[str, ...]:
    """The names that ``cursor`` stands behind.

    Raises:
        ProblemError: it is none of this list's.
    """
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        raw = b""
    signature, said = raw[:_SIGNED], raw[_SIGNED:]
    if not hmac.compare_digest(signature, _signature(key, query, said)):
        raise ProblemError(
            "malformed",
            "the cursor is none of this list",
            [Fault("take the one of the page before, with the same filters", parameter="cursor")],
        )
    return tuple(map(str, orjson.loads(said)))


def _signature(key: bytes, query: str, said: bytes) -> bytes:
    return hmac.digest(key, hashlib.sha256(query.encode()).digest() + said, "sha256")[:_SIGNED]
