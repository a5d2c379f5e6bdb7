"""Text with styles, and where it is shown: a terminal of some width, or a pipe, which gets no colour.

The little of ``rich`` that nearly every command needs; to load that takes longer than all the rest that a list needs of
what is shown.
"""

from __future__ import annotations

import os
import shutil
import sys
import unicodedata
from functools import cache
from typing import TYPE_CHECKING, Self, TextIO

if TYPE_CHECKING:
    from rich.console import Console

_CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}
_PIPE_WIDTH = 10_000
_ORDERS = (*range(0x202A, 0x202F), *range(0x2066, 0x206A))
_CONTROLS = {code: "\ufffd" for code in (*range(32), *range(127, 160), *_ORDERS) if chr(code) not in "\n\t"}
"""What a tenant's text could do to a terminal: control it, or show letters in another order than they stand in."""


def harmless(text: str) -> str:
    """``text`` without what does something to a terminal."""
    return text.translate(_CONTROLS)


class Text:
    """A line in pieces, each with its style: words such as ``bold red``."""

    __slots__ = ("_parts",)

    def __init__(self, text: str = "", style: str = "") -> None:
        self._parts: list[tuple[str, str]] = [(harmless(text), style)] if text else []

    @classmethod
    def assemble(cls, *parts: str | tuple[str, str] | Text) -> Self:
        """Of pieces, with styles or without."""
        made = cls()
        for part in parts:
            if isinstance(part, Text):
                made._parts += part._parts  # noqa: SLF001 - it is one of us
            else:
                made.append(*((part,) if isinstance(part, str) else part))
        return made

    def append(self, text: str, style: str = "") -> Self:
        """Go on with ``text``."""
        if text:
            self._parts.append((harmless(text), style))
        return self

    @property
    def plain(self) -> str:
        """Without styles."""
        return "".join(text for text, _ in self._parts)

    def __str__(self) -> str:
        return self.plain

    def padded(self, width: int) -> Text:
        """With spaces behind it, so that it is so wide."""
        return Text.assemble(self, " " * max(0, width - cell_len(self.plain)))

    def coloured(self) -> str:
        """With the codes of a terminal."""
        return "".join(_coloured(text, style) for text, style in self._parts)


def _coloured(text: str, style: str) -> str:
    codes = ";".join(_CODES[word] for word in style.split())
    return f"\x1b[{codes}m{text}\x1b[0m" if codes and text.strip() else text


class Screen:
    """Standard output or error.

    Args:
        stderr: whether it is that.
    """

    def __init__(self, *, stderr: bool = False) -> None:
        self._stderr = stderr

    @property
    def file(self) -> TextIO:
        """Where to."""
        return sys.stderr if self._stderr else sys.stdout

    @property
    def is_terminal(self) -> bool:
        """Whether somebody looks at it, as it is or as the environment says."""
        if os.environ.get("FORCE_COLOR") or (said := os.environ.get("TTY_COMPATIBLE")) == "1":
            return True
        try:
            return said != "0" and self.file.isatty()
        except ValueError:  # it is closed
            return False

    @property
    def is_coloured(self) -> bool:
        """Whether colours are shown there, and wanted: ``NO_COLOR`` says they are not."""
        return self.is_terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") not in ("dumb", "unknown")

    @property
    def width(self) -> int:
        """In characters; of a pipe more than any line has."""
        return self._size()[0] if self.is_terminal else _PIPE_WIDTH

    @property
    def height(self) -> int:
        """In lines."""
        return self._size()[1]

    def print(self, text: Text | str) -> None:
        """One line, or several."""
        self.file.write(self.rendered(text) + "\n")

    def rendered(self, text: Text | str) -> str:
        """As it is written here."""
        text = Text(text) if isinstance(text, str) else text
        return text.coloured() if self.is_coloured else text.plain

    def _size(self) -> tuple[int, int]:
        given = [os.environ.get(name, "") for name in ("COLUMNS", "LINES")]
        try:
            there = tuple(os.get_terminal_size(self.file.fileno()))
        except (OSError, ValueError):
            there = tuple(shutil.get_terminal_size())
        width, height = (int(said) if said.isdecimal() and int(said) else there[n] for n, said in enumerate(given))
        return width or 80, height or 25


def rich_console(screen: Screen) -> Console:
    """The same for what moves: ``rich`` is loaded by it."""
    from rich.console import Console  # noqa: PLC0415 - see the module

    seen = screen.is_terminal
    return Console(
        file=screen.file, highlight=False, soft_wrap=True, force_terminal=seen, width=screen.width if seen else None
    )


def cell_len(text: str) -> int:
    """How many columns ``text`` takes."""
    return len(text) if text.isascii() else sum(map(_cells, text))


@cache
def _cells(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
