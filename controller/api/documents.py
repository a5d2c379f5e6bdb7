"""JSON of what actions give, in the same types as ``-o json`` of the command line has."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import orjson


def encode(document: Any) -> bytes:
    """``document`` as JSON."""
    return orjson.dumps(document, default=_plain)


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, set | frozenset):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} is no value of a document")
