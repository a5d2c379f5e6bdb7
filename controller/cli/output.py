"""How results are shown to people: lines and tables; colours on a terminal only. For programs: ``formats``."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

_GAP, _LEAST = 3, 16
_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def console() -> Console:
    """Standard output. Text that is no terminal's is never cut or wrapped."""
    found = Console(highlight=False, soft_wrap=True)
    return found if found.is_terminal else Console(highlight=False, soft_wrap=True, width=10_000)


def error_console() -> Console:
    """Standard error."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


def say(text: str = "", style: str = "") -> None:
    """One line of plain text; nothing in it is markup."""
    console().print(Text(text, style=style))


def warn(text: str) -> None:
    """One line on standard error."""
    error_console().print(Text.assemble(("warning: ", "yellow"), text))


def complain(lines: Iterable[str], hint: str = "") -> None:
    """What is wrong, on standard error, and where it is said what is right."""
    out = error_console()
    for line in lines:
        out.print(Text.assemble(("error: ", "bold red"), line))
    if hint:
        out.print(Text(hint, style="dim"))


def table(columns: Sequence[str], rows: Iterable[Sequence[str | Text]], *, cut: Sequence[str] = ()) -> None:
    """Aligned columns without lines, as command lines show lists; see ``aligned``."""
    width = console().width if console().is_terminal else None
    sys.stdout.write(aligned(columns, list(rows), width=width, cut=cut))


def aligned(
    columns: Sequence[str], rows: Sequence[Sequence[str | Text]], *, width: int | None, cut: Sequence[str] = ()
) -> str:
    """The lines of a table. Names and states are never cut: a line that is too long goes on in the next one.

    Args:
        columns: their headings.
        rows: cells, as many as there are columns.
        width: of the terminal; None: nothing is cut.
        cut: columns whose cells give way, each to 16 characters at least; an image keeps its end, text its beginning.
    """
    shown = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold")
    for column in columns:
        shown.add_column(column, no_wrap=True, overflow="ignore")
    rows = _fitting(columns, rows, width, cut) if width else rows
    for row in rows:
        shown.add_row(*(Text(cell) if isinstance(cell, str) else cell for cell in row))
    text = Console(highlight=False, soft_wrap=True, width=10_000)
    with text.capture() as captured:
        text.print(shown)
    return "".join(f"{line.rstrip()}\n" for line in captured.get().splitlines())


def _fitting(
    columns: Sequence[str], rows: Sequence[Sequence[str | Text]], width: int, cut: Sequence[str]
) -> list[list[str | Text]]:
    """``rows`` with cells of ``cut`` made as short as must be."""
    widths = [max(cell_len(str(cell)) for cell in cells) for cells in zip(columns, *rows, strict=True)]
    over = sum(widths) + _GAP * (len(widths) - 1) - width
    fitted = [list(row) for row in rows]
    for number in (columns.index(name) for name in cut if name in columns):
        room = min(widths[number], max(_LEAST, len(columns[number]), widths[number] - max(0, over)))
        over -= widths[number] - room
        for row in fitted:
            row[number] = _shortened(str(row[number]), room, keep_end=columns[number] == "IMAGE")
    return fitted


def _shortened(text: str, room: int, *, keep_end: bool) -> str:
    if len(text) <= room:
        return text
    return f"…{text[len(text) - room + 1 :]}" if keep_end else f"{text[: room - 1]}…"


def age(moment: datetime | None) -> str:
    """``12s``, ``5m``, ``3h``, ``2d`` since ``moment``."""
    if moment is None:
        return "-"
    seconds = max(0, int((datetime.now(UTC) - moment).total_seconds()))
    if seconds < 2 * _MINUTE:
        return f"{seconds}s"
    if seconds < 2 * _HOUR:
        return f"{seconds // _MINUTE}m"
    return f"{seconds // _HOUR}h" if seconds < 2 * _DAY else f"{seconds // _DAY}d"
