"""How results are shown: tables for people, JSON and YAML for programs; colours on a terminal only."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from io import StringIO
from typing import Any
from uuid import UUID

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text
from ruamel.yaml import YAML

_GAP, _LEAST = 3, 16
_MINUTE, _HOUR, _DAY = 60, 3600, 86400


class Format(StrEnum):
    """Forms of output."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


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


def emit(data: Any, form: Format, *, documents: bool = False) -> None:
    """``data`` as JSON or YAML; ``documents``: a list is a stream of YAML documents."""
    plain = to_plain(data)
    if form is Format.JSON:
        sys.stdout.write(json.dumps(plain, indent=2, ensure_ascii=False) + "\n")
        return
    sys.stdout.write(yaml_text(plain if documents else [plain], stream=documents))


def yaml_text(documents: Sequence[Any], *, stream: bool) -> str:
    """YAML of one or more documents, keys in their order."""
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.explicit_start = stream
    text = StringIO()
    yaml.dump_all(list(documents), text)
    return text.getvalue()


def to_plain(value: Any) -> Any:
    """``value`` in the types that JSON has."""
    if isinstance(value, dict):
        return {str(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [to_plain(item) for item in value]
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, UUID | StrEnum):
        return str(value)
    return value


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
