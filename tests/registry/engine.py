"""What stands for the manager's engine: documents as ``GET /images/{name}/json`` gives them, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from controller.registry.images import Engine

Inspected = Mapping[str, Any]


class StandIn(Engine):
    """An engine.

    Args:
        images: that it has, by the name that it is asked for.
        machine: its architecture.
    """

    def __init__(self, images: Mapping[str, Inspected] | None = None, machine: str = "amd64") -> None:
        self.images = dict(images or {})
        self.machine = machine
        self.asked: list[str] = []

    async def architecture(self) -> str:
        """See ``Engine``."""
        return self.machine

    async def image(self, name: str) -> Inspected | None:
        """See ``Engine``."""
        self.asked.append(name)
        return self.images.get(name)


def inspected(*tags: str, digests: tuple[str, ...] = (), machine: str = "amd64", **config: Any) -> dict[str, Any]:
    """An image as an engine shows it."""
    return {
        "Id": "sha256:" + 64 * "1",
        "RepoTags": list(tags),
        "RepoDigests": list(digests),
        "Architecture": machine,
        "Os": "linux",
        "Config": config or {"Cmd": ["local"]},
    }
