"""What is wrong with a value, said once, in words that its writer can act on.

A rule refuses a value by raising ``RefusedError``; pydantic collects them; ``problems_of`` turns the
collection into ``Problem`` entries whose ``field`` reads as the writer knows it (``processes[web].port``,
``spec.healthcheck.interval``).

    ValueError
    ├── RefusedError   one value breaks one rule
    └── InvalidSpec    one document has one or more problems
        ├── NotSupported   it asks for something that this version does not do
        └── NoImage        it names nothing to run
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from specs.habits import of_field
from specs.spelling import meant

Path = tuple[str | int, ...]

_SHOWN_CHARACTERS = 80
_SHOWN_PROBLEMS = 20
_URL_CREDENTIALS = re.compile(r"//[^/\s]*@")
_DIGITS = re.compile("[0-9]{1,9}", re.ASCII)
_KIND_OF_VALUE = {
    type(None): "nothing",
    bool: "true or false",
    int: "a number",
    float: "a number",
    str: "text",
    list: "a list",
    tuple: "a list",
    dict: "a mapping",
}
_WANTED = {  # pydantic's error type: what was wanted, and a hint
    "string_type": ("text", "put a number or a date in quotes"),
    "int_type": ("a whole number", "write it without quotes and without a fraction"),
    "bool_type": ("true or false", "write true or false, without quotes"),
    "tuple_type": ("a list", "such as [a, b]"),
    "list_type": ("a list", "such as [a, b]"),
    "model_type": ("a mapping of fields", 'write them below it, each as "name: value"'),
    "dict_type": ("a mapping of fields", ""),
}


class RefusedError(ValueError):
    """A value breaks a rule.

    Args:
        message: what is wrong, with the value in it where it may be shown.
        hint: how to mend it; may be empty.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong in a document.

    Args:
        field: where, as its writer knows it; empty for the document as a whole.
        value: the value found there, for programs; in no message and no ``repr``: it may be secret.
        message: what is wrong with it.
        hint: how to mend it; may be empty.
        path: where, as keys and list indexes from the document's root.
    """

    field: str
    value: object = dataclasses.field(repr=False)
    message: str
    hint: str = ""
    path: Path = ()

    def __str__(self) -> str:
        text = f"{self.field}: {self.message}" if self.field else self.message
        return f"{text} ({self.hint})" if self.hint else text


class InvalidSpec(ValueError):  # noqa: N818 - the name that users see as the reason of the Stalled condition
    """A document that cannot be applied; ``str()`` is one readable line that names each field, the first 20 at most."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = list(problems)
        shown = [str(problem) for problem in self.problems[:_SHOWN_PROBLEMS]]
        if len(self.problems) > _SHOWN_PROBLEMS:
            shown.append(f"and {len(self.problems) - _SHOWN_PROBLEMS} more")
        super().__init__("; ".join(shown))

    @property
    def reason(self) -> str:
        """The reason of the Stalled condition."""
        return type(self).__name__

    @classmethod
    def of(cls, error: ValidationError) -> InvalidSpec:
        """The same problems as ``error`` has."""
        return cls(problems_of(error))


class NotSupported(InvalidSpec):
    """A document that is right and asks for something that would have no effect yet."""


class NoImage(InvalidSpec):
    """A document that is right and names nothing to run."""


def describe(error: ValidationError) -> str:
    """``error`` as one readable line, such as ``processes[web].port: 0 is not a port (1-65535)``."""
    return str(InvalidSpec.of(error))


def quote(value: object) -> str:
    """``value`` for a message: escaped, cut at 80 characters, and without the credentials of a URL."""
    return json.dumps(abbreviate(_URL_CREDENTIALS.sub("//***@", str(value))), ensure_ascii=False)


def abbreviate(value: object) -> str:
    """``value`` as text of at most 80 characters, for what needs no escape."""
    text = str(value)
    return text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 1] + "…"


def closest(word: str, known: Iterable[str]) -> str:
    """A hint for a word that is not among ``known``: the one that it is a typing error of, or all of them."""
    names = list(known)
    match = meant(word.replace("_", ""), names)
    return f"did you mean {match}?" if match else f"known: {', '.join(names)}"


