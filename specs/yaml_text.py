"""YAML 1.2 text to plain documents, with the line and column of every node.

Anchors, aliases and merge keys (``<<``) work. What a specification has no use for is refused where it stands:
keys given twice, keys that are not text, tags of other types, an alias inside its own anchor. The number of
nodes of a document, with every alias counted as what it stands for, is limited: a few hundred bytes of nested
aliases would otherwise be gigabytes (the "billion laughs").
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

from specs.problems import Path, quote
from specs.yaml_syntax import Position, YamlProblem, explain

NODE_LIMIT = 20_000
DEPTH_LIMIT = 32

_TAG = "tag:yaml.org,2002:"
_AS_TEXT = {f"{_TAG}str", f"{_TAG}timestamp"}
_INTEGER_DIGITS = 1000
"""Of one with more than 4,300 in decimal digits Python makes no text, so no message, either."""
_RADIX = {"0o": 8, "0x": 16, "0b": 2}


@dataclass(slots=True)
class YamlDocument:
    """One document of a text.

    Args:
        data: dicts, lists, text, numbers, true, false and None.
        positions: where each node stands; the value of a field stands where its key does.
        sealed: paths of values that are encrypted in the text.
        closed: these are not opened: the text of each stands in its place.
    """

    data: Any
    positions: dict[Path, Position] = field(default_factory=dict)
    sealed: frozenset[Path] = frozenset()
    closed: bool = False

    def position(self, path: Path) -> Position:
        """Where the node at ``path`` stands, or the nearest one around it when there is none."""
        while path not in self.positions:
            path = path[:-1]
        return self.positions[path]


def read_documents(text: str) -> Iterator[YamlDocument | YamlProblem]:
    """The documents of ``text`` in order; empty ones are left out.

    A problem takes the place of its document. One in the syntax is the last that is given: where the next
    document begins cannot be told any more.
    """
    yaml = YAML(typ="safe", pure=True)
    try:
        yaml.composer.warn_double_anchors = False  # YAML 1.2 lets an anchor be used again
        for node in yaml.compose_all(text):
            try:
                document = _Reader().read(node)
            except YamlProblem as problem:
                yield problem
            else:
                if document.data is not None:
                    yield document
    except MarkedYAMLError as error:
        yield explain(text, error)
    except ReaderError as error:
        line, column = (
            text.count("\n", 0, error.position) + 1,
            error.position - text.rfind("\n", 0, error.position),
        )
        yield YamlProblem(Position(line, column), "a control character is in the text", "remove it")
    except RecursionError:
        yield YamlProblem(Position(1, 1), "is nested too deep", f"at most {DEPTH_LIMIT} levels")
    except YAMLError as error:
        yield YamlProblem(Position(1, 1), f"is not YAML: {quote(error)}")


class _Reader:
    """Turns one document's node graph into plain data, counting as it goes."""

    def __init__(self) -> None:
        self._positions: dict[Path, Position] = {}
        self._open: set[int] = set()
        self._steps = 0

    def read(self, node: Node) -> YamlDocument:
        data = self._value(node, (), _position(node))
        return YamlDocument(data, self._positions)

    def _value(self, node: Node, path: Path, position: Position) -> Any:
        self._positions[path] = position
        if len(self._positions) > NODE_LIMIT:
            raise YamlProblem(position, "is too large", f"at most {NODE_LIMIT} nodes, aliases counted as written out")
        if isinstance(node, ScalarNode):
            return _scalar(node)
        if id(node) in self._open:
            raise YamlProblem(position, "an alias is used inside its own anchor", "write the value out")
        if len(path) >= DEPTH_LIMIT:
            raise YamlProblem(position, "is nested too deep", f"at most {DEPTH_LIMIT} levels")
        self._open.add(id(node))
        value = self._mapping(node, path) if isinstance(node, MappingNode) else self._list(node, path)
        self._open.discard(id(node))
        return value

    def _list(self, node: Node, path: Path) -> list[Any]:
        _refuse_tag(node, "seq")
        return [self._value(item, (*path, index), _position(item)) for index, item in enumerate(node.value)]

    def _mapping(self, node: MappingNode, path: Path) -> dict[str, Any]:
        _refuse_tag(node, "map")
        found: dict[str, Any] = {}
        merged: list[tuple[ScalarNode, Node]] = []
        for key, value in node.value:
            if key.tag == f"{_TAG}merge":
                merged += self._merged(value)
            elif _key(key) in found:
                raise YamlProblem(_position(key), f"{quote(key.value)} is given twice", "keep one of them")
            else:
                found[key.value] = self._value(value, (*path, key.value), _position(key))
        for key, value in merged:  # what is written out wins, then the mapping that is named first
            if _key(key) not in found:
                found[key.value] = self._value(value, (*path, key.value), _position(key))
        return found

    def _merged(self, node: Node) -> list[tuple[ScalarNode, Node]]:
        """What ``<<: *anchor`` or ``<<: [*one, *two]`` brings in, and what is merged into that."""
        if id(node) in self._open:
            raise YamlProblem(_position(node), "an alias is used inside its own anchor", "write the value out")
        entries: list[tuple[ScalarNode, Node]] = []
        self._open.add(id(node))
        for mapping in node.value if isinstance(node, SequenceNode) else [node]:
            if not isinstance(mapping, MappingNode):
                raise YamlProblem(_position(mapping), "is merged, but is not a mapping", "merge mappings only")
            for key, value in mapping.value:
                self._steps += 1
                if self._steps > NODE_LIMIT:
                    raise YamlProblem(_position(node), "is too large", f"at most {NODE_LIMIT} merged entries")
                entries += self._merged(value) if key.tag == f"{_TAG}merge" else [(key, value)]
        self._open.discard(id(node))
        return entries


