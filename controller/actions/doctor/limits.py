"""Is the installation of a size that it was measured at, and what is not limited; docs/limits.md has the figures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from controller.actions.doctor.findings import Check, ok, warn
from reconcilers import labels

Document = Mapping[str, Any]

SERVICES = 1000
ORGANIZATIONS = 100
PAGE = "docs/limits.md"


def examine(info: Document, services: int, networks: Iterable[Document], installation: str) -> Iterator[Check]:
    """Sizes, and the line that says what is never checked.

    Args:
        info: of the engine.
        services: how many the Swarm has, ours or not: the edge asks for each.
        networks: all of the Swarm.
        installation: whose networks the edge is joined to.
    """
    joined = sum((n.get("Labels") or {}).get(labels.INSTALLATION) == installation for n in networks)
    yield _size(
        "edge and services", services, SERVICES, "services", "routes and removed addresses take effect seconds late"
    )
    yield _size("edge and networks", joined, ORGANIZATIONS, "organizations", "a restart of the edge takes long")
    yield from _disk(info)
    yield ok(
        "known limits",
        f"host names are not verified, containers' disk is not limited, no egress rules of an organization: {PAGE}",
    )


def _size(name: str, count: int, most: int, what: str, then: str) -> Check:
    if count <= most:
        return ok(name, f"{count} {what}; fine up to about {most}")
    return warn(name, f"{count} {what}, more than about {most}: {then}", f"see {PAGE}")


def _disk(info: Document) -> Iterator[Check]:
    status = dict(pair for pair in info.get("DriverStatus") or () if len(pair) == 2)
    backing, driver = str(status.get("Backing Filesystem") or "unknown"), str(info.get("Driver") or "unknown")
    if driver == "overlay2" and backing == "xfs":
        yield ok("disk of containers", "overlay2 on xfs, which can have project quotas")
    else:
        yield warn(
            "disk of containers",
            f"{driver} on {backing}: a container can fill {info.get('DockerRootDir') or 'the folder of the engine'}",
            f"give that folder a partition of its own on each node, and watch it ({PAGE})",
        )
