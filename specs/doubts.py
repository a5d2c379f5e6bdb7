"""What a file may say and hardly means: nothing is refused for it, and somebody should know."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal

from specs.config_vars import doubt
from specs.loader import Located, LocatedVars
from specs.resource import Resource

MANY_CORES = 100

Below = Callable[[Resource, str], Sequence[str]]
"""Names of the children of a kind that a resource has."""


def doubts(entries: Sequence[Located], below: Below) -> Iterator[str]:
    """A sentence each, with file, line and field.

    Args:
        entries: what files declare.
        below: of what is there already; what the files declare is known.
    """
    for entry in entries:
        resource = entry.resource
        label = f"{resource.kind} {'/'.join(resource.key.path)}"
        for field, message in (*_inert(resource), *_overruled(entry, entries, below), *_too_much(resource)):
            name = type(resource.spec).model_fields[field].alias or field
            yield f"{entry.at(('spec', name))}: {label}: spec.{name}: {message}"


def of_variables(documents: Iterable[LocatedVars]) -> Iterator[str]:
    """A sentence for each config var that a file hardly means to have; without its value."""
    for each in documents:
        for field, name, value in each.vars.values():
            if ("spec", field, name) not in each.document.sealed and (said := doubt(field, name, value)):
                yield f"{each.at(('spec', field, name))}: {each.label}: spec.{field}.{name}: {said}"


def _inert(resource: Resource) -> Iterator[tuple[str, str]]:
    for field, why in resource.facts.inert.items():
        if _is_said(resource, field):
            yield field, f"has no effect yet: {why}"


def _is_said(resource: Resource, field: str) -> bool:
    """Whether it says something else than leaving it out."""
    return bool(getattr(resource.spec, field) != type(resource.spec).model_fields[field].default)


def _overruled(entry: Located, entries: Sequence[Located], below: Below) -> Iterator[tuple[str, str]]:
    resource = entry.resource
    for field, (kind, heir) in resource.facts.overruled.items():
        if not _is_said(resource, field):
            continue
        path = (*resource.metadata.parents.values(), resource.metadata.name)
        own = [e.resource for e in entries if e.resource.kind == kind]
        names = {r.metadata.name for r in own if tuple(r.metadata.parents.values()) == path} | {*below(resource, kind)}
        if names and heir not in names:
            yield field, f"has no effect, as it has a {kind} (say it there: {', '.join(sorted(names))})"


def _too_much(resource: Resource) -> Iterator[tuple[str, str]]:
    cores = getattr(resource.spec, "cpu", None)
    if isinstance(cores, Decimal) and cores >= MANY_CORES:
        yield "cpu", f'{cores:.0f} cores are more than most nodes have (write "{cores:.0f}m" for thousandths of one)'
