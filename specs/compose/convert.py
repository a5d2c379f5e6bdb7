"""Compose files to the text of spec files, which ``validate`` takes whatever the files are; or to what is wrong."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from specs.compose.commands import commands, tell
from specs.compose.keys import TOP_LEVEL
from specs.compose.project import Project, Service
from specs.compose.report import Report, shown
from specs.compose.service import Converted, ServiceReader
from specs.dump import dump_documents
from specs.kinds import KINDS
from specs.loader import FILE_LIMIT_BYTES, FileProblem, Located, SpecFilesError, read_resources
from specs.names import NAME_LIMIT, check_hostname
from specs.problems import RefusedError, closest, problems_of
from specs.registries import check_registry
from specs.resource import API_VERSION
from specs.snapshots import RELEASE_PROCESS
from specs.yaml_syntax import Position

_PROCESS = "web"
_WHY_LEFT_OUT = ("", "build", "deploy.mode", "image", "profiles", "provider")
_HEADING = (
    "Made of Compose files. What was not carried over stands above each app. A container has no capability, and half a",
    "core and 256 MiB where no limit is written and no plan named: see docs/containers.md.",
)
_ORDINARY = frozenset({"attachable", "driver", "labels", "name"})
"""Keys of a network that is nothing but what all services are on."""
_COMMAND = KINDS["Process"]
_OF_A_COMMAND = ("restart", "deploy", "cpus", "mem_limit", "depends_on")
"""Keys of a service that say nothing of a command."""
_ALL_BELOW = ("command", "args")
"""Fields that mean something only together."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is wanted of the conversion.

    Args:
        organization: that the apps are to belong to.
        environment: name of each app's environment.
        app: name of the app; of several ones, what their names begin with. Empty: they have those of the services.
        images: of services, instead of their own.
        variables: what is filled in, by name.
        registries: private ones that may be used.
    """

    organization: str
    environment: str = "production"
    app: str = ""
    images: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    registries: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Result:
    """What became of the files.

    Args:
        text: of a spec file; what was not carried over is in it as comments.
        notes: the same, one each.
        written: names of the services that are in it.
    """

    text: str
    notes: Sequence[FileProblem]
    written: Sequence[str]


def convert(project: Project, wanted: Wanted) -> Result:
    """The spec file for ``project``.

    Raises:
        SpecFilesError: something is wrong, or nothing of it can be written.
    """
    report = Report(dict(wanted.variables))
    _tell_top(project, report)
    for name in wanted.images.keys() - project.services.keys():
        problem = FileProblem("--image", None, "", "", f"there is no service {shown(name)}", "name one of the files")
        report.problems.append(problem)
    names = _names(project, wanted, report)
    before = commands(project, wanted.images)
    tell(project, before, report)
    hosts: dict[str, str] = {}
    parts: list[tuple[str, list[dict[str, Any]]]] = []
    for service in project.services.values():
        app = names[before.get(service.name, service.name)]
        reader = ServiceReader(
            service, report, f"{wanted.organization}/{app}/{wanted.environment}", wanted.images.get(service.name, "")
        )
        made = reader.converted()
        if service.name in before:
            parts.append(
                (service.name, _command(service, made, before[service.name], app, wanted=wanted, report=report))
            )
            continue
        documents = _documents(service, made, names[service.name], wanted=wanted, report=report, hosts=hosts)
        if not documents:
            report.notes[service.name] = [n for n in report.notes.get(service.name, ()) if n.field in _WHY_LEFT_OUT]
        elif len(project.services) > 1:
            address = f"{_PROCESS}.{wanted.environment}.{names[service.name]}.internal"
            said = f"other apps reach it as {address}, and not as {shown(service.name)}"
            report.note(service.name, service.item, "", said, "write that where it is named, such as in config vars")
        parts.append((service.name, documents))
    for found in report.notes.values():
        found.sort(key=_place)
    if report.problems:
        raise SpecFilesError(sorted([*report.problems, *_why(report)], key=_place))
    notes = [note for name in ("", *project.services) for note in report.notes.get(name, ())]
    written = [name for name, documents in parts if documents]
    if not written:
        raise SpecFilesError([*notes, FileProblem(_file(project), None, "", "", "no service of it can be written")])
    text = _text(parts, report)
    _check(text)
    return Result(text, notes, written)


def _why(report: Report) -> list[FileProblem]:
    """What is told of the same keys as what is wrong: a variable that is not set, above all."""
    wrong = {(problem.file, problem.resource, problem.field) for problem in report.problems}
    notes = (note for found in report.notes.values() for note in found)
    return [note for note in notes if (note.file, note.resource, note.field) in wrong]


def _place(said: FileProblem) -> tuple[str, Position]:
    return said.file, said.position or Position(0, 0)


def _file(project: Project) -> str:
    return next((service.item.file for service in project.services.values()), "services")


def _tell_top(project: Project, report: Report) -> None:
    for key, item in project.others:
        if key.startswith("x-") or item.value in (None, {}, []):
            continue
        known = TOP_LEVEL.get(key)
        if known is None:
            report.note("", item, shown(key), "is not a key of Compose", closest(key, TOP_LEVEL))
        elif key == "networks" and isinstance(item.value, dict) and len(item.value) == 1:
            (network,) = item.value.values()
            if isinstance(network, dict) and not _ORDINARY.issuperset(network):
                report.key("", item, key, known)
        elif not any(key in service.keys for service in project.services.values()):  # else it is told where it is used
            report.key("", item, key, known)


def _names(project: Project, wanted: Wanted, report: Report) -> dict[str, str]:
    """Of each service the name of its app: a slug, and no other's."""
    names: dict[str, str] = {}
    alone = len(project.services) == 1
    for name, service in project.services.items():
        stem = re.sub(r"[^a-z0-9]+", "-", name.lower())
        stem = wanted.app if wanted.app and alone else f"{wanted.app}-{stem}" if wanted.app else stem
        stem = stem.strip("-")[:NAME_LIMIT].strip("-") or "app"
        chosen, number = stem, 1
        while chosen in names.values():
            number += 1
            chosen = f"{stem[: NAME_LIMIT - 8].rstrip('-')}-{number}"
        names[name] = chosen
        if chosen != name and not wanted.app:
            report.note(name, service.item, "", f"its app is called {chosen}", "names are of a-z, 0-9 and hyphens")
    return names


