"""How results are shown to people: lines and tables; colours on a terminal only. For programs: ``formats``."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from controller.cli.terminal import Screen, Text, cell_len

LEAST = 16
"""To so many characters a cell may be cut."""
_GAP = 3
_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def console() -> Screen:
    """Standard output. Text that is no terminal's is never cut or wrapped."""
    return Screen()


def error_console() -> Screen:
    """Standard error."""
    return Screen(stderr=True)


def say(text: str = "", style: str = "") -> None:
    """One line of plain text, wrapped on a terminal; nothing in it is markup."""
    body = text.lstrip(" ")
    paragraph(Text(text[: len(text) - len(body)]), body, style=style)


def warn(text: str) -> None:
    """One line on standard error, wrapped on a terminal."""
    paragraph(Text("warning: ", style="yellow"), text, out=error_console())


def note(text: str) -> None:
    """One line on standard error of what should be known, wrapped on a terminal."""
    paragraph(Text("note: ", style="cyan"), text, out=error_console())


def paragraph(head: Text, body: str, *, style: str = "", hang: int | None = None, out: Screen | None = None) -> None:
    """``head`` and ``body`` in one line; on a terminal wrapped at words, for whoever reads it there.

    Args:
        head: what is never wrapped.
        body: a sentence.
        style: of the sentence.
        hang: how far the lines after the first are indented; as wide as ``head`` when left out.
        out: where to; standard output when left out.
    """
    out = out or console()
    lines = [body.replace("\n", " ")]
    if out.is_terminal:
        first, rest = " " * cell_len(head.plain), " " * (cell_len(head.plain) if hang is None else hang)
        lines = _wrapped(body, out.width, first, rest)
        lines[0] = lines[0][len(first) :]
    for number, line in enumerate(lines):
        out.print(Text.assemble(head, (line, style)) if not number else Text(line, style=style))


def _wrapped(text: str, width: int, first: str = "", rest: str = "") -> list[str]:
    """Lines of ``text``, parted at spaces only: a path or a name that is longer than a line stays whole."""
    return textwrap.wrap(
        text, width, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
    ) or [first]


def complain(lines: Iterable[str], hint: str = "") -> None:
    """What is wrong, on standard error, and where it is said what is right."""
    out = error_console()
    for line in lines:
        paragraph(Text("error: ", style="bold red"), line, out=out)
    if hint:
        out.print(Text(hint, style="dim"))


def table(
    columns: Sequence[str], rows: Iterable[Sequence[str | Text]], *, cut: Sequence[str] = (), wrap: str = ""
) -> None:
    """Aligned columns without lines, as command lines show lists; see ``aligned``."""
    width = console().width if console().is_terminal else None
    sys.stdout.write(aligned(columns, list(rows), width=width, cut=cut, wrap=wrap))


def aligned(
    columns: Sequence[str],
    rows: Sequence[Sequence[str | Text]],
    *,
    width: int | None,
    cut: Sequence[str] = (),
    wrap: str = "",
) -> str:
    """The lines of a table. Names and states are never cut: a line that is too long goes on in the next one.

    Args:
        columns: their headings.
        rows: cells, as many as there are columns.
        width: of the terminal; None: nothing is cut.
        cut: columns whose cells give way, each to 16 characters at least; an image keeps its end, text its beginning.
        wrap: the last column, when it is to be read whole: it goes on below itself.
    """
    rows = _fitting(columns, rows, width, cut, wrap) if width else rows
    lines = [[Text(column, "bold") for column in columns]]
    for row in rows:
        lines += _in_lines(row)
    widths = [max(cell_len(cell.plain) for cell in cells) for cells in zip(*lines, strict=True)]
    out = console()
    return "".join(f"{out.rendered(_joined(line, widths))}\n" for line in lines)


def _in_lines(row: Sequence[str | Text]) -> list[list[Text]]:
    """A row, of which a cell may have several lines."""
    cells = [[cell] if isinstance(cell, Text) else [Text(part) for part in cell.split("\n")] for cell in row]
    high = max(map(len, cells))
    return [[cell[number] if number < len(cell) else Text() for cell in cells] for number in range(high)]


def _joined(line: Sequence[Text], widths: Sequence[int]) -> Text:
    last = max((number for number, cell in enumerate(line) if cell.plain.rstrip()), default=0)
    spaced = [cell.padded(width + _GAP) for cell, width in zip(line[:last], widths, strict=False)]
    return Text.assemble(*spaced, line[last])


def shortened(text: str, room: int, *, keep_end: bool = False) -> str:
    """``text`` in ``room`` characters, with an ellipsis where something is left out."""
    if len(text) <= room:
        return text
    return f"…{text[len(text) - room + 1 :]}" if keep_end else f"{text[: room - 1]}…"


def _fitting(
    columns: Sequence[str], rows: Sequence[Sequence[str | Text]], width: int, cut: Sequence[str], wrap: str
) -> list[list[str | Text]]:
    """``rows`` with cells of ``cut`` and ``wrap`` made as narrow as must be."""
    widths = [max(cell_len(str(cell)) for cell in cells) for cells in zip(columns, *rows, strict=True)]
    over = sum(widths) + _GAP * (len(widths) - 1) - width
    fitted = [list(row) for row in rows]
    for number in (columns.index(name) for name in (*cut, wrap) if name in columns):
        room = min(widths[number], max(LEAST, len(columns[number]), widths[number] - max(0, over)))
        over -= widths[number] - room
        for row in fitted:
            text = str(row[number])
            if columns[number] == wrap:
                row[number] = "\n".join(_wrapped(text, room))
            elif cell_len(text) > room:
                row[number] = shortened(text, room, keep_end=columns[number] == "IMAGE")
    return fitted


def says_yes(question: str) -> bool:
    """Whether a person says yes to it; he does not by an empty answer, or by none."""
    out = error_console()
    while True:
        out.file.write(out.rendered(Text.assemble(question, (" [y/n]", "bold"), (" (n)", "cyan"), ": ")))
        out.file.flush()
        answer = sys.stdin.readline().strip().lower()
        if answer in ("y", "yes", "n", "no", ""):
            return answer.startswith("y")
        out.print("please answer y or n")


def counted(number: int, what: str, ending: str = "s") -> str:
    """``1 row``, ``2 rows``."""
    return f"{number} {what}{'' if number == 1 else ending}"


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
