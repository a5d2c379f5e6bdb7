"""Placeholders of a source's files: ``${NAME}`` in a value stands for what the source says of that name.

They are filled in after a document is parsed, in values alone: so nothing that is filled in can be a key, end a text,
or begin another document. A value that is a placeholder and nothing else takes what stands for it as it is, a number,
too; within a text stands its text. ``$${NAME}`` is the text ``${NAME}``. A value that was encrypted is left alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from specs.problems import Path, RefusedError, quote

if TYPE_CHECKING:
    from specs.yaml_text import YamlDocument

NAME_PATTERN = r"^[A-Za-z_][A-Za-z0-9_]{0,62}$"
VALUES = 100
VALUE_CHARACTERS = 1024
Value = str | int | float | bool
_PLACEHOLDER = re.compile(r"\$(\$\{[^}\s]*\}|\{(?P<name>[^}\s]*)\})")


class UnknownError(ValueError):
    """Placeholders that nothing stands for; ``found`` has path and name of each."""

    def __init__(self, found: list[tuple[Path, str]]) -> None:
        super().__init__(found)
        self.found = found


def check_values(values: Mapping[str, Value]) -> dict[str, Value]:
    """What a source may say of names."""
    if len(values) > VALUES:
        raise RefusedError(f"has {len(values)} values", f"at most {VALUES}")
    for name, value in values.items():
        if not re.fullmatch(NAME_PATTERN, name, re.ASCII):
            raise RefusedError(f"{quote(name)} is not the name of a value", "letters, digits and _, no digit in front")
        if len(str(value)) > VALUE_CHARACTERS or "\0" in str(value):
            raise RefusedError(
                f"the value of {name} is too long, or has a NUL", f"at most {VALUE_CHARACTERS} characters"
            )
    return dict(values)


def filled(document: YamlDocument, values: Mapping[str, Value]) -> YamlDocument:
    """``document`` with what stands for its placeholders.

    Raises:
        UnknownError: nothing stands for some.
    """
    unknown: list[tuple[Path, str]] = []
    data = _filled(document.data, values, (), document.sealed, unknown)
    if unknown:
        raise UnknownError(unknown)
    return replace(document, data=data)


def _filled(
    data: Any, values: Mapping[str, Value], path: Path, sealed: frozenset[Path], unknown: list[tuple[Path, str]]
) -> Any:
    if isinstance(data, dict):
        return {key: _filled(each, values, (*path, key), sealed, unknown) for key, each in data.items()}
    if isinstance(data, list):
        return [_filled(each, values, (*path, index), sealed, unknown) for index, each in enumerate(data)]
    if not isinstance(data, str) or path in sealed:
        return data
    missing = sorted(set(_names(data)) - values.keys())
    if missing:
        unknown += [(path, name) for name in missing]
        return data
    whole = _PLACEHOLDER.fullmatch(data)
    if whole is not None and whole["name"] is not None:
        return values[whole["name"]]
    return _PLACEHOLDER.sub(lambda match: match[1] if match["name"] is None else _text(values[match["name"]]), data)


def _names(text: str) -> Iterator[str]:
    return (match["name"] for match in _PLACEHOLDER.finditer(text) if match["name"] is not None)


def _text(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
