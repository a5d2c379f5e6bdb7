"""Promotion: another environment of the same app is declared to run what a release of this one runs.

It takes the image by its digest, and what runs of it: the processes, or what stands for them in the environment itself.
Config vars, scale, size, place and the settings of the container stay the target's own. The target's files are what
they were, so what git declares has to follow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import psycopg
from pydantic.alias_generators import to_camel

from controller.actions.admit import check_whole
from controller.actions.errors import ActionError
from controller.actions.released import KIND, PROCESS, SCALE, Release
from controller.actions.releases import listed
from controller.declared import reader, writer
from controller.declared.outlast import outlasting
from controller.declared.reader import DeclaredObject
from controller.declared.writer import Target, Written
from reconcilers.ports import Options
from specs.binding import TableBinding
from specs.dump import dump_documents
from specs.kinds import KINDS
from specs.loader import Located, read_resources
from specs.releases import SETTINGS
from specs.resource import Resource

__all__ = ["PROCESS", "SCALE", "Promotion", "promote"]

TAKEN = ("image", "command", "args", "port", "healthcheck", "stopSignal", "stopGracePeriod", "drain")
"""Fields of the environment that come from the release; what that leaves out is left out."""
_MODE = "deployMode"


@dataclass(frozen=True, slots=True)
class Promotion:
    """What was declared.

    Args:
        release: of the source.
        written: what became of each row of the target.
        differs: settings of containers that the target has otherwise than the release.
    """

    release: Release
    written: list[Written]
    differs: tuple[str, ...]


@outlasting
def promote(
    conn: psycopg.Connection,
    source: DeclaredObject,
    target: DeclaredObject,
    version: int | None,
    options: Options,
    *,
    dry_run: bool = False,
) -> Promotion:
    """Declare for ``target`` what a release of ``source`` runs.

    Args:
        conn: the database.
        source: whose release.
        target: an environment of the same app.
        version: the release; None: the last one that all tasks ran.
        options: of the installation.
        dry_run: take everything back again.

    Raises:
        ActionError: they are not of one app, there is no such release, or the target names a release of its own.
        SpecRefused: the target would not be valid with it; nothing was written.
    """
    _refuse(source, target)
    release = _release(conn, source, version)
    with conn.transaction(force_rollback=dry_run):
        before = {o.path[-1]: o for o in _processes(conn, target)}
        entries, differs = _entries(target, release, before)
        gone = [Target(PROCESS, o.path) for name, o in before.items() if name not in _types(release)]
        written = writer.write(conn, entries) + (writer.delete(conn, gone) if gone else [])
        check_whole(conn, written, options)
    return Promotion(release, written, differs)


def _refuse(source: DeclaredObject, target: DeclaredObject) -> None:
    if source.path[:-1] != target.path[:-1]:
        app = "/".join(source.path[:-1])
        raise ActionError(f"{target.name} is of another app than {source.name}", f"name an environment of {app}")
    if source.id == target.id:
        raise ActionError(f"{source.name} runs it already", "name two environments")
    if target.deleted_at is not None:
        raise ActionError(f"{target.name} is deleted", f"`skypanel restore {target.kind.lower()} {target.name}`")
    if (named := target.spec.get("release")) is not None:
        hint = f"`skypanel rollback {target.name} --undo` first: what is declared has no effect until then"
        raise ActionError(f"{target.name} runs the content of its release {named}", hint)


def _release(conn: psycopg.Connection, source: DeclaredObject, version: int | None) -> Release:
    kept = listed(conn, source)
    found = next((r for r in kept if (r.deployed_at if version is None else r.version == version)), None)
    if found is None:
        what = "no release that all tasks ran" if version is None else f"no release {version}"
        raise ActionError(f"{source.name} has {what}", f"`skypanel releases {source.name}` lists those that are kept")
    return found


def _processes(conn: psycopg.Connection, owner: DeclaredObject) -> list[DeclaredObject]:
    found = reader.objects(conn, PROCESS, owner.path)
    return [o for o in found if o.path[:-1] == owner.path and o.deleted_at is None]


def _types(release: Release) -> set[str]:
    return {str(each["type"]) for each in release.processes}


def _entries(
    target: DeclaredObject, release: Release, before: Mapping[str, DeclaredObject]
) -> tuple[list[Located], tuple[str, ...]]:
    """The target's document with the release's fields, and the release's processes; and settings that differ."""
    document = target.document()
    own, owners = document["spec"], dict(document["metadata"])
    found = _fields(KIND, owners, {**release.settings, "image_ref": release.named, "deploy_mode": None})
    kept = {name: value for name, value in own.items() if name not in (*TAKEN, _MODE)}
    documents = [{**document, "spec": {**kept, **{name: found[name] for name in TAKEN if name in found}}}]
    owners[target.kind.lower()] = owners.pop("name")
    for each in release.processes:
        metadata = {**owners, "name": each["type"]}
        spec = _fields(PROCESS, metadata, each)
        if declared := before.get(each["type"]):
            spec[SCALE] = declared.spec.get(SCALE, 1)
        documents.append({"apiVersion": document["apiVersion"], "kind": PROCESS, "metadata": metadata, "spec": spec})
    text = dump_documents(documents)
    entries = []
    for entry in read_resources(text, f"release {release.version}"):
        if not isinstance(entry, Located):  # what ran once may break a rule of today
            raise ActionError(f"release {release.version}: {entry.field}: {entry.message}", entry.hint)
        entries.append(entry)
    columns = KINDS[KIND].binding.columns
    settings = (to_camel(name) for name, column in columns.items() if column.name in SETTINGS)
    return entries, tuple(n for n in settings if n not in (*TAKEN, _MODE) and own.get(n) != found.get(n))


def _fields(kind: str, metadata: Mapping[str, Any], columns: Mapping[str, Any]) -> dict[str, Any]:
    """Columns as a release has them, in the form of a spec file."""
    cls: type[Resource] = KINDS[kind]
    binding: TableBinding = cls.binding
    spec = {
        name: column.from_db(columns[column.name])
        for name, column in binding.columns.items()
        if columns.get(column.name) is not None and column.reference is None
    }
    made = cls.from_fields({"metadata": dict(metadata), "spec": spec})
    return dict(made.document()["spec"])
