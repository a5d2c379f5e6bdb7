"""Services that serve under a former name: their process is wanted under another one by now. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reconcilers import labels
from reconcilers.objects import Service
from reconcilers.ports import LiveService


def former(wanted: Sequence[Service], live: Sequence[LiveService]) -> list[LiveService]:
    """Those of an owner's ``live`` services whose process is wanted under another name, with tasks.

    One that has no tasks, or whose process shall have none, serves nobody. A pin takes over from another only on the
    same network.
    """
    names = {service.name for service in wanted}
    serving = {_place(service.spec) for service in wanted if service.replicas}
    return [s for s in live if s.name not in names and _place(s.spec) in serving and _replicas(s)]


def process(found: Mapping[str, str]) -> str:
    """The process that labels name; empty for what is none, such as a pin."""
    return found.get(labels.PROCESS, "")


def _place(spec: Mapping[str, Any]) -> object:
    named = process(spec.get("Labels") or {})
    return named or frozenset(each["Target"] for each in spec["TaskTemplate"].get("Networks") or ())


def _replicas(live: LiveService) -> int:
    return int(((live.spec.get("Mode") or {}).get("Replicated") or {}).get("Replicas") or 0)
