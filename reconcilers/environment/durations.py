"""Durations as the engine takes them."""

from __future__ import annotations


def nanoseconds(seconds: float) -> int:
    """Nanoseconds, rounded."""
    return round(seconds * 1_000_000_000)
