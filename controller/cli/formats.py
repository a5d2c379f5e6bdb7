"""The forms of output, and what programs read: JSON and YAML. For people: ``output``."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from io import StringIO
from typing import TYPE_CHECKING, Annotated, Any, ClassVar
from uuid import UUID

import typer

from controller.actions.errors import ActionError
from controller.cli.jsonpath import JsonPath
from controller.cli.terminal import harmless


class Format:
    """A form of output; each but that of a JSONPath is there once, and compared with ``is``.

    Args:
        name: as it is typed.
        path: of a JSONPath.
    """

    TABLE: ClassVar[Format]
    WIDE: ClassVar[Format]
    NAME: ClassVar[Format]
    JSON: ClassVar[Format]
    YAML: ClassVar[Format]

    def __init__(self, name: str, path: JsonPath | None = None) -> None:
        self.name = name
        self.path = path

    def __str__(self) -> str:
        return self.name

    @property
    def streams(self) -> bool:
        """Whether things can be said in it one by one."""
        return self is not Format.YAML

    @classmethod
    def __get_pydantic_core_schema__(cls, _: Any, __: Any) -> Any:
        from pydantic_core import core_schema  # noqa: PLC0415 - typer has loaded it by then

        return core_schema.no_info_plain_validator_function(chosen)


Format.TABLE, Format.WIDE, Format.NAME, Format.JSON, Format.YAML = map(
    Format, ("table", "wide", "name", "json", "yaml")
)
_KNOWN = {form.name: form for form in (Format.TABLE, Format.WIDE, Format.NAME, Format.JSON, Format.YAML)}
_JSONPATH = "jsonpath"
_ORDERS = re.compile("[\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""What ``json`` leaves of what could do something to a terminal."""
_NAMES = ("name", "path", "version", "id", "digest", "registry", "position")
"""What tells things apart that are no objects, the best first."""


def chosen(said: Any) -> Format:
    """The form that is asked for.

    Raises:
        ActionError: there is none of this name.
    """
    if isinstance(said, Format):
        return said
    word, equals, path = str(said).partition("=")
    if word.lower() == _JSONPATH and equals:
        return Format(_JSONPATH, JsonPath(path))
    if (found := _KNOWN.get(str(said).lower())) is None:
        known = f"{', '.join(_KNOWN)} or {_JSONPATH}=TEMPLATE"
        raise ActionError(f"-o {said}: there is no such form of output", f"write {known}")
    return found


def _for_people(said: Any) -> Format:
    """The same, where nothing is wider than the table."""
    return Format.TABLE if (form := chosen(said)) is Format.WIDE else form


if TYPE_CHECKING:
    PlainFormat = Format
else:

    class PlainFormat(Format):
        """A form of output of what has no columns that few people ask for: nothing is wider than its table."""

        @classmethod
        def __get_pydantic_core_schema__(cls, _: Any, __: Any) -> Any:
            from pydantic_core import core_schema  # noqa: PLC0415 - as above

            return core_schema.no_info_plain_validator_function(_for_people)


def _completed(incomplete: str) -> list[str]:
    return [name for name in (*_KNOWN, f"{_JSONPATH}=") if name.startswith(incomplete)]


_OPTION = typer.Option(
    "--output",
    "-o",
    help="table, which is usual, wide, name, json, yaml or jsonpath=TEMPLATE.",
    metavar="FORMAT",
    show_default=False,
    autocompletion=_completed,
)
Output = Annotated[PlainFormat, _OPTION]
WideOutput = Annotated[Format, _OPTION]


def emit(data: Any, form: Format, *, documents: bool = False) -> None:
    """``data`` in a form for programs; ``documents``: a list is a stream of YAML documents.

    Raises:
        ActionError: names are asked for of what has none.
    """
    plain = to_plain(data)
    if form is Format.YAML:
        _write(yaml_text(plain if documents else [plain], stream=documents))
    elif form is Format.JSON:
        _write(_json(plain, indent=2) + "\n")
    elif form is Format.NAME:
        _write("".join(f"{_name(each)}\n" for each in (plain if isinstance(plain, list) else [plain])))
    else:
        assert form.path is not None
        said = form.path.of(plain)
        _write(said + ("\n" if said and not said.endswith("\n") and console_reads() else ""))


def line(data: Any, form: Format) -> str:
    """One thing of many that are said one by one, in a line."""
    plain = to_plain(data)
    if form is Format.NAME:
        return as_shown(_name(plain))
    return as_shown(form.path.of(plain) if form.path is not None else _json(plain))


def as_shown(text: str) -> str:
    """As it is where a program reads it, and harmless where a terminal does."""
    return harmless(text) if console_reads() else text


def _write(text: str) -> None:
    sys.stdout.write(as_shown(text))


def _json(plain: Any, indent: int | None = None) -> str:
    """JSON in which what could do something to a terminal is escaped, as JSON can have it either way."""
    text = json.dumps(plain, indent=indent, ensure_ascii=False)
    return _ORDERS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def console_reads() -> bool:
    """Whether a person reads it, whose prompt is to stand in a line of its own."""
    return sys.stdout.isatty()


def _name(thing: Any) -> str:
    known = next((key for key in _NAMES if isinstance(thing, dict) and thing.get(key) is not None), None)
    if known is None:
        raise ActionError("-o name: what is shown here has no names", "use -o json")
    kind = thing.get("kind")
    return f"{str(kind).lower()}/{thing[known]}" if kind and known in ("name", "path") else str(thing[known])


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
