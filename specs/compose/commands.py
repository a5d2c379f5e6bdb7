"""Services that others wait for until they have ended well: one becomes the release command of an app, where it fits.

    services:
      migrate: {image: shop:1, command: [bin/migrate]}
      web: {image: shop:1, depends_on: {migrate: {condition: service_completed_successfully}}}

It fits where it is the same image with the same settings and is nothing but a program that ends. A release command has
the config vars, the size and the settings of its environment, and is run before each of its releases.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from specs.compose.project import Project, Service
from specs.compose.report import Report, shown

ENDED_WELL = "service_completed_successfully"
_SERVES = ("build", "expose", "healthcheck", "labels", "ports", "profiles", "provider", "scale")
"""Keys of what is more than a program that ends, or is not to be run at all."""
_OWN = frozenset(
    {
        *_SERVES, "command", "container_name", "cpus", "depends_on", "deploy", "entrypoint", "env_file", "environment",
        "hostname", "logging", "mem_limit", "networks", "restart", "stop_grace_period", "stop_signal",
    }
)  # fmt: skip
"""Keys that the two may have otherwise: what a command has of them is its environment's, or is told."""


def commands(project: Project, images: Mapping[str, str]) -> dict[str, str]:
    """Services that become release commands: the service each is one of, by name; a service has one at most.

    Args:
        project: all of them.
        images: instead of a service's own.
    """
    found: dict[str, str] = {}
    for service in project.services.values():
        for name, condition in _awaited(service):
            other = project.services.get(name)
            free = name not in found and service.name not in found.values() and service.name not in found
            if condition == ENDED_WELL and other is not None and free and _fits(other, service, images):
                found[name] = service.name
    return {name: of for name, of in found.items() if of not in found}


def tell(project: Project, found: Mapping[str, str], report: Report) -> None:
    """Say of what is waited for in vain."""
    for service in project.services.values():
        item = service.keys.get("depends_on")
        for name, condition in _awaited(service):
            if found.get(name) == service.name or item is None:
                continue
            if condition == ENDED_WELL:
                said = f"nothing waits for {shown(name)} to end: apps start in any order"
                app = shown(service.name)
                hint = f"what is to be done before each release of {app} is its Process release, with its image"
                report.note(service.name, item, "depends_on", said, hint)


def waits(service: Service) -> bool:
    """Whether it waits for anything but what ends."""
    named = _value(service, "depends_on")
    if not isinstance(named, dict):
        return bool(named)
    return any(condition != ENDED_WELL for _, condition in _awaited(service))


def _awaited(service: Service) -> Iterator[tuple[str, str]]:
    """Names of what a service waits for, and what for."""
    item = service.keys.get("depends_on")
    named: Any = item.value if item else None
    if isinstance(named, dict):
        for name, said in named.items():
            yield str(name), str(said.get("condition") or "") if isinstance(said, dict) else ""
    elif isinstance(named, list):
        yield from ((str(name), "") for name in named)


def _fits(command: Service, service: Service, images: Mapping[str, str]) -> bool:
    if not _value(command, "command") and not _value(command, "entrypoint"):
        return False  # it would be what the app runs
    if any(_value(service, key) for key in ("profiles", "provider")):
        return False
    if any(_value(command, key) for key in _SERVES) or _replicated(command) or _restarts(command):
        return False
    if _image(command, images) != _image(service, images) or not _image(command, images):
        return False
    keys = {*command.keys, *service.keys} - _OWN - {"image"}
    return all(_value(command, key) == _value(service, key) for key in keys if not key.startswith("x-"))


def _image(service: Service, images: Mapping[str, str]) -> Any:
    return images.get(service.name) or _value(service, "image")


def _replicated(service: Service) -> bool:
    deploy = _value(service, "deploy")
    return isinstance(deploy, dict) and any(deploy.get(key) for key in ("replicas", "labels"))


def _restarts(service: Service) -> bool:
    return _value(service, "restart") not in (None, False, "no", "on-failure")


def _value(service: Service, key: str) -> Any:
    item = service.keys.get(key)
    return item.value if item else None
