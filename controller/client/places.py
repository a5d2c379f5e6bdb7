"""Paths of the API, with names in their places."""

from __future__ import annotations

from urllib.parse import quote


def place(template: str, *names: str) -> str:
    """A path with ``names`` in its ``{}``, none of which becomes something else than a name.

    Raises:
        ValueError: one is empty, or a step up in a path.
    """
    if any(name in ("", ".", "..") for name in names):
        raise ValueError("a name is empty, or none at all")
    return template.format(*(quote(name, safe="") for name in names))
