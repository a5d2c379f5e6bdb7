"""What a change takes away from what serves: a process that stops, a host name that leads nowhere. Pure.

A process that goes on under another name of its service is not lost, and neither is a host name that another service
of the same owner takes over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from controller.changes import Change
from controller.swarm.diff import service_differences
from reconcilers import labels
from reconcilers.objects import Objects, Service
from reconcilers.ports import LiveService
from reconcilers.routes import hostnames_of

_ROUTING = "traefik."


def serves(spec: Mapping[str, Any]) -> tuple[str, frozenset[str]]:
    """Type of the process of a service document when it has tasks (else empty), and the hosts that lead to it."""
    found: Mapping[str, str] = spec.get("Labels") or {}
    replicas = ((spec.get("Mode") or {}).get("Replicated") or {}).get("Replicas") or 0
    return found.get(labels.PROCESS, "") if replicas else "", hostnames_of(found)


def loses(change: Change, wanted: Objects) -> bool:
    """Whether ``change``, of an owner that should have ``wanted``, takes something away that nothing else gives."""
    return any(_lost(change, wanted))


def spare(change: Change, wanted: Objects) -> Change | None:
    """The rest of ``change`` when what it takes away is left as it is; None when nothing is left of it.

    Args:
        change: of an owner that should have ``wanted``.
        wanted: all of it.
    """
    stops, unroutes = _lost(change, wanted)
    if not stops and not unroutes:
        return change
    live, target = change.live, change.target
    if not isinstance(target, Service) or not isinstance(live, LiveService):
        return None
    spec = dict(target.spec)
    if stops:
        spec["Mode"] = live.spec["Mode"]
    if unroutes:
        kept = {k: v for k, v in live.labels.items() if k.startswith(_ROUTING)}
        spec["Labels"] = {k: v for k, v in spec["Labels"].items() if not k.startswith(_ROUTING)} | kept
    # Sealed anew: what is applied is neither the wanted document nor the one before, and must not be taken for it.
    service = Service.seal({**spec, "Labels": {k: v for k, v in spec["Labels"].items() if not _is_hash(k)}})
    differences = service_differences(service.spec, live.spec)
    return replace(change, target=service, differences=tuple(differences)) if differences else None


def spared(changes: Sequence[Change], wanted: Objects) -> tuple[Change, ...] | None:
    """``spare`` of all of them; None when nothing is lost."""
    rest = [spare(change, wanted) for change in changes]
    if all(left is change for left, change in zip(rest, changes, strict=True)):
        return None
    return tuple(change for change in rest if change is not None)


def _is_hash(label: str) -> bool:
    return label.startswith(labels.PREFIX) and label.endswith("-hash")


def _lost(change: Change, wanted: Objects) -> tuple[bool, bool]:
    """Whether a process stops, and whether a host name leads nowhere."""
    if change.action not in ("delete", "update", "recreate") or not isinstance(change.live, LiveService):
        return False, False
    process, hosts = serves(change.live.spec)
    others = [serves(service.spec) for service in wanted.services if service.name != change.name]
    if isinstance(change.target, Service):
        others.append(serves(change.target.spec))
    stops = bool(process) and all(process != other for other, _ in others)
    return stops, not hosts <= frozenset().union(*(led for _, led in others))
