"""Adoption: services that run already become declared, and go on running as they are until somebody says otherwise.

    the rows are written, with their environments paused       one transaction: all of them, or nothing
    -> each service is given labels that say whose it is       labels alone: no task is restarted
    -> resumed: it is a service under a former name, and hands over as after a renaming; see controller.swarm.succession

After a crash between any two of these the same command goes on: what is written is found, and what has its labels is
left alone. While an environment is paused, nobody else writes to its services.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID

import psycopg

from controller.actions import config
from controller.actions.admit import check_whole
from controller.actions.config import Assignment
from controller.actions.errors import ActionError
from controller.actions.objects import find_one
from controller.declared import controls, reader, writer
from controller.declared.outlast import outlasting
from controller.declared.writer import Written
from controller.swarm.errors import EngineError, NotFound
from controller.vault.vault import Vault
from reconcilers import labels
from reconcilers.ports import Options
from specs.compose.convert import Wanted, convert
from specs.compose.live import STACK, compose_text, mode, variables
from specs.compose.project import read_project
from specs.config import check_name, check_value
from specs.kinds import KINDS
from specs.loader import FileProblem, Located, SpecFilesError, read_resources
from specs.problems import RefusedError
from specs.snapshot_parts import IMPLICIT_PROCESS

ADOPTED = "adopted"
"""What the reason of such a pause begins with."""
KIND = next(kind for kind, cls in KINDS.items() if cls.facts.released)
"""The kind that a service becomes."""
_SOURCE = "services"
_PENDING = "pending"


class Engine(Protocol):
    """What is asked of the engine."""

    def call(
        self, method: str, path: str, query: Mapping[str, Any] | None = None, body: Mapping[str, Any] | None = None
    ) -> Any:
        """One request; the decoded answer."""


@dataclass(frozen=True, slots=True)
class Lost:
    """What is not kept: of a service a field, what is so of it, and what to do."""

    service: str
    field: str
    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class Taken:
    """A service, and what it becomes.

    Args:
        service: its name on the engine.
        id: its id.
        path: of the object that it becomes.
        variables: its config vars; values are in no representation.
    """

    service: str
    id: str
    path: tuple[str, ...]
    variables: Mapping[str, str] = field(repr=False)

    @property
    def name(self) -> str:
        """The path as people write it."""
        return "/".join(self.path)


@dataclass(frozen=True, slots=True)
class Adoption:
    """What would be done.

    Args:
        taken: the services.
        entries: what is declared of them.
        lost: what is not kept once it is made anew.
    """

    taken: Sequence[Taken]
    entries: Sequence[Located]
    lost: Sequence[Lost]


def look(engine: Engine, names: Sequence[str], stack: str, wanted: Wanted) -> Adoption:
    """What would be done with services of the engine; nothing is written.

    Args:
        engine: where they run.
        names: of services.
        stack: a whole one; empty: none.
        wanted: what they become.

    Raises:
        ActionError: one is not there, or cannot be adopted; says why.
    """
    found = [service_of(engine, name) for name in dict.fromkeys(names)]
    if stack:
        of_stack = engine.call("GET", "/services", query={"filters": {"label": [f"{STACK}={stack}"]}}) or []
        if not of_stack:
            raise ActionError(f"there is no service of a stack {stack}", "`docker stack ls` lists those that there are")
        known = {each["ID"] for each in found}
        found += sorted((s for s in of_stack if s["ID"] not in known), key=lambda s: str(s["Spec"]["Name"]))
    specs = [each["Spec"] for each in found]
    for spec in specs:
        _refuse_mode(spec)
    called = {str(spec["Name"]): _called(spec) for spec in specs}
    if len(set(called.values())) < len(called):
        called = {name: name for name in called}
    try:
        project = read_project([(_SOURCE, compose_text(specs, lambda name: called[name]))], _no_other)
        result = convert(project, wanted)
    except SpecFilesError as error:
        raise ActionError(f"it cannot be declared: {error.problems[0]}") from None
    if left := [name for name, short in called.items() if short not in result.written]:
        why = next((n.message for n in result.notes if n.resource in {called[name] for name in left}), "")
        raise ActionError(
            f"service {left[0]} cannot be adopted: {why}", "leave it out, and adopt the others by --service"
        )
    entries = [entry for entry in read_resources(result.text, _SOURCE) if isinstance(entry, Located)]
    paths = [writer.Target.of(entry).path for entry in entries if entry.resource.kind == KIND]
    whole = {short: name for name, short in called.items()}
    lost = [Lost(whole.get(n.resource, n.resource), n.field, n.message, n.hint) for n in result.notes]
    taken = []
    for service, path in zip(found, paths, strict=True):
        spec = service["Spec"]
        kept, refused = _variables(spec)
        lost += [Lost(str(spec["Name"]), "variables", *why) for why in refused]
        taken.append(Taken(str(spec["Name"]), str(service["ID"]), path, kept))
    return Adoption(taken, entries, lost)


@outlasting
def carry_out(
    conn: psycopg.Connection, engine: Engine, vault: Vault, adoption: Adoption, options: Options
) -> list[Written]:
    """Declare what is in ``adoption``, and have the services known as theirs; what became of the rows.

    Raises:
        ActionError: something is in the way; nothing was written, or the next run goes on.
        SpecRefused: it cannot be declared; nothing was written.
    """
    before = held(conn)
    for each in adoption.taken:
        known = [o for o in reader.objects(conn, KIND, each.path) if o.deleted_at is None]
        refuse_owned(service_of(engine, each.id), options.installation, str(known[0].id) if known else "")
        if known and known[0].id not in before:
            raise ActionError(
                f"{KINDS[KIND].word()} {each.name} exists", "choose another name by --app or --environment"
            )
    with conn.transaction():
        written = writer.apply(conn, adoption.entries, check=lambda done: check_whole(conn, done, options))
        for each in adoption.taken:
            owner = find_one(conn, KIND, each.path)
            if owner.id in before:
                continue
            count = sum(lost.service in (each.service, "") for lost in adoption.lost)
            said = f"{ADOPTED}: service {each.service} runs as it was found; {count} differences once it is made anew"
            controls.pause(conn, "object", (KINDS[KIND].word(), owner.id), said)
            if each.variables:
                values = [Assignment(name, value.encode()) for name, value in each.variables.items()]
                config.assign(conn, vault, config.place(conn, each.name), values)
    for each in adoption.taken:
        owner = find_one(conn, KIND, each.path)
        tenant = next(p for p in config.place(conn, each.name).owners)
        _mark(engine, each, labels.owned(options.installation, KINDS[KIND].word(), str(owner.id), tenant.id))
    return written


def refuse_owned(service: Mapping[str, Any], installation: str, owner: str) -> None:
    """Refuse a service that is somebody's: of another installation, of ours, or of another object.

    Args:
        service: as the engine has it.
        installation: ours.
        owner: id of the object that it may be of.
    """
    name, found = service["Spec"]["Name"], service["Spec"].get("Labels") or {}
    ours = [label for label in found if label.startswith(labels.PREFIX)]
    if not ours:
        return
    other = found.get(labels.INSTALLATION, "")
    if other and other != installation:
        raise ActionError(f"service {name} belongs to installation {other}", "only that one may give it up")
    if owner and found.get(labels.OWNER) == labels.owner_key(KINDS[KIND].word(), owner):
        return
    what = found.get(labels.OWNER, "the platform itself")
    raise ActionError(f"service {name} belongs to {what} already ({ours[0]})", "it needs no adoption")


def _mark(engine: Engine, taken: Taken, wanted: Mapping[str, str]) -> None:
    """Give a service the labels that say whose it is, and change nothing else of it."""
    service = service_of(engine, taken.id)
    found = service["Spec"].get("Labels") or {}
    whole = {**found, **wanted, labels.PROCESS: IMPLICIT_PROCESS}
    if found == whole:
        return
    refuse_owned(service, wanted[labels.INSTALLATION], "")
    relabelled(engine, taken, service, whole)


def relabelled(engine: Engine, taken: Taken, service: Mapping[str, Any], whole: Mapping[str, str]) -> None:
    """Have a service these labels, and change nothing else of it.

    Args:
        engine: where it runs.
        taken: it.
        service: as the engine has it.
        whole: all its labels.

    Raises:
        ActionError: it cannot be done now; the next run goes on.
    """
    filters = {"service": [taken.id], "desired-state": ["running"]}
    tasks = engine.call("GET", "/tasks", query={"filters": filters}) or []
    if any(task["Status"]["State"] == _PENDING for task in tasks):  # Swarm could forget it: moby#53722
        said = f"a task of service {taken.service} waits for a node: its labels are not changed meanwhile"
        raise ActionError(said, "run this once more when it runs")
    query = {"version": service["Version"]["Index"], "registryAuthFrom": "spec"}
    body = {**service["Spec"], "Labels": whole}
    try:
        engine.call("POST", f"/services/{taken.id}/update", query=query, body=body)
    except EngineError as error:
        raise ActionError(f"service {taken.service} is as it was: {error}", "run this once more: it goes on") from None


def service_of(engine: Engine, name: str) -> dict[str, Any]:
    """A service as the engine has it.

    Raises:
        ActionError: there is none of this name or id.
    """
    try:
        return dict(engine.call("GET", f"/services/{name}"))
    except NotFound:
        raise ActionError(f"there is no service {name}", "`docker service ls` lists those that there are") from None


def _called(spec: Mapping[str, Any]) -> str:
    """Its name without that of its stack."""
    stack = (spec.get("Labels") or {}).get(STACK, "")
    return str(spec["Name"]).removeprefix(f"{stack}_") if stack else str(spec["Name"])


def _refuse_mode(spec: Mapping[str, Any]) -> None:
    if found := mode(spec):
        hint = "leave it out, and adopt the others by --service"
        raise ActionError(f"service {spec['Name']} is {found}: an environment has a number of replicas", hint)


def _variables(spec: Mapping[str, Any]) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """Its config vars, and why others are none; values are in no message."""
    kept: dict[str, str] = {}
    refused = []
    for name, value in variables(spec).items():
        try:
            check_value(check_name(name), value.encode())
        except RefusedError as error:
            refused.append((error.message, error.hint))
        else:
            kept[name] = value
    return kept, refused


def held(conn: psycopg.Connection) -> set[UUID]:
    """Objects that an adoption has paused."""
    return {held.id for held in controls.pauses(conn) if (held.reason or "").startswith(f"{ADOPTED}: ")}


def _no_other(file: str, named: str) -> tuple[str, str]:
    raise SpecFilesError([FileProblem(file, None, "", "", f"{named} is not read")])
