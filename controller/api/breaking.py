"""What a client of an older document of the API would stumble over in a newer one. Pure.

A request that was right must stay right, and what an answer said must still be said. New operations, new parameters
that may be left out, new fields and new problems break nobody.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Document = Mapping[str, Any]
Schema = Mapping[str, Any]

_METHODS = ("get", "put", "post", "patch", "delete")
_AT_LEAST = ("minLength", "minimum", "exclusiveMinimum", "minItems", "minProperties")
_LENGTHS = ("minLength", "minItems", "minProperties")
_AT_MOST = ("maxLength", "maximum", "exclusiveMaximum", "maxItems", "maxProperties")
_SAME = ("pattern", "format", "uniqueItems", "multipleOf")
_CHOICES = ("anyOf", "oneOf")
_DEEPEST = 12


def breaking(old: Document, new: Document) -> list[str]:
    """Each breaking change in a sentence, in the order of the older document.

    Args:
        old: of OpenAPI 3.1, that clients were made for.
        new: that is served now.
    """
    return [
        f"{method.upper()} {path}: {said}"
        for path, operations in old["paths"].items()
        for method, operation in operations.items()
        if method in _METHODS
        for said in _operation(operation, new["paths"].get(path, {}).get(method), old, new)
    ]


def _operation(old: Schema, new: Schema | None, before: Document, after: Document) -> Iterator[str]:
    if new is None:
        yield "is not there any more"
        return
    if old.get("operationId") != new.get("operationId"):
        yield f"is called {new.get('operationId')}, and was {old.get('operationId')}"
    yield from _parameters(old.get("parameters", ()), new.get("parameters", ()), before, after)
    yield from _body(old.get("requestBody"), new.get("requestBody"), before, after)
    for code, answer in old["responses"].items():
        if not code.startswith("2"):
            continue
        found = new["responses"].get(code)
        if found is None:
            yield f"answers {code} no more"
            continue
        for form, content in answer.get("content", {}).items():
            if form not in found.get("content", {}):
                yield f"answers no {form} with {code}"
                continue
            told = found["content"][form].get("schema", {})
            yield from _Answered(before, after).compare(content.get("schema", {}), told, f"the answer {code}")


def _parameters(old: Sequence[Schema], new: Sequence[Schema], before: Document, after: Document) -> Iterator[str]:
    was = {(each["in"], each["name"]): each for each in old}
    now = {(each["in"], each["name"]): each for each in new}
    for key, each in was.items():
        if key not in now:
            yield f"takes no {key[0]} parameter {key[1]} any more"
            continue
        yield from _Sent(before, after).compare(each.get("schema", {}), now[key].get("schema", {}), key[1])
        if now[key].get("required") and not each.get("required"):
            yield f"needs the {key[0]} parameter {key[1]}"
    for key in now.keys() - was.keys():
        if now[key].get("required"):
            yield f"needs the {key[0]} parameter {key[1]}"


def _body(old: Schema | None, new: Schema | None, before: Document, after: Document) -> Iterator[str]:
    if old is None:
        if new is not None and new.get("required"):
            yield "needs a body"
        return
    if new is None:
        yield "takes no body any more"
        return
    if new.get("required") and not old.get("required"):
        yield "needs a body"
    for form, content in old["content"].items():
        if form not in new["content"]:
            yield f"takes no {form} any more"
            continue
        told = new["content"][form].get("schema", {})
        yield from _Sent(before, after).compare(content.get("schema", {}), told, "the body")


class _Comparison:
    """Of two schemas, each with the document that its references lead into."""

    def __init__(self, before: Document, after: Document) -> None:
        self._before, self._after = before, after
        self._seen: set[tuple[str, str]] = set()

    def compare(self, old: Schema, new: Schema, where: str, depth: int = 0) -> Iterator[str]:
        """Sentences that name ``where``; a schema that contains itself is compared once."""
        pair = str(old.get("$ref", "")), str(new.get("$ref", ""))
        if any(pair):
            if pair in self._seen:
                return
            self._seen.add(pair)
        if depth > _DEEPEST:
            return
        was, now = _resolved(old, self._before), _resolved(new, self._after)
        yield from self.here(was, now, where)
        for name, part in was.get("properties", {}).items():
            if (found := now.get("properties", {}).get(name)) is not None:
                yield from self.compare(part, found, f"{where}.{name}", depth + 1)
        for word, mark in (("items", "[]"), ("additionalProperties", ".*")):
            if isinstance(was.get(word), Mapping) and isinstance(now.get(word), Mapping):
                yield from self.compare(was[word], now[word], f"{where}{mark}", depth + 1)
        for word in _CHOICES:
            yield from self.choices(was.get(word, ()), now.get(word, ()), where, depth + 1)

    def here(self, was: Schema, now: Schema, where: str) -> Iterator[str]:
        """What differs of the schemas themselves."""
        raise NotImplementedError

    def choices(self, was: Sequence[Schema], now: Sequence[Schema], where: str, depth: int) -> Iterator[str]:
        """What differs of alternatives."""
        raise NotImplementedError


class _Sent(_Comparison):
    """What was taken must be taken still."""

    def here(self, was: Schema, now: Schema, where: str) -> Iterator[str]:
        if lost := _types(was) - _types(now):
            yield f"{where} takes no {', '.join(sorted(lost))}"
        for said in (*_values_lost(was, now), *_fields_lost(was, now), *_bounds(was, now)):
            yield f"{where} {said}"

    def choices(self, was: Sequence[Schema], now: Sequence[Schema], where: str, depth: int) -> Iterator[str]:
        if was and not now:
            return  # what is left of it is compared as it is
        for choice in was:
            found = [[*self.compare(choice, other, where, depth)] for other in _likely(choice, now)]
            if found and all(found):
                yield from min(found, key=len)
            elif not found:
                yield f"{where} takes no {_name(choice)}"


class _Answered(_Comparison):
    """What was said must be said still."""

    def here(self, was: Schema, now: Schema, where: str) -> Iterator[str]:
        if "type" in was and (more := _types(now) - _types(was)):
            yield f"{where} may be {', '.join(sorted(more))}"
        for name in was.get("properties", {}):
            if name not in now.get("properties", {}):
                yield f"{where} says no {name}"
        for name in sorted({*was.get("required", ())} - {*now.get("required", ())}):
            if name in now.get("properties", {}) or name not in was.get("properties", {}):
                yield f"{where} may leave {name} out"

    def choices(self, was: Sequence[Schema], now: Sequence[Schema], where: str, depth: int) -> Iterator[str]:
        for choice in was:
            found = [[*self.compare(choice, other, where, depth)] for other in _likely(choice, now)]
            if found and all(found):
                yield from min(found, key=len)
            elif not found:
                yield f"{where} is never {_name(choice)}"


def _values_lost(was: Schema, now: Schema) -> Iterator[str]:
    if "enum" not in now and "const" not in now:
        return
    if not _values(was):
        yield f"takes only {', '.join(map(str, _values(now)))}"
    elif gone := [str(value) for value in _values(was) if value not in _values(now)]:
        yield f"takes no {', '.join(gone)}"


def _fields_lost(was: Schema, now: Schema) -> Iterator[str]:
    for name in sorted({*now.get("required", ())} - {*was.get("required", ())}):
        yield f"needs {name}"
    for name in was.get("properties", {}).keys() - now.get("properties", {}).keys():
        yield f"takes no {name}"
    if now.get("additionalProperties") is False and was.get("additionalProperties") is not False:
        yield "takes no other fields"


def _bounds(was: Schema, now: Schema) -> Iterator[str]:
    """Bounds that are narrower; a pattern that is another one is taken to be."""
    for word in _AT_LEAST:
        if word in now and now[word] > was.get(word, 0 if word in _LENGTHS else float("-inf")):
            yield f"has another {word}: {now[word]}"
    for word in _AT_MOST:
        if word in now and now[word] < was.get(word, float("inf")):
            yield f"has another {word}: {now[word]}"
    for word in _SAME:
        if now.get(word) not in (None, was.get(word)):
            yield f"has another {word}: {now[word]}"


def _resolved(schema: Schema, document: Document) -> Schema:
    for _ in range(_DEEPEST):
        reference = schema.get("$ref")
        if reference is None:
            return schema
        found: Any = document
        for part in str(reference).removeprefix("#/").split("/"):
            found = found[part]
        schema = {**found, **{key: value for key, value in schema.items() if key != "$ref"}}
    return schema


_ALL = frozenset({"string", "number", "boolean", "object", "array", "null"})


def _types(schema: Schema) -> set[str]:
    """What JSON types it lets through; ``integer`` is a ``number`` that it is breaking to ask for."""
    said = schema.get("type")
    if said is None:
        return {*_ALL, "integer"}
    found = {said} if isinstance(said, str) else {*said}
    return found | {"integer"} if "number" in found else found


def _values(schema: Schema) -> Sequence[Any]:
    return [schema["const"]] if "const" in schema else list(schema.get("enum", ()))


def _likely(choice: Schema, among: Sequence[Schema]) -> list[Schema]:
    """Those that may stand for it: of the same reference, or else of the same type."""
    if "$ref" in choice:
        return [other for other in among if other.get("$ref") == choice["$ref"]]
    return [other for other in among if "$ref" not in other and _types(other) & _types(choice)]


def _name(choice: Schema) -> str:
    return str(choice.get("$ref", choice.get("type", "such a value"))).rpartition("/")[2]
