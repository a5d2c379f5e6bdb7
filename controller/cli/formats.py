"""The forms of output, and what programs read: JSON and YAML. For people: ``output``."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from io import StringIO
from typing import Annotated, Any
from uuid import UUID

import typer


class Format(StrEnum):
    """Forms of output."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


Output = Annotated[Format, typer.Option("--output", "-o", help="Output format.", case_sensitive=False)]


def emit(data: Any, form: Format, *, documents: bool = False) -> None:
    """``data`` as JSON or YAML; ``documents``: a list is a stream of YAML documents."""
    plain = to_plain(data)
    if form is Format.JSON:
        sys.stdout.write(json.dumps(plain, indent=2, ensure_ascii=False) + "\n")
        return
    sys.stdout.write(yaml_text(plain if documents else [plain], stream=documents))


def yaml_text(documents: Sequence[Any], *, stream: bool) -> str:
    """YAML of one or more documents, keys in their order."""
    from ruamel.yaml import YAML  # noqa: PLC0415 - a command that writes none starts faster without it

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
