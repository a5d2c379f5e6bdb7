"""Compose files as services with their values and where these stand: files on top of each other, ``extends`` followed.

Values are as they are written: variables are filled in where a value is used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from specs.loader import FileProblem, SpecFilesError
from specs.problems import Path, quote
from specs.yaml_syntax import Position, YamlProblem
from specs.yaml_text import YamlDocument, read_documents

_REPLACED = ("command", "entrypoint", "test")
_LISTS = ("env_file", "environment", "label_file", "labels", "tmpfs", "dns", "dns_search")
"""Keys that are a list also where they are written as one text or as a mapping."""

_LONGEST = 32

Text = tuple[str, str]
"""A file's name and its text."""


@dataclass(frozen=True, slots=True)
class Item:
    """A value and where it stands.

    Args:
        value: plain data.
        file: its name.
        document: what the file holds.
        path: of the value in it.
        merged: it is made of more than one place, of which this is the last.
    """

    value: Any
    file: str
    document: YamlDocument = field(repr=False)
    path: Path
    merged: bool = False

    def below(self, *path: str | int) -> Position:
        """Where a part of it stands, or itself."""
        return self.document.position(self.path if self.merged else (*self.path, *path))


@dataclass(frozen=True, slots=True)
class Service:
    """A service: its keys, what it extends included."""

    name: str
    item: Item
    keys: Mapping[str, Item]


@dataclass(frozen=True, slots=True)
class Project:
    """What files say together.

    Args:
        services: by name, in the order of the files.
        others: every other key at the top of a file.
    """

    services: Mapping[str, Service]
    others: Sequence[tuple[str, Item]]


class UnreadableError(Exception):
    """Something cannot be understood; ``problem`` says what and where."""

    def __init__(self, file: str, position: Position | None, field: str, message: str, hint: str = "") -> None:
        self.problem = FileProblem(file, position, "", field, message, hint)
        super().__init__(str(self.problem))


def read_project(files: Iterable[Text], another: Callable[[str, str], Text]) -> Project:
    """What ``files`` say, later ones over earlier ones.

    Args:
        files: as they are named and what they hold.
        another: the file of a name that a file refers to: both names are given.

    Raises:
        SpecFilesError: they cannot be understood.
    """
    reader, problems = _Reader(another), []
    services: dict[str, Service] = {}
    others: list[tuple[str, Item]] = []
    for name, text in files:
        try:
            top = reader.top(name, text)
            others += [(key, top.part(key)) for key in top.item.value if key != "services"]
            for service in top.services():
                found = reader.service(top, service)
                services[service] = _over(services[service], found) if service in services else found
        except UnreadableError as error:
            problems.append(error.problem)
    if problems:
        raise SpecFilesError(problems)
    return Project(services, others)


@dataclass(frozen=True, slots=True)
class _Top:
    """One file."""

    item: Item

    def part(self, *path: str) -> Item:
        value = self.item.value
        for key in path:
            value = value[key]
        return Item(value, self.item.file, self.item.document, path)

    def services(self) -> Mapping[str, Any]:
        found = self.item.value.get("services")
        if found is None and "services" in self.item.value:
            found = {}
        if not isinstance(found, dict):
            hint = "a Compose file has its services below that word"
            raise UnreadableError(self.item.file, self.item.below("services"), "services", "is no mapping", hint)
        return found


class _Reader:
    def __init__(self, another: Callable[[str, str], Text]) -> None:
        self._another = another
        self._tops: dict[str, _Top] = {}

    def top(self, file: str, text: str) -> _Top:
        documents = list(read_documents(text))
        for document in documents:
            if isinstance(document, YamlProblem):
                raise UnreadableError(file, document.position, "", document.message, document.hint)
        whole = [document for document in documents if isinstance(document, YamlDocument)]
        if len(whole) != 1:
            raise UnreadableError(file, None, "", f"has {len(whole)} documents", "a Compose file has one")
        (document,) = whole
        if not isinstance(document.data, dict):
            raise UnreadableError(file, document.position(()), "", "is not a Compose file", "it begins with services:")
        return self._tops.setdefault(file, _Top(Item(document.data, file, document, ())))

    def service(self, top: _Top, name: str, trail: tuple[tuple[str, str], ...] = ()) -> Service:
        item = top.part("services", name)
        field_name = f"services.{name}"
        if not isinstance(item.value, dict):
            raise UnreadableError(
                item.file, item.below(), field_name, "is no mapping", "a service has keys, such as image"
            )
        if len(trail) > _LONGEST:
            said = f"is extended by more than {_LONGEST} services in a row"
            raise UnreadableError(item.file, item.below(), field_name, said, "write some of them out")
        if (item.file, name) in trail:
            raise UnreadableError(item.file, item.below(), field_name, "extends itself", "one of them has to be whole")
        own = Service(name, item, {key: top.part("services", name, key) for key in item.value})
        if "extends" not in own.keys:
            return own
        base = self._extended(own.keys["extends"], top, (*trail, (item.file, name)))
        return _over(base, Service(name, item, {key: part for key, part in own.keys.items() if key != "extends"}))

    def _extended(self, item: Item, top: _Top, trail: tuple[tuple[str, str], ...]) -> Service:
        named = {"service": item.value} if isinstance(item.value, str) else item.value
        service, file = (named.get("service"), named.get("file")) if isinstance(named, dict) else (None, None)
        where = (item.file, item.below(), "extends")
        if not isinstance(service, str) or not isinstance(file, str | None) or "$" in f"{service}{file}":
            raise UnreadableError(*where, "names no service", "write service, and file where it is in another one")
        if file is not None:
            try:
                name, text = self._another(item.file, file)
            except SpecFilesError as error:
                raise UnreadableError(*where, f"cannot be followed: {error}") from None
            top = self._tops.get(name) or self.top(name, text)
        if service not in top.services():
            raise UnreadableError(*where, f"there is no service {quote(service)} in {top.item.file}", "mend the name")
        return self.service(top, service, trail)


def _over(base: Service, own: Service) -> Service:
    """``own`` where both say something, and ``base`` where only it does."""
    keys = dict(base.keys)
    for key, item in own.keys.items():
        there = keys.get(key)
        if there is None or there.value is None:
            keys[key] = item
            continue
        value = _merged(key, there.value, item.value)
        keys[key] = item if value is item.value else Item(value, item.file, item.document, item.path, merged=True)
    return Service(own.name, own.item, keys)


def _merged(key: str, base: Any, own: Any) -> Any:
    if key in _REPLACED or base is None or own is None:
        return own
    if key in _LISTS:
        base, own = _listed(base), _listed(own)
    if isinstance(base, dict) and isinstance(own, dict):
        return {
            **base,
            **{name: _merged(name, base[name], value) if name in base else value for name, value in own.items()},
        }
    if isinstance(base, list) and isinstance(own, list):
        return [*(entry for entry in base if entry not in own), *own]
    return own


def _listed(value: Any) -> Any:
    if isinstance(value, dict):
        return [name if entry is None else f"{name}={entry}" for name, entry in value.items()]
    return [value] if isinstance(value, str) else value
