r"""The part of kubectl's JSONPath that command lines are written with; what is not in it is refused and never guessed.

    {.status.reason}                       a field; {['a.b']} where its name has a dot
    {[0]} {[-1]} {[*]} {.items[*]}         of a list: one, the last, all; .items of a list is the list
    {..name}                               every field of this name, at any depth
    {[?(@.kind=="App")].metadata.name}     those of which it is so: == != < <= > >=, or that it is there
    {range [*]}{.kind}{"\n"}{end}           once for each
    text, {"\t"}                            itself

Values are parted by spaces; texts stand as they are, everything else as JSON. What is not there is nothing.
"""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from controller.actions.errors import ActionError

HINT = "such as jsonpath='{.status.reason}' or jsonpath='{range [*]}{.metadata.name}{\"\\n\"}{end}'"
_ITEMS = "items"
_LONGEST = 4096
_STEP = re.compile(
    r"""
    \.\.(?P<deep>[\w-]+)
  | \.(?P<star>\*)
  | \.?(?P<field>[\w-]+)
  | \.?\[\s*(?:(?P<all>\*) | (?P<index>-?[0-9]{1,9}) | '(?P<quoted>[^']*)' | \?\((?P<filter>[^\]]*)\))\s*\]
    """,
    re.VERBOSE,
)
_FILTER = re.compile(r"@(?P<path>[^=!<>\s]*)\s*(?:(?P<how>==|!=|<=|>=|<|>)\s*(?P<value>.+))?")
_HOW: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}

Step = Callable[[Any], Iterator[Any]]
"""Of a value, those that it leads to."""


@dataclass(frozen=True, slots=True)
class _Range:
    steps: Sequence[Step]
    parts: Sequence[_Part]


_Part = str | Sequence[Step] | _Range


class JsonPath:
    """One template, read once.

    Args:
        text: of it.

    Raises:
        ActionError: it is none; says where.
    """

    def __init__(self, text: str) -> None:
        if not text or len(text) > _LONGEST:
            raise ActionError("jsonpath= has no template" if not text else "jsonpath= is too long", HINT)
        found = [part for part in re.split(r"(\{(?:\"(?:[^\"\\]|\\.)*\"|[^{}\"])*\})", text) if part]
        if not any(part.startswith("{") for part in found):
            found = [f"{{{text}}}"]  # as kubectl lets one leave the braces out
        self._parts, rest = _parts(iter(found), inside=False)
        assert not rest

    def of(self, data: Any) -> str:
        """What it says of ``data``, which has the types of JSON.

        Raises:
            ActionError: it goes deeper than can be followed.
        """
        try:
            return "".join(_said(part, data) for part in self._parts)
        except RecursionError:
            raise ActionError("jsonpath: what it leads to is too deep", "use -o json") from None


def _parts(words: Iterator[str], *, inside: bool) -> tuple[list[_Part], bool]:
    """The template up to its end, or to that of a range; whether the latter came."""
    found: list[_Part] = []
    for word in words:
        if not (word.startswith("{") and word.endswith("}")):
            if "{" in word or "}" in word:
                raise ActionError(f"jsonpath: a brace stands alone in {word!r}", HINT)
            found.append(word)
            continue
        inner = word[1:-1].strip()
        if inner.startswith('"'):
            found.append(_text(inner))
        elif inner == "end":
            if not inside:
                raise ActionError("jsonpath: {end} has no {range}", HINT)
            return found, True
        elif inner.startswith("range "):
            parts, ended = _parts(words, inside=True)
            if not ended:
                raise ActionError("jsonpath: {range} has no {end}", HINT)
            found.append(_Range(_steps(inner.removeprefix("range ").strip()), parts))
        else:
            found.append(_steps(inner))
    return found, False


def _text(quoted: str) -> str:
    try:
        return str(json.loads(quoted))
    except ValueError:
        raise ActionError(f"jsonpath: {quoted} is not a text in quotes", HINT) from None


def _steps(path: str) -> list[Step]:
    """The way that a path goes."""
    found: list[Step] = []
    at = 1 if path.startswith(("$", "@")) else 0
    if path[at:] in ("", "."):
        return found
    while at < len(path):
        step = _STEP.match(path, at)
        if step is None or step.end() == at:
            raise ActionError(f"jsonpath: {path[at:]!r} is not understood in {path!r}", HINT)
        found.append(_step(step))
        at = step.end()
    return found


def _step(found: re.Match[str]) -> Step:
    if (deep := found["deep"]) is not None:
        return lambda value: _deep(value, deep)
    if found["star"] or found["all"]:
        return _all
    if found["index"] is not None:
        number = int(found["index"])
        return lambda value: iter(value[number:][:1] if isinstance(value, list) and -len(value) <= number else ())
    if found["filter"] is not None:
        return _filter(found["filter"])
    name = found["field"] if found["field"] is not None else found["quoted"]
    return lambda value: _field(value, name)


def _field(value: Any, name: str) -> Iterator[Any]:
    if isinstance(value, dict) and value.get(name) is not None:
        yield value[name]
    elif isinstance(value, list) and name == _ITEMS:
        yield value


def _all(value: Any) -> Iterator[Any]:
    return iter(value if isinstance(value, list) else value.values() if isinstance(value, dict) else ())


def _deep(value: Any, name: str) -> Iterator[Any]:
    if isinstance(value, dict) and name in value:
        yield value[name]
    for each in _all(value):
        yield from _deep(each, name)


def _filter(text: str) -> Step:
    said = _FILTER.fullmatch(text.strip())
    if said is None:
        raise ActionError(f"jsonpath: the filter {text!r} is not understood", 'write [?(@.field=="value")]')
    steps = _steps(said["path"])
    if said["how"] is None:
        return lambda value: (each for each in _all(value) if any(True for _ in _go(steps, each)))
    compare, wanted = _HOW[said["how"]], _value(said["value"].strip())

    def step(value: Any) -> Iterator[Any]:
        return (each for each in _all(value) if any(_is(compare, found, wanted) for found in _go(steps, each)))

    return step


def _value(text: str) -> Any:
    if len(text) > 1 and text[0] == text[-1] == "'":
        return text[1:-1]
    try:
        return json.loads(text)
    except ValueError:
        raise ActionError(
            f"jsonpath: {text} is not a value", "write a text in quotes, a number, true or false"
        ) from None


def _is(compare: Callable[[Any, Any], bool], found: Any, wanted: Any) -> bool:
    if isinstance(found, bool) is not isinstance(wanted, bool):  # to Python, true is 1
        return compare is operator.ne
    try:
        return compare(found, wanted)
    except TypeError:
        return False


def _go(steps: Sequence[Step], value: Any) -> Iterator[Any]:
    if not steps:
        yield value
        return
    for each in steps[0](value):
        yield from _go(steps[1:], each)


def _said(part: _Part, data: Any) -> str:
    if isinstance(part, str):
        return part
    if isinstance(part, _Range):
        return "".join(_said(inner, each) for each in _go(part.steps, data) for inner in part.parts)
    return " ".join(each if isinstance(each, str) else json.dumps(each, ensure_ascii=False) for each in _go(part, data))
