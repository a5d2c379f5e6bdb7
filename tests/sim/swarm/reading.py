"""Lists and single objects, with the engine's filters: on documents, so that an older answer can be asked the same."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import orjson

from tests.sim.swarm.base import Refusal
from tests.sim.swarm.objects import Document

Filters = dict[str, list[str]]
Match = Callable[[Document, list[str]], bool]


def filters_of(query: Mapping[str, Any]) -> Filters:
    """The filters of a query: lists, or the objects of old (``{"label": {"a=b": true}}``)."""
    found = query.get("filters") or {}
    if isinstance(found, str | bytes):
        found = orjson.loads(found)
    return {key: [str(v) for v in values] for key, values in found.items()}


def select(documents: Iterable[Document], filters: Filters, known: Mapping[str, Match]) -> list[Document]:
    """Those that satisfy every filter."""
    for key in filters:
        if key not in known:
            raise Refusal(400, f"invalid filter '{key}'")
    if not filters:
        return list(documents)
    return [d for d in documents if all(known[key](d, values) for key, values in filters.items())]


def has_labels(labels: Mapping[str, str] | None, wanted: list[str]) -> bool:
    """All of ``name`` or ``name=value``."""
    own = labels or {}
    for text in wanted:
        name, equals, value = text.partition("=")
        if name not in own or (equals and own[name] != value):
            return False
    return True


def _prefix(field: Callable[[Document], str]) -> Match:
    return lambda document, wanted: any(field(document).startswith(text) for text in wanted)


def _mode(document: Document, wanted: list[str]) -> bool:
    return any(text.title().replace("-", "") in document["Spec"]["Mode"] for text in wanted)


SERVICES: Mapping[str, Match] = {
    "id": _prefix(lambda d: d["ID"]),
    "name": _prefix(lambda d: d["Spec"]["Name"]),
    "label": lambda d, wanted: has_labels(d["Spec"].get("Labels"), wanted),
    "mode": _mode,
}
CONTENTS: Mapping[str, Match] = {key: SERVICES[key] for key in ("id", "name", "label")} | {
    "names": lambda d, wanted: d["Spec"]["Name"] in wanted
}
NODES: Mapping[str, Match] = {
    "id": SERVICES["id"],
    "name": _prefix(lambda d: d["Description"]["Hostname"]),
    "node.label": lambda d, wanted: has_labels(d["Spec"]["Labels"], wanted),
    "role": lambda d, wanted: d["Spec"]["Role"] in wanted,
}
NETWORKS: Mapping[str, Match] = {
    "id": _prefix(lambda d: d["Id"]),
    # A network of the Swarm is found by its whole name, unlike those of one engine.
    "name": lambda d, wanted: any(text == d["Name"] if d["Scope"] == "swarm" else text in d["Name"] for text in wanted),
    "label": lambda d, wanted: has_labels(d["Labels"], wanted),
    "driver": lambda d, wanted: d["Driver"] in wanted,
    "scope": lambda d, wanted: d["Scope"] in wanted,
    "type": lambda d, wanted: ("builtin" if d["Name"] in ("none", "host", "bridge") else "custom") in wanted,
    "dangling": lambda _d, _wanted: True,
}
TASKS: Mapping[str, Match] = {
    "id": SERVICES["id"],
    "service": lambda d, wanted: d["ServiceID"] in wanted,
    "node": lambda d, wanted: d.get("NodeID") in wanted,
    "desired-state": lambda d, wanted: (
        d["DesiredState"] in wanted
        or (d["DesiredState"] in ("remove", "ready") and _folded(d["DesiredState"]) in wanted)
    ),
}
CONTAINERS: Mapping[str, Match] = {
    "id": _prefix(lambda d: d["Id"]),
    "label": lambda d, wanted: has_labels(d["Labels"], wanted),
    "status": lambda d, wanted: d["State"] in wanted,
    "name": lambda d, wanted: any(text in d["Names"][0] for text in wanted),
}


def _folded(state: str) -> str:
    return "shutdown" if state == "remove" else "accepted"


def one(documents: Mapping[str, Document], asked: str, kind: str, name: Callable[[Document], str]) -> Document:
    """An object by id, name, or the beginning of an id."""
    if asked in documents:
        return documents[asked]
    found = [d for d in documents.values() if name(d) == asked] or [
        d for key, d in documents.items() if asked and key.startswith(asked)
    ]
    if not found:
        raise Refusal(404, f"{kind} {asked} not found")
    if len(found) > 1:
        raise Refusal(400, f"{kind} {asked} is ambiguous ({len(found)} matches found)")
    return found[0]
