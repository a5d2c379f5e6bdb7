"""Values in one line, as YAML writes them: ``[crash]``, ``true``, ``none`` for what is not set."""

from __future__ import annotations

from typing import Any

_SHOWN = 100


def flow(value: Any) -> str:
    """``value`` in at most 100 characters."""
    text = _written(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def _written(value: Any) -> str:
    match value:
        case None:
            return "none"
        case bool():
            return str(value).lower()
        case list() | tuple():
            return f"[{', '.join(map(_written, value))}]"
        case dict():
            return f"{{{', '.join(f'{key}: {_written(item)}' for key, item in value.items())}}}"
    return str(value)
