"""YAML files to resources, with every problem of every file at once.

    file:line:column: kind/name: spec.port: message (hint)

Folders are read to the bottom, in the order of their names; hidden entries are passed over. Whether an owner
exists is not asked here: it may be in the database.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

from pydantic import ValidationError

from specs.config import check_all
from specs.config_vars import KIND as CONFIG_VARS
from specs.config_vars import ConfigVars
from specs.encrypted import Opener, UnopenedError, is_encrypted, unopened
from specs.kinds import KINDS
from specs.placeholders import UnknownError, Value, filled
from specs.problems import Path as FieldPath
from specs.problems import Problem, RefusedError, abbreviate, closest, field_name, problems_of, quote
from specs.resource import API_VERSION, Resource, ResourceKey
from specs.yaml_syntax import Position, YamlProblem
from specs.yaml_text import YamlDocument, read_documents

FILE_LIMIT_BYTES = 1024 * 1024
STDIN = "-"
STDIN_NAME = "<stdin>"
SUFFIXES = (".yaml", ".yml")
ONCE = "is in no file: whatever reads the file would do it again"
"""Of a kind that is made once."""


@dataclass(frozen=True, slots=True)
class Located:
    """A resource and where it was read; ``document`` knows where each field of it stands."""

    resource: Resource
    file: str
    position: Position
    document: YamlDocument | None = field(default=None, compare=False, repr=False)

    @property
    def place(self) -> str:
        """``file:line:column``."""
        return self.at(())

    def at(self, path: FieldPath) -> str:
        """``file:line:column`` of the field at ``path``, or of what is around it when it is not written."""
        position = self.document.position(path) if self.document else self.position
        return f"{self.file}:{position.line}:{position.column}"


@dataclass(frozen=True, slots=True)
class LocatedVars:
    """Config vars and where they were read.

    Args:
        vars: what is set, and for whom.
        file: where.
        document: knows where each variable stands.
    """

    vars: ConfigVars = field(repr=False)
    file: str
    document: YamlDocument = field(compare=False, repr=False)

    @property
    def label(self) -> str:
        """For messages."""
        return f"{CONFIG_VARS}/{'/'.join(self.vars.path)}"

    def at(self, path: FieldPath) -> str:
        """``file:line:column`` of the field at ``path``, or of what is around it."""
        position = self.document.position(path)
        return f"{self.file}:{position.line}:{position.column}"


@dataclass(frozen=True, slots=True)
class Closed:
    """An encrypted document that was not opened; ``place`` is ``file:line:column``."""

    place: str


@dataclass(frozen=True, slots=True)
class Reading:
    """How files are read.

    Args:
        opener: opens what is encrypted; None: there is no key.
        closed: without a key, what is not encrypted is looked at; else such files are refused.
        private: no message has a value that was encrypted.
        values: what placeholders stand for; None: they are text as any other.
    """

    opener: Opener | None = None
    closed: bool = False
    private: bool = False
    values: Mapping[str, Value] | None = None


@dataclass(frozen=True, slots=True)
class Files:
    """What files declare.

    Args:
        resources: objects, in the order in which they are written.
        variables: documents of config vars, as well.
        closed: places of encrypted documents that were not opened, and of which the rest alone was looked at.
    """

    resources: list[Located]
    variables: list[LocatedVars] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.resources or self.variables or self.closed)


@dataclass(frozen=True, slots=True)
class FileProblem:
    """One thing that is wrong in a file.

    Args:
        file: its path as given, or ``<stdin>``.
        position: where in it; None when it is the file as a whole.
        resource: ``kind/name``, as far as they are known; may be empty.
        field: such as ``spec.port``; may be empty.
        message: what is wrong.
        hint: how to mend it; may be empty.
    """

    file: str
    position: Position | None
    resource: str
    field: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.position.line}:{self.position.column}" if self.position else self.file
        text = ": ".join(filter(None, (place, self.resource, self.field, self.message)))
        return f"{text} ({self.hint})" if self.hint else text


Entry = Located | LocatedVars | Closed | FileProblem


class SpecFilesError(ValueError):
    """Files cannot be used; ``problems`` has every reason, ``str()`` one a line."""

    def __init__(self, problems: Iterable[FileProblem]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(map(str, self.problems)))


def load(sources: Iterable[str | Path], *, stdin: BinaryIO | None = None) -> list[Located]:
    """All resources of ``sources``, in the order in which they are written, where nothing else may be.

    Args:
        sources: files, folders, or ``-`` for ``stdin``.
        stdin: where ``-`` is read from.

    Raises:
        SpecFilesError: anything at all is wrong, or config vars are among them.
    """
    found = load_all(sources, stdin=stdin)
    if found.variables:
        raise SpecFilesError(map(_no_object, found.variables))
    return found.resources


def load_all(
    sources: Iterable[str | Path],
    *,
    stdin: BinaryIO | None = None,
    opener: Opener | None = None,
    closed: bool = False,
    values: Mapping[str, Value] | None = None,
) -> Files:
    """All that ``sources`` declare.

    Args:
        sources: as of ``load``.
        stdin: as well.
        opener: opens encrypted files; None: there is no key.
        closed: without a key, look at what of them is not encrypted; else they are refused.
        values: what placeholders stand for; None: they are text as any other.

    Raises:
        SpecFilesError: anything at all is wrong; nothing should be applied then.
    """
    return _loaded(contents(sources, stdin), Reading(opener, closed=closed, values=values))


def load_contents(
    files: Mapping[str, bytes], opener: Opener | None = None, values: Mapping[str, Value] | None = None
) -> Files:
    """All that files declare which somebody else has read. No message has a value that was encrypted.

    Args:
        files: contents by name.
        opener: opens encrypted files; None: they are refused.
        values: what placeholders stand for; None: they are text as any other.

    Raises:
        SpecFilesError: anything at all is wrong; nothing should be applied then.
    """
    read = ((name, _text(BytesIO(content), name)) for name, content in files.items())
    return _loaded(read, Reading(opener, private=True, values=values))


def _loaded(files: Iterable[tuple[str, str | FileProblem]], how: Reading) -> Files:
    found = Files([])
    problems: list[FileProblem] = []
    for name, content in files:
        if isinstance(content, FileProblem):
            problems.append(content)
            continue
        for entry in read_entries(content, name, how):
            if isinstance(entry, Located):
                found.resources.append(entry)
            elif isinstance(entry, LocatedVars):
                found.variables.append(entry)
            elif isinstance(entry, Closed):
                found.closed.append(entry.place)
            else:
                problems.append(entry)
    problems += _duplicates(found.resources)
    problems += _of_one_owner(found.variables)
    if problems:
        raise SpecFilesError(problems)
    return found


def read_resources(text: str, file: str) -> Iterator[Located | FileProblem]:
    """The resources of one YAML text, and the problems in the place of those that cannot be used.

    Config vars cannot: whoever asks so has no use for them.

    Args:
        text: one or more YAML documents.
        file: its name for messages.
    """
    for entry in read_entries(text, file, Reading()):
        if isinstance(entry, LocatedVars):
            yield _no_object(entry)
        elif not isinstance(entry, Closed):
            yield entry


def read_entries(text: str, file: str, how: Reading) -> Iterator[Entry]:
    """As ``read_resources``, with config vars, and with encrypted documents."""
    found = list(read_documents(text))
    documents = [each for each in found if isinstance(each, YamlDocument)]
    if any(map(is_encrypted, documents)):
        problems = [each for each in found if isinstance(each, YamlProblem)]
        try:
            found = [*problems] if problems else [*_in_clear(documents, how)]
        except UnopenedError as error:
            at = documents[error.number].position(error.path)
            yield FileProblem(file, at, "", ".".join(map(str, error.path)), error.message, error.hint)
            return
    for document in found:
        if isinstance(document, YamlProblem):
            yield FileProblem(file, document.position, "", "", document.message, document.hint)
        else:
            if document.closed:
                position = document.position(())
                yield Closed(f"{file}:{position.line}:{position.column}")
            yield from _resource(document, file, how) if how.values is None else _filled(document, file, how)


def _filled(document: YamlDocument, file: str, how: Reading) -> Iterator[Entry]:
    try:
        document = filled(document, how.values or {})
    except UnknownError as error:
        hint = f"known: {', '.join(sorted(how.values or ())) or 'none'}; $${{...}} is the text itself"
        for path, name in error.found:
            message = f"${{{abbreviate(name)}}} stands for nothing"
            where = field_name(path, document.data)
            yield FileProblem(file, document.position(path), _label(document.data), where, message, hint)
    else:
        yield from _resource(document, file, how)


def _in_clear(documents: Sequence[YamlDocument], how: Reading) -> list[YamlDocument]:
    if how.opener is not None:
        return how.opener(documents)
    if not how.closed:
        raise UnopenedError("is encrypted with SOPS", "give its age key: --age-key FILE")
    return [unopened(each) if is_encrypted(each) else each for each in documents]


def _resource(document: YamlDocument, file: str, how: Reading) -> Iterator[Entry]:
    data = document.data
    label = _label(data)
    kind, wrong = _kind(data)
    if kind is None:
        name, message, hint = wrong
        yield from _problem(document, file, how, Problem(name, None, message, hint, (name,) if name else ()), label)
        return
    try:
        resource = kind.model_validate(data)
    except ValidationError as error:
        placed = [(document.position(p.path), p) for p in problems_of(error, model=kind, document=data)]
        for _, problem in sorted(placed, key=lambda entry: entry[0]):
            yield from _problem(document, file, how, problem, label)
    else:
        if isinstance(resource, ConfigVars):
            yield LocatedVars(resource, file, document)
        else:
            yield Located(resource, file, document.position(()), document)


def _problem(document: YamlDocument, file: str, how: Reading, problem: Problem, label: str) -> Iterator[FileProblem]:
    """What is wrong with a field; of one that is encrypted what may be said."""
    where, depth = document.position(problem.path), len(problem.path)
    if not any(path[:depth] == problem.path for path in document.sealed) or not problem.path:
        yield FileProblem(file, where, label, problem.field, problem.message, problem.hint)
    elif how.private:
        hint = "`skypanel validate --age-key FILE` says more"
        yield FileProblem(file, where, label, problem.field, "breaks a rule, and is encrypted", hint)
    elif not document.closed:
        yield FileProblem(file, where, label, problem.field, problem.message, problem.hint)


def _kind(data: Any) -> tuple[type[Resource | ConfigVars] | None, tuple[str, str, str]]:
    """The class of a document, or the field that hides it, what is wrong with it and how to mend that."""
    if not isinstance(data, dict):
        return None, ("", "is not a resource", f"it begins with apiVersion: {API_VERSION} and kind")
    if "services" in data and "apiVersion" not in data:
        return None, ("", "is a Compose file", "`skypanel import compose FILE` makes a spec file of it")
    filed = [*(name for name, cls in KINDS.items() if not cls.facts.once), CONFIG_VARS]
    version, kind = f"write apiVersion: {API_VERSION}", f"one of {', '.join(filed)}"
    for key, known, missing, wrong in (
        ("apiVersion", [API_VERSION], version, version),
        ("kind", [*KINDS, CONFIG_VARS], kind, closest(str(data.get("kind")), filed)),
    ):
        if key not in data:
            return None, (key, "is required", missing)
        if data[key] not in known:
            return None, (key, f"{_shown(data[key])} is not known", wrong)
    once = {name: cls.word() for name, cls in KINDS.items() if cls.facts.once}
    why = ("kind", ONCE, f"use `skypanel {once[data['kind']]}`") if data["kind"] in once else ("", "", "")
    return None if why[0] else ConfigVars if data["kind"] == CONFIG_VARS else KINDS[data["kind"]], why


def _shown(value: Any) -> str:
    return quote(value) if isinstance(value, str) else "the value"


def _label(data: Any) -> str:
    """``kind/name`` of a document that may be wrong in every way."""
    if not isinstance(data, dict):
        return ""
    metadata = data.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    if data.get("kind") == CONFIG_VARS and isinstance(metadata, dict):
        names = [metadata.get(layer) for layer in ("organization", "app", "environment")]
        name = "/".join(part for part in names if isinstance(part, str))
    return "/".join(part for part in (data.get("kind"), name) if isinstance(part, str) and part)


def _duplicates(found: Iterable[Located]) -> Iterator[FileProblem]:
    first: dict[ResourceKey, Located] = {}
    for entry in found:
        earlier = first.setdefault(entry.resource.key, entry)
        if earlier is not entry:
            label = f"{entry.resource.kind}/{entry.resource.metadata.name}"
            message = f"is declared twice: first at {earlier.place}"
            yield FileProblem(entry.file, entry.position, label, "", message, "keep one of them")


def _of_one_owner(found: Iterable[LocatedVars]) -> Iterator[FileProblem]:
    """What is wrong with all documents of one owner together."""
    first: dict[tuple[str, ...], dict[str, str]] = {}
    values: dict[tuple[str, ...], dict[str, bytes]] = {}
    for entry in found:
        places = first.setdefault(entry.vars.path, {})
        for kind, name, value in entry.vars.values():
            at = entry.at(("spec", kind, name))
            if (earlier := places.setdefault(name, at)) != at:
                position = entry.document.position(("spec", kind, name))
                message = f"is set twice: first at {earlier}"
                yield FileProblem(entry.file, position, entry.label, f"spec.{kind}.{name}", message, "keep one of them")
            values.setdefault(entry.vars.path, {})[name] = value.encode()
        try:
            check_all(values.get(entry.vars.path, {}))
        except RefusedError as error:
            yield FileProblem(
                entry.file, entry.document.position(("spec",)), entry.label, "", error.message, error.hint
            )
            return


def _no_object(entry: LocatedVars) -> FileProblem:
    message, hint = "config vars are no object", "`skypanel apply -f` and sources take them; else `skypanel config`"
    return FileProblem(entry.file, entry.document.position(()), entry.label, "kind", message, hint)


def contents(sources: Iterable[str | Path], stdin: BinaryIO | None) -> Iterator[tuple[str, str | FileProblem]]:
    """Name and text of every file, each file once; a problem in the place of a text that cannot be had."""
    seen: set[str] = set()
    for source in sources:
        if str(source) == STDIN:
            yield (
                STDIN_NAME,
                _text(stdin, STDIN_NAME) if stdin else _whole(STDIN_NAME, "cannot be read here", ""),
            )
            continue
        for file in _files(Path(source)):
            name = str(file)
            if (real := os.path.realpath(file)) not in seen:
                seen.add(real)
                yield name, _read(file)


def _files(source: Path) -> list[Path]:
    """The YAML files at ``source``; itself, when it is no folder or an empty one."""
    if not source.is_dir():
        return [source]
    found = []
    for folder, folders, names in os.walk(source):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [Path(folder, name) for name in sorted(names) if name.endswith(SUFFIXES) and not name.startswith(".")]
    return found or [source]


def _read(file: Path) -> str | FileProblem:
    name = str(file)
    if file.is_dir():
        return _whole(name, "has no YAML files", f"they end in {' or '.join(SUFFIXES)}")
    try:
        with file.open("rb") as stream:
            return _text(stream, name)
    except OSError as error:
        return _whole(name, f"cannot be read: {error.strerror or type(error).__name__}", "check the path")


def _text(stream: BinaryIO, name: str) -> str | FileProblem:
    content = stream.read(FILE_LIMIT_BYTES + 1)
    if len(content) > FILE_LIMIT_BYTES:
        return _whole(name, f"is larger than {FILE_LIMIT_BYTES // 1024} KiB", "split it")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        column = error.start - content.rfind(b"\n", 0, error.start)
        return FileProblem(name, Position(line, column), "", "", "is not UTF-8", "save it as UTF-8")


def _whole(name: str, message: str, hint: str) -> FileProblem:
    return FileProblem(name, None, "", "", message, hint)