def _position(node: Node) -> Position:
    return Position(node.start_mark.line + 1, node.start_mark.column + 1)


def _key(node: Node) -> str:
    if isinstance(node, ScalarNode) and node.tag in _AS_TEXT:
        return str(node.value)
    if not isinstance(node, ScalarNode):
        raise YamlProblem(
            _position(node),
            "a key is a mapping or a list",
            "put text in braces into quotes; templates are not filled in",
        )
    raise YamlProblem(_position(node), "a key is not text", "put it in quotes")


def _refuse_tag(node: Node, kind: str) -> None:
    if node.tag != f"{_TAG}{kind}":
        tag = str(node.tag).replace(_TAG, "!!")
        if not tag.startswith("!!"):  # it may be a password that begins so
            raise YamlProblem(_position(node), "a value begins with !", "put it in quotes, or remove the tag")
        raise YamlProblem(_position(node), f"the tag {quote(tag)} is not supported", "remove the tag")


def _scalar(node: ScalarNode) -> Any:
    """The value by YAML 1.2's core schema; a date is text."""
    text = str(node.value)
    if node.tag in _AS_TEXT:
        return text
    if node.tag == f"{_TAG}null":
        return None
    try:
        if node.tag == f"{_TAG}bool":
            return {"true": True, "false": False}[text.lower()]
        if node.tag == f"{_TAG}int":
            return _integer(text.replace("_", ""))
        if node.tag == f"{_TAG}float":
            return float(text.replace("_", "").replace(".inf", "inf").replace(".nan", "nan"))
    except (ValueError, KeyError):
        raise YamlProblem(_position(node), "cannot be read as a value", "put text in quotes") from None
    _refuse_tag(node, "str")
    return text


def _integer(text: str) -> int:
    """``12``, ``012`` (decimal in YAML 1.2), ``0o14``, ``0xC``."""
    sign, digits = (-1, text[1:]) if text.startswith("-") else (1, text.removeprefix("+"))
    if len(digits) > _INTEGER_DIGITS:
        raise ValueError
    radix = _RADIX.get(digits[:2].lower(), 10)
    return sign * int(digits if radix == 10 else digits[2:], radix)
