"""Values as Compose reads them: words of a command line, durations, sizes, numbers and truth in quotes."""

from __future__ import annotations

import math
import posixpath
import re
from datetime import timedelta
from decimal import Decimal
from typing import Any

from specs.problems import RefusedError, quote

_DURATION = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(h|ms|m|s|us|µs|ns)", re.ASCII)
_SECONDS = {unit: Decimal(text) for unit, text in (
    ("h", "3600"), ("m", "60"), ("s", "1"), ("ms", "1e-3"), ("us", "1e-6"), ("µs", "1e-6"), ("ns", "1e-9"),
)}  # fmt: skip
_SIZE = re.compile(r"([0-9]{1,18}(?:\.[0-9]{1,9})?) ?(?:([kmgtp])?i?)?b?", re.ASCII | re.IGNORECASE)
_MIB = 1024**2
SECOND = timedelta(seconds=1)
_LONG = 10**9
_TOKEN = re.compile(
    r"""(?P<space>\s+)|(?P<plain>[^\s'"\\;&|<>(]+)|'(?P<single>[^']*)'|"(?P<double>(?:\\.|[^"\\])*)\"|(?P<escaped>\\.)"""
    r"""|(?P<operator>[;&|<>])|(?P<wrong>.)""",
    re.DOTALL,
)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED = {"t": "\t", "n": "\n"}


def split_words(line: str) -> tuple[list[str], str]:
    """The words of a command that is written as one line, and what is left of it behind an operator of a shell.

    Compose runs no shell: it stops at ``;``, ``&``, ``|``, ``<`` and ``>``.

    Raises:
        RefusedError: it cannot be split. Words are not in the message.
    """
    words: list[str] = []
    word: str | None = None
    rest = ""
    for token in _TOKEN.finditer(line):
        kind = token.lastgroup or ""
        if kind in {"space", "operator"}:
            words += [word] if word is not None else []
            word = None
        if kind == "wrong":
            hint = "put it into quotes, or write a list of words"
            raise RefusedError(f"cannot be split: {quote(token[0])} is alone", hint)
        if kind == "operator":
            rest = line[token.start() :]
            break
        if kind != "space":
            text = token[kind]
            plain = kind in {"plain", "single"}
            word = (word or "") + (text if plain else _ESCAPE.sub(lambda m: _ESCAPED.get(m[1], m[1]), text))
    return [*words, *([word] if word is not None else [])], rest


def duration(value: object) -> timedelta:
    """``1m30s``, ``1.5s``, ``90`` (seconds); to a millisecond, and never less than was meant."""
    text = str(value).strip()
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise RefusedError("is not a duration", 'such as "1m30s"')
    try:
        seconds = Decimal(text) if text.replace(".", "", 1).isdecimal() and text.isascii() else _added(text)
        if seconds < _LONG:
            return timedelta(milliseconds=math.ceil(seconds * 1000))
    except ArithmeticError:
        pass
    raise RefusedError("is not a duration", 'such as "1m30s"')


def _added(text: str) -> Decimal:
    parts = list(_DURATION.finditer(text))
    if not parts or "".join(part[0] for part in parts) != text:
        raise ArithmeticError
    return sum((Decimal(part[1]) * _SECONDS[part[2]] for part in parts), Decimal(0))


def mebibytes(value: object) -> int:
    """``512m``, ``1.5gb``, bytes; whole MiB, and never less than was meant."""
    match = _SIZE.fullmatch(str(value).strip())
    if isinstance(value, bool) or match is None:
        raise RefusedError("is not an amount of memory", 'such as "512m"')
    power = " kmgtp".index((match[2] or " ").lower())
    return math.ceil(Decimal(match[1]) * (Decimal(1024) ** power) / _MIB)


def cores(value: object) -> Decimal:
    """``0.5``, ``"2"``; to a thousandth."""
    try:
        found = Decimal(str(value).strip())
        if not isinstance(value, bool) and found.is_finite() and 0 <= found < _LONG:
            return found.quantize(Decimal("0.001"))
    except ArithmeticError:
        pass
    raise RefusedError("is not a number of cores", "such as 0.5")


def number(value: object) -> int:
    """``3``, ``"3"``."""
    text = str(value).strip()
    if isinstance(value, bool) or not (text.isdecimal() and text.isascii() and len(text) < 10):
        raise RefusedError("is not a whole number", "such as 3")
    return int(text)


def truth(value: object) -> bool:
    """``true``, ``"true"``, and what YAML 1.1 takes for it."""
    word = str(value).strip().lower()
    if word in {"true", "yes", "on", "y", "1"}:
        return True
    if word in {"false", "no", "off", "n", "0"}:
        return False
    raise RefusedError("is neither true nor false")


def text(value: Any) -> str:
    """One value as text."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    raise RefusedError("is not text", "write one value")


def word(value: Any) -> str:
    """One word of a list."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    raise RefusedError("has an entry that is not text", "write each word as text")


def texts(value: Any) -> list[str]:
    """A text, or a list of them."""
    return [word(entry) for entry in value] if isinstance(value, list) else [text(value)]


def labels(value: Any) -> dict[str, str]:
    """A mapping, or a list of NAME=value."""
    if isinstance(value, dict):
        return {name: "" if entry is None else word(entry) for name, entry in value.items()}
    parted = [entry.partition("=") for entry in texts(value)]
    return {name.strip(): entry.strip() for name, _, entry in parted}


def normal_path(path: str) -> str:
    """A path as ``tmpfs`` takes it, where it can be one."""
    return posixpath.normpath(path) if path.startswith("/") and not path.startswith("//") else path
