"""What can be read of an environment's document that cannot be rendered, laid over what worked before. Pure.

A document with one wrong field still says other things that must hold at once: suspended stops every task, a process or
a domain that is gone goes, the scale is today's; but where a release has a command run first, a process goes with the
release that lacks it. The task template stays the last good one. What cannot be read changes
nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError

from reconcilers import labels
from reconcilers.environment.policies import must_stop
from reconcilers.objects import HomeNetwork, Service, SpecDocument
from reconcilers.ports import Options
from reconcilers.routes import LABELS, hostnames_of, traefik_labels
from reconcilers.template import image_of, listening_port
from specs.fields import Hostname, ProcessType, Replicas
from specs.releases import overlaid
from specs.snapshot_parts import IMPLICIT_PROCESS
from specs.snapshots import DOMAINS, PROCESSES, RELEASE_PROCESS

_HOSTNAME, _TYPE, _REPLICAS = (TypeAdapter[Any](form) for form in (Hostname, ProcessType, Replicas))


@dataclass(frozen=True, slots=True)
class _Readable:
    """What a document says for certain.

    Args:
        suspended: None: it cannot be told.
        processes: types of all processes; None: one of them cannot be read, so that none is known to be gone.
        commands: whether a release has its command run first: what it lacks goes with it, and not before.
        instances: tasks by process type.
        domains: (host name, process type) of those that have a valid name; the type as it is. None: no list.
    """

    suspended: bool | None
    processes: frozenset[str] | None
    commands: bool
    instances: Mapping[str, int]
    domains: Sequence[tuple[str, object]] | None


def salvaged(
    document: Mapping[str, Any],
    good: Sequence[SpecDocument],
    options: Options,
    home: HomeNetwork | None,
) -> list[Service]:
    """The services of ``good`` that are still wanted, with today's routes and scale.

    Args:
        document: what the database gives for the environment, valid or not.
        good: whole documents of the services that worked last; with the scale that they have now.
        options: for the routes.
        home: for the routes, too; None: there is none, and the routes stay as they are.
    """
    found = _read(overlaid(document))
    return [
        _laid_over(spec, found, options, home, stop=must_stop(document, image_of(spec), options))
        for spec in good
        if _wanted(spec, found)
    ]


def _wanted(spec: SpecDocument, found: _Readable) -> bool:
    return found.commands or found.processes is None or spec["Labels"].get(labels.PROCESS) in found.processes


def _laid_over(
    spec: SpecDocument, found: _Readable, options: Options, home: HomeNetwork | None, *, stop: bool = False
) -> Service:
    process = str(spec["Labels"].get(labels.PROCESS))
    scale = spec["Mode"]
    if found.suspended or stop:
        scale = {"Replicated": {"Replicas": 0}}
    elif found.suspended is not None and process in found.instances:
        scale = {"Replicated": {"Replicas": found.instances[process]}}
    routes = spec["Labels"] if home is None else _routed(spec, process, found, options, home)
    return Service.sealed(spec).changed(Mode=scale, Labels=routes)


def _routed(spec: SpecDocument, process: str, found: _Readable, options: Options, home: HomeNetwork) -> dict[str, str]:
    """The labels of a service with the routes of its domains that are declared today.

    A domain whose process cannot be told stays where it is; the platform's own host is no domain of anybody's.
    """
    before: dict[str, str] = spec["Labels"]
    port = listening_port(spec)
    if found.domains is None or port is None:
        return before
    here, known = hostnames_of(before), found.processes or {process}
    hostnames = [
        name
        for name, type_ in found.domains
        if not options.keeps(name) and (type_ == process or (type_ not in known and name in here))
    ]
    kept = {key: value for key, value in before.items() if not key.startswith(LABELS)}
    return kept | traefik_labels(
        spec["Name"],
        network=home.name,
        port=int(port),
        hostnames=hostnames,
        entrypoints=options.edge_entrypoints,
        cert_resolver=options.edge_cert_resolver,
    )


def _read(document: Mapping[str, Any]) -> _Readable:
    suspended = document.get("suspended")
    processes = list(_processes(document))
    domains = document.get("domains")
    if (
        len(processes) > PROCESSES or "pinned" not in document
    ):  # the view stops there: what it does not name may be there all the same
        processes = [(None, None)]
    return _Readable(
        suspended=suspended if isinstance(suspended, bool) else None,
        processes=frozenset(t for t, _ in processes if t) if all(t for t, _ in processes) else None,
        commands=any(t == RELEASE_PROCESS for t, _ in processes),
        instances={t: count for t, count in processes if t and count is not None},
        domains=list(_domains(domains)) if isinstance(domains, list) and len(domains) <= DOMAINS else None,
    )


def _processes(document: Mapping[str, Any]) -> Iterator[tuple[str | None, int | None]]:
    """Type and number of tasks of each process; None for what cannot be read."""
    rows, left_out = document.get("processes"), document.get("left_out") or []
    if isinstance(rows, list) and all(isinstance(row, Mapping) and row.get("type") == RELEASE_PROCESS for row in rows):
        yield IMPLICIT_PROCESS, _valid(_REPLICAS, document.get("instances"))
    # What the named release lacks may run until that one does. None at all: the member was too large to be read.
    for row in [*rows, *left_out] if isinstance(rows, list) else [None]:
        fields = row if isinstance(row, Mapping) else {}
        yield _valid(_TYPE, fields.get("type")), _valid(_REPLICAS, fields.get("instances"))


def _domains(rows: Sequence[Any]) -> Iterator[tuple[str, object]]:
    for row in rows:
        if isinstance(row, Mapping) and (name := _valid(_HOSTNAME, row.get("hostname"))) is not None:
            yield name, row.get("process_type")


def _valid(form: TypeAdapter[Any], value: object) -> Any:
    try:
        return form.validate_python(value)
    except ValidationError:
        return None