def problems_of(
    error: ValidationError, *, model: type[BaseModel] | None = None, document: object = None
) -> list[Problem]:
    """Every problem in ``error``.

    Args:
        error: what pydantic raised.
        model: the model that was validated; gives the known fields beside an unknown one.
        document: what was validated; gives list entries their ``type``, ``hostname`` or ``name``.
    """
    found: list[Problem] = []
    for detail in error.errors(include_url=False):
        path = detail["loc"]
        cause = detail.get("ctx", {}).get("error")
        if isinstance(cause, InvalidSpec):
            found += [_below(problem, path, document) for problem in cause.problems]
            continue
        message, hint = _said(detail, model)
        found.append(Problem(field_name(path, document), detail["input"], message, hint, path))
    return found


def field_name(path: Sequence[str | int], document: object = None) -> str:
    """``path`` as a reader knows it: ``processes[web].port`` rather than ``processes.0.port``."""
    text, node = "", document
    for part in path:
        node = _child(node, part)
        if isinstance(part, int):
            text += f"[{_own_name(node) or part}]"
        else:
            text += f".{part}" if text else part
    return text


def _below(problem: Problem, path: Path, document: object) -> Problem:
    """``problem`` of a part of a document, as a problem of the whole."""
    prefix = field_name(path, document)
    return replace(problem, field=".".join(filter(None, (prefix, problem.field))), path=path + problem.path)


def _child(node: object, part: str | int) -> object:
    if isinstance(part, int):
        return node[part] if isinstance(node, Sequence) and not isinstance(node, str) and part < len(node) else None
    return node.get(part) if isinstance(node, Mapping) else None


def _own_name(node: object) -> str:
    if isinstance(node, Mapping):
        for key in ("type", "hostname", "name"):
            if isinstance(node.get(key), str) and node[key]:
                return abbreviate(node[key])
    return ""


def _said(detail: ErrorDetails, model: type[BaseModel] | None) -> tuple[str, str]:
    """Message and hint for one of pydantic's errors."""
    value, kind, path = detail["input"], detail["type"], detail["loc"]
    context: Mapping[str, Any] = detail.get("ctx", {})
    if isinstance(cause := context.get("error"), RefusedError):
        return cause.message, cause.hint
    if kind == "extra_forbidden":
        known = _known_fields(model, path[:-1])
        return "is not a field here", of_field(str(path[-1]), known) or (closest(str(path[-1]), known) if known else "")
    if kind == "missing":
        return "is required", ""
    if kind == "literal_error":
        return f"{quote(value)} is not one of {context['expected']}", ""
    if kind in _WANTED:
        wanted, hint = _WANTED[kind]
        if kind == "int_type" and isinstance(value, str):
            hint = f"write {int(value)}, without quotes" if _DIGITS.fullmatch(value) else _number_hint(path)
        if kind == "string_type" and not isinstance(value, bool | int | float):
            hint = ""
        return f"{_shown(value, path)}, not {wanted}", hint
    return detail["msg"][:1].lower() + detail["msg"][1:], ""


def _number_hint(path: Path) -> str:
    return "write a number, such as 8080" if path and path[-1] == "port" else "write a number"


def _shown(value: object, path: Path) -> str:
    """``is 5, a number``; not the entries of lists, which may be confidential words of a command."""
    kind = _KIND_OF_VALUE.get(type(value), type(value).__name__)
    if not isinstance(value, bool | int | float) or (path and isinstance(path[-1], int)):
        return f"is {kind}"
    return f"is {abbreviate(json.dumps(value))}, {kind}"


def _known_fields(model: type[BaseModel] | None, path: Path) -> list[str]:
    """Names (as written in a document) of the fields of the model found at ``path`` below ``model``."""
    for part in path:
        if model is None or isinstance(part, int):
            return []
        fields = {field.alias or name: field for name, field in model.model_fields.items()}
        model = _model_in(fields[part].annotation) if part in fields else None
    return [field.alias or name for name, field in model.model_fields.items()] if model else []


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model in an annotation such as ``Healthcheck | None``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_model_in, getattr(annotation, "__args__", ()))), None)
