"""Compares what should exist with what does: pure, field by field, after normalising what the engine fills in.

``normalise`` brings a wanted document and a stored one to the same form: zero values vanish, defaults appear,
``ForceUpdate`` counts restarts that somebody asked for. What is left different is drift, or a new spec; ``Change``
prints it as a person reads it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from controller.changes import Difference
from reconcilers import labels
from reconcilers.objects import Network
from reconcilers.ports import LiveNetwork

# Filled in by the engine (moby daemon/cluster/convert), never written by us; equal to their absence.
_FILLED_IN: dict[tuple[str, ...], Any] = {
    ("TaskTemplate", "ContainerSpec", "Isolation"): "default",
    ("TaskTemplate", "ContainerSpec", "DNSConfig"): {},
    ("TaskTemplate", "ContainerSpec", "Privileges", "CredentialSpec"): None,
    ("TaskTemplate", "ContainerSpec", "Privileges", "SELinuxContext"): None,
    ("TaskTemplate", "Runtime"): "container",
}
# Not ours: somebody asked for a restart; what is live is sent back unchanged.
_CO_OWNED = {("TaskTemplate", "ForceUpdate")}
# Lists whose order means nothing to the engine.
_NAMED = {
    ("TaskTemplate", "ContainerSpec", "Secrets"): "SecretName",
    ("TaskTemplate", "ContainerSpec", "Configs"): "ConfigName",
}
_SETS = {
    ("TaskTemplate", "ContainerSpec", "Env"),
    ("TaskTemplate", "ContainerSpec", "CapabilityDrop"),
    ("TaskTemplate", "ContainerSpec", "CapabilityAdd"),
}


def service_differences(wanted: Mapping[str, Any], stored: Mapping[str, Any]) -> list[Difference]:
    """Fields of a service that differ; both name their networks by ids."""
    return list(_walk((), normalise(stored), normalise(wanted)))


def label_only(differences: Sequence[Difference]) -> bool:
    """Whether applying them would change service labels and nothing else (moby#53722).

    Another user to pull as is more than its label: tasks that have not pulled yet are made anew for it.
    """
    return bool(differences) and all(
        d.path.split(".", 1)[0] == "Labels" and d.path != f"Labels.{labels.PULLS_AS}" for d in differences
    )


def network_differences(wanted: Network, live: LiveNetwork) -> list[Difference]:
    """Fields of a network that differ. Any difference means: make it anew, a network cannot be updated."""
    found: list[Difference] = []
    if live.driver != "overlay" or live.scope != "swarm":
        found.append(Difference("Driver", f"{live.driver or 'none'}/{live.scope}", "overlay/swarm"))
    if live.subnet is not None and live.subnet != wanted.subnet:
        found.append(Difference("IPAM.Subnet", live.subnet, wanted.subnet))
    if live.subnet is not None and live.task_range != wanted.task_range:
        found.append(Difference("IPAM.IPRange", live.task_range, wanted.task_range))
    if live.attachable:
        # Any container of any node could join it; nothing but tasks and the edge has to.
        found.append(Difference("Attachable", True, False))
    if live.internal:
        # Tasks would have no way out.
        found.append(Difference("Internal", True, False))
    own = {k: v for k, v in live.labels.items() if k.startswith(labels.PREFIX)}
    found.extend(_walk(("Labels",), own, dict(wanted.labels)))
    return found


def normalise(document: Mapping[str, Any]) -> Any:
    """``document`` (a ServiceSpec) without empty values and engine defaults, and its sets in order."""
    return _clean((), document)


def _clean(path: tuple[str, ...], value: Any) -> Any:
    if isinstance(value, dict):  # as they come from JSON; a check for any mapping takes several times as long
        if path[-1:] == ("Labels",):
            return dict(value)  # a label with an empty value is a label
        cleaned = {}
        for key, item in value.items():
            here = (*path, key)
            if here in _CO_OWNED or (here in _FILLED_IN and item == _FILLED_IN[here]):
                continue
            result = _clean(here, item)
            if not _empty(result):
                cleaned[key] = result
        return cleaned
    return _in_order(path, [_clean(path, item) for item in value]) if isinstance(value, list) else value


def _in_order(path: tuple[str, ...], items: list[Any]) -> list[Any]:
    if path == ("TaskTemplate", "Networks"):
        for item in items:
            item["Aliases"] = sorted(item.get("Aliases") or [])
        items.sort(key=lambda item: item["Target"])
    elif path in _NAMED:
        items.sort(key=lambda item: (str(item.get(_NAMED[path])), str(item.get("File"))))
    elif path in _SETS:
        items.sort()
    return items


def _empty(value: Any) -> bool:
    # Replicas 0 and every other zero are the same as their absence on the wire (omitempty): both sides lose them.
    return not value


def _walk(path: tuple[str, ...], live: Any, wanted: Any) -> Iterator[Difference]:
    if isinstance(live, Mapping | None) and isinstance(wanted, Mapping | None):
        live, wanted = live or {}, wanted or {}  # each field that is gone is named, not the whole
        for key in sorted(live.keys() | wanted.keys()):
            yield from _walk((*path, key), live.get(key), wanted.get(key))
    elif live != wanted:
        yield Difference(".".join(path), live, wanted)
