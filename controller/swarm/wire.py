"""What the engine's answers are as bytes: a document, nothing, or a refusal in its own words."""

from __future__ import annotations

from typing import Any

import orjson

from controller.swarm.errors import classify


def decoded(status: int, data: bytes) -> Any:
    """The document of an answer; None of an empty one.

    Raises:
        EngineError: one of its subclasses, by what the engine said.
    """
    if status >= 400:
        raise classify(status, message_of(data))
    if not data:
        return None
    try:
        return orjson.loads(data)
    except ValueError:
        return data.decode(errors="replace")


def message_of(data: bytes) -> str:
    """The engine's own words."""
    try:
        return str(orjson.loads(data)["message"])
    except (ValueError, KeyError, TypeError):
        return data.decode(errors="replace")[:500]
