"""References of a service to secrets and configs: by name in what is wanted, with the id in what is written. Pure.

As the docker command line does: the engine wants id and name, and the id is that of the live object of the name. So a
reference to a former object of the same name is a difference like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from reconcilers.objects import SpecDocument

_FIELDS = (("Secrets", "Secret", "secret"), ("Configs", "Config", "config"))
Find = Callable[[str, str], str | None]


def named(spec: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Type and name of all that a spec refers to."""
    container = (spec.get("TaskTemplate") or {}).get("ContainerSpec") or {}
    for field, title, object_type in _FIELDS:
        for reference in container.get(field) or ():
            yield object_type, str(reference.get(f"{title}Name") or "")


def held(spec: Mapping[str, Any]) -> dict[tuple[str, str], str]:
    """Ids of all that a spec, as the engine has it, refers to, by type and name."""
    container = (spec.get("TaskTemplate") or {}).get("ContainerSpec") or {}
    return {
        (object_type, str(reference.get(f"{title}Name"))): str(reference[f"{title}ID"])
        for field, title, object_type in _FIELDS
        for reference in container.get(field) or ()
        if reference.get(f"{title}ID")
    }


def ids(spec: Mapping[str, Any]) -> frozenset[str]:
    """Ids of all that a spec, as the engine has it, refers to."""
    return template_ids(spec.get("TaskTemplate") or {})


def template_ids(template: Mapping[str, Any]) -> frozenset[str]:
    """The same of a task template, or of a task's spec."""
    container = template.get("ContainerSpec") or {}
    return frozenset(
        str(reference.get(f"{title}ID") or "")
        for field, title, _ in _FIELDS
        for reference in container.get(field) or ()
    )


def filled(spec: SpecDocument, find: Find) -> SpecDocument:
    """``spec`` with the ids of what it refers to, as far as that lives.

    Args:
        spec: of a service; it is not changed.
        find: id of the live object of a type and name.
    """
    container: dict[str, Any] = spec["TaskTemplate"]["ContainerSpec"]
    changed = {}
    for field, title, object_type in _FIELDS:
        if references := container.get(field):
            changed[field] = [_with_id(each, title, find(object_type, each[f"{title}Name"])) for each in references]
    if not changed:
        return spec
    return {**spec, "TaskTemplate": {**spec["TaskTemplate"], "ContainerSpec": {**container, **changed}}}


def _with_id(reference: Mapping[str, Any], title: str, found: str | None) -> dict[str, Any]:
    plain = {k: v for k, v in reference.items() if k != f"{title}ID"}
    return {f"{title}ID": found, **plain} if found else plain
