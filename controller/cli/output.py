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

from rich.console import Console
from rich.table import Table
from rich.text import Text
from ruamel.yaml import YAML

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


def table(columns: Sequence[str], rows: Iterable[Sequence[str | Text]]) -> None:
    """Aligned columns without lines, as command lines show lists."""
    shown = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
    for column in columns:
        shown.add_column(column, overflow="fold", no_wrap=not console().is_terminal)
    for row in rows:
        shown.add_row(*(Text(cell) if isinstance(cell, str) else cell for cell in row))
    text = console()
    with text.capture() as captured:
        text.print(shown)
    sys.stdout.write("\n".join(line.rstrip() for line in captured.get().splitlines()) + "\n")


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