def _documents(
    service: Service, found: Converted, app: str, *, wanted: Wanted, report: Report, hosts: dict[str, str]
) -> list[dict[str, Any]]:
    """App, Environment and Domains; nothing when it is left out. Fields that break a rule are taken away and told."""
    if found.left_out:
        return []
    owners = {"organization": wanted.organization}
    below = {"app": app, **owners}
    environment = _document("Environment", {"name": wanted.environment, **below}, found.spec)
    if not _settled(service, found, environment, wanted, report):
        return []
    made = [_document("App", {"name": app, **owners}, {}), environment]
    for host, item in found.hosts if "port" in found.spec else ():
        try:
            check_hostname(host)
        except RefusedError as error:
            message, hint = report.without_values(item, error.message, error.hint)
            report.note(service.name, item, "labels", f"no Domain is written: {message}", hint)
            continue
        if host in hosts:
            if hosts[host] != service.name:
                named = "it" if report.used(item) else host
                said = f"{named} leads to {shown(hosts[host])} already, so no other Domain is written"
                report.note(service.name, item, "labels", said, "a host name leads to one process")
            continue
        hosts[host] = service.name
        made.append(_document("Domain", {"name": host, "environment": wanted.environment, **below}, {}))
    return made


def _command(
    service: Service, found: Converted, of: str, app: str, *, wanted: Wanted, report: Report
) -> list[dict[str, Any]]:
    """The process that is the release command of another service's app; what is told of it is about that."""
    told = report.notes.get(service.name, [])
    report.notes[service.name] = [note for note in told if note.field.partition(".")[0] not in _OF_A_COMMAND]
    owners = {"environment": wanted.environment, "app": app, "organization": wanted.organization}
    spec = {name: found.spec[name] for name in _ALL_BELOW if name in found.spec}
    document = _document("Process", {"name": RELEASE_PROCESS, **owners}, spec)
    try:
        _COMMAND.model_validate(document)
    except ValidationError as error:
        for problem in problems_of(error, model=_COMMAND, document=document):
            name = str(problem.path[1])
            message, hint = report.without_values(found.items[name], problem.message, problem.hint)
            report.note(service.name, found.items[name], name, f"is left out: {message}", hint)
        return []
    said = (
        f"it is the release command of {shown(of)}: run before each release of that, with its config vars and its size"
    )
    report.note(service.name, service.item, "", said)
    return [document]


def _document(kind: str, metadata: dict[str, str], spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, **({"spec": spec} if spec else {})}


def _settled(service: Service, found: Converted, document: dict[str, Any], wanted: Wanted, report: Report) -> bool:
    """Take fields away from ``document`` until it is a resource; whether it can be."""
    image = found.items["image"]
    try:
        check_registry(str(found.spec["image"]), wanted.registries)
    except RefusedError as error:
        message, hint = report.without_values(image, error.message, error.hint)
        report.note(service.name, image, "image", f"{message}, so it is left out", hint)
        return False
    kind = KINDS["Environment"]
    while True:
        try:
            kind.model_validate(document)
        except ValidationError as error:
            for problem in problems_of(error, model=kind, document=document):
                name = str(problem.path[1])
                for gone in _ALL_BELOW if name in _ALL_BELOW else (name,):
                    document["spec"].pop(gone, None)
                message, hint = report.without_values(found.items[name], problem.message, problem.hint)
                report.note(service.name, found.items[name], name, f"is left out: {message}", hint)
                if name == "image":
                    return False
        else:
            return True


def _text(parts: Iterable[tuple[str, list[dict[str, Any]]]], report: Report) -> str:
    text = "".join(map(_comment, [*_HEADING, *report.notes.get("", ())]))
    for name, documents in parts:
        notes = report.notes.get(name, ())
        text += "\n" + "".join(map(_comment, [f"Service {shown(name)}{'' if documents else ' is left out'}:", *notes]))
        text += dump_documents(documents) if documents else ""
    return text


def _comment(text: object) -> str:
    """One line, whatever names are in it."""
    plain = "".join(letter if letter.isprintable() else f"\\u{ord(letter):04x}" for letter in str(text))
    return f"# {plain}\n"


def _check(text: str) -> None:
    """That ``validate`` takes it: what is written here can be made of anything."""
    name = "what would be written"
    if len(text.encode()) > FILE_LIMIT_BYTES:
        hint = f"at most {FILE_LIMIT_BYTES // 1024} KiB: give fewer services at a time"
        raise SpecFilesError([FileProblem(name, None, "", "", "is too large", hint)])
    problems = [entry for entry in read_resources(text, name) if not isinstance(entry, Located)]
    if problems:
        raise SpecFilesError(problems)
