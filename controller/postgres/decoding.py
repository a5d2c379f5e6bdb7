"""Decodes the documents of declared rows one by one: what cannot be read is that row's fault, and nobody else's.

A ``jsonb`` column takes what no program wants: numbers that no double holds, lists in lists without end, megabytes.
Nothing of that is an error of the statement that reads it. Whatever the row holds, ``read`` gives the members that can
be read, and an ``InvalidSpec`` that names those that cannot.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from specs.problems import InvalidSpec, Problem

LARGEST_DOCUMENT = 262_144
"""Bytes of a document's text; of a larger one the database sends only the members of at most ``LARGEST_MEMBER``."""
LARGEST_MEMBER = 1024
DEEPEST = 64
"""Levels of lists and mappings; Python, pydantic and the engine all go through them by recursion."""

_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[][{},:]', re.DOTALL)
_NAMES = ("type", "hostname", "name")
_BY_NAME = 3


def read(text: str, omitted: Mapping[str, int]) -> tuple[dict[str, Any], InvalidSpec | None]:
    """What ``text``, an object as PostgreSQL writes it, says, and what is wrong with it.

    Args:
        text: the document.
        omitted: sizes in bytes of the members that were left out, as the whole was too large.
    """
    problems = [
        Problem(name, None, f"is too large ({size:,} bytes)", f"a whole row has {LARGEST_DOCUMENT:,} at most", (name,))
        for name, size in omitted.items()
    ]
    try:
        document: dict[str, Any] = _decoded(text)
    except ValueError:
        document = {}
        for name, part in _parts(text):
            try:
                document[str(name)] = _decoded(part)
            except ValueError as error:
                place, reason = _innermost(str(name), part, error)
                problems.append(Problem(place, None, f"cannot be read: {reason}", "", (name,)))
    return document, InvalidSpec(problems) if problems else None


def shown(text: bytes | bytearray | memoryview | str) -> Any:
    """A value as people are shown it: what cannot be read says so, and nothing is raised."""
    try:
        return _decoded(text if isinstance(text, str) else bytes(text).decode())
    except ValueError as error:
        return f"cannot be read: {error}"


def _decoded(text: str) -> Any:
    """``text`` as Python has it.

    Raises:
        ValueError: it cannot be read; the message says why.
    """
    if text.count("[") + text.count("{") > DEEPEST and _depth(text) > DEEPEST:
        raise ValueError(f"it has more than {DEEPEST} levels")
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        if "infinity" in error.msg:
            raise ValueError("a number in it is too large") from None
        raise ValueError(error.msg.partition(":")[0]) from None


def _depth(text: str) -> int:
    depth = deepest = 0
    for token in _TOKEN.finditer(text):
        if token[0] in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif token[0] in "]}":
            depth -= 1
    return deepest


def _parts(text: str) -> Iterator[tuple[str | int, str]]:
    """Name or index, and text, of what the object or list ``text`` consists of; without recursion."""
    depth = index = start = 0
    name: str | None = None
    for token in _TOKEN.finditer(text):
        sign = token[0]
        if sign in "[{":
            depth += 1
            if depth == 1:
                start = token.end()
            continue
        if sign in "]}":
            depth -= 1
        ends = depth == 0 or (depth == 1 and sign == ",")
        if ends and text[start : token.start()].strip():
            yield (index if name is None else name), text[start : token.start()].strip()
            index += 1
        if depth == 1 and sign == ":":
            name = orjson.loads(text[start : token.start()])
        if depth == 1 and sign in ":,":
            start = token.end()


def _innermost(place: str, text: str, error: ValueError, left: int = _BY_NAME) -> tuple[str, ValueError]:
    """Where in ``text`` the fault is, as its writer knows it: ``processes[web].healthcheck``."""
    if left and (text.startswith("{") or re.match(r"\[\s*\{", text)):
        for name, part in _parts(text):
            try:
                _decoded(part)
            except ValueError as inner:
                below = f"{place}.{name}" if isinstance(name, str) else f"{place}[{_called(part) or name}]"
                return _innermost(below, part, inner, left - 1)
    return place, error


def _called(text: str) -> str:
    """What the entry of a list is called, if that can be read."""
    if not text.startswith("{"):
        return ""
    known = {name: part for name, part in _parts(text) if name in _NAMES and len(part) <= LARGEST_MEMBER}
    for name in _NAMES:
        if name in known:
            return str(orjson.loads(known[name]))
    return ""
