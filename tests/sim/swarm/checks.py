"""What a manager refuses of a service, in its words (swarmkit controlapi/service.go, common.go)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tests.sim.swarm.base import Refusal, invalid

_DNS_NAME = re.compile(r"^(?:[a-zA-Z0-9]+|(?:[a-zA-Z0-9]+(?:[-_]+[a-zA-Z0-9]+)*))$")
_OBJECT_NAME = re.compile(r"^[a-zA-Z0-9]+(?:[a-zA-Z0-9-_.]*[a-zA-Z0-9])?$")
_LEAST_NANO_CPUS, _LEAST_MEMORY = 1_000_000, 4 * 1024 * 1024


def check_service(spec: Mapping[str, Any]) -> None:
    """Refuse what validateServiceSpec refuses."""
    name = spec.get("Name", "")
    if not _DNS_NAME.match(name):
        raise invalid("name must be valid as a DNS name component")
    if len(name) > 63:
        raise invalid("name must be 63 characters or fewer")
    template = spec["TaskTemplate"]
    resources = template.get("Resources") or {}
    for part in ("Limits", "Reservations"):
        _check_resources(resources.get(part) or {})
    container = template.get("ContainerSpec")
    if container is None:
        raise invalid("missing container spec")
    if not container.get("Image"):
        raise invalid("ContainerSpec: image reference must be provided")
    for kind, what in (("Secrets", "secret"), ("Configs", "config")):
        _check_references(container.get(kind) or (), what)
    if spec["Mode"].keys() & {"ReplicatedJob", "GlobalJob"} and "UpdateConfig" in spec:
        raise invalid("Jobs may not have an update config")
    endpoint = spec.get("EndpointSpec") or {}
    ports = endpoint.get("Ports") or ()
    if endpoint.get("Mode") == "dnsrr" and any(port["PublishMode"] == "ingress" for port in ports):
        raise invalid("EndpointSpec: port published with ingress mode can't be used with dnsrr mode")


def check_object_name(name: str) -> None:
    """Refuse what is no name of a secret or config."""
    if not name:
        raise invalid("name must be provided")
    if len(name) > 64 or not _OBJECT_NAME.match(name):
        raise invalid(
            "invalid name, only 64 [a-zA-Z0-9-_.] characters allowed, and the start and end character must be "
            "[a-zA-Z0-9]"
        )


def _check_resources(resources: Mapping[str, Any]) -> None:
    cpus, memory = resources.get("NanoCPUs", 0), resources.get("MemoryBytes", 0)
    if cpus and cpus < _LEAST_NANO_CPUS:
        raise invalid(f"invalid cpu value {cpus / 1e9:.6g}: Must be at least 0.001")
    if memory and memory < _LEAST_MEMORY:
        raise invalid(f"invalid memory value {memory}: Must be at least 4MiB")


def _check_references(references: Any, what: str) -> None:
    taken: dict[str, str] = {}
    title = what.capitalize()
    for reference in references:
        name = reference[f"{title}Name"]
        if not reference[f"{title}ID"] or not name:
            raise invalid(f"malformed {what} reference")
        target = (reference.get("File") or {}).get("Name")
        if not target and what == "config":
            raise Refusal(400, "invalid Config: either File or Runtime should be set")
        if not target:
            raise invalid(f"malformed {what} reference, no target provided")
        if target in taken:
            raise invalid(f"{what} references '{taken[target]}' and '{name}' have a conflicting target: '{target}'")
        taken[target] = name


def version_of(query: Mapping[str, Any], what: str) -> int:
    """The version that an update is for; ``what`` is ``service``, ``secret`` ..."""
    text = str(query.get("version", ""))
    if not text.isdigit():
        raise Refusal(400, f"invalid {what} version '{text}': strconv.ParseUint: parsing \"{text}\": invalid syntax")
    return int(text)
