"""Have containers addresses of version 6? What keeps tenants apart was shown for version 4 alone. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from controller.actions.doctor.findings import Check, ok, warn
from reconcilers import labels

Document = Mapping[str, Any]
_GATEWAY = "docker_gwbridge"
"""The bridge by which containers of a node reach the world."""


def check(networks: Iterable[Document], installation: str) -> Check:
    """Is any network that containers of this node are on one with IPv6?"""
    six = sorted(
        network["Name"]
        for network in networks
        if network.get("EnableIPv6")
        and (network["Name"] == _GATEWAY or (network.get("Labels") or {}).get(labels.INSTALLATION) == installation)
    )
    if six:
        return warn(
            "ipv6",
            f"{', '.join(six)}: containers get addresses of version 6, and nobody tried whether tenants are apart",
            f"make {_GATEWAY} anew without IPv6 on each node, and an organization's network when nothing is on it",
        )
    return ok("ipv6", "containers of this node have addresses of version 4 alone")
