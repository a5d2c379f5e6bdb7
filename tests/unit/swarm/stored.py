"""A service as an engine gives it back: with defaults filled in, and zeros left out.

``tests/swarm`` shows on a real engine that this is what engines do.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from reconcilers import labels
from reconcilers.objects import Network, Service
from reconcilers.ports import LiveNetwork, LiveService
from tests.unit.reconcilers.documents import HOME


def stored(spec: Mapping[str, Any]) -> dict[str, Any]:
    """What the engine keeps of a written ``spec``."""
    kept: dict[str, Any] = _without_zeros(copy.deepcopy(dict(spec)))
    template = kept["TaskTemplate"]
    template |= {"ForceUpdate": 0, "Runtime": "container"}
    container = template["ContainerSpec"]
    container |= {"Isolation": "default", "DNSConfig": {}}
    container["Privileges"] |= {"CredentialSpec": None, "SELinuxContext": None}
    return kept


def live(service: Service, *, version: int = 10, update_state: str | None = None, message: str = "") -> LiveService:
    """``service`` as it is live when nobody touched it."""
    return LiveService(f"id-of-{service.name}", service.name, version, stored(service.spec), update_state, message)


def live_network(network: Network, **changes: Any) -> LiveNetwork:
    """``network`` as it is live when nobody touched it."""
    made = LiveNetwork(
        id=HOME.id,
        name=network.name,
        driver="overlay",
        scope="swarm",
        subnet=network.subnet,
        task_range=network.task_range,
        attachable=False,
        internal=False,
        labels=dict(network.labels),
        options={"com.docker.network.driver.overlay.vxlanid_list": "4097"},
    )
    return replace(made, **changes)


def _without_zeros(value: Any) -> Any:
    if isinstance(value, dict):
        cleaned = {key: _without_zeros(item) for key, item in value.items()}
        return {key: item for key, item in cleaned.items() if item not in (0, "", None, [], False) or key == "ReadOnly"}
    if isinstance(value, list):
        return [_without_zeros(item) for item in value]
    return value


@dataclass
class View:
    """A live view with what a test puts there."""

    services: list[LiveService] = field(default_factory=list)
    networks: list[LiveNetwork] = field(default_factory=list)
    edge: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def service(self, name: str) -> LiveService | None:
        return next((s for s in self.services if s.name == name), None)

    def network(self, name: str) -> LiveNetwork | None:
        return next((n for n in self.networks if n.name == name), None)

    def on_network(self, network_id: str) -> list[str]:
        return sorted(
            s.name
            for s in self.services
            if any(a["Target"] == network_id for a in s.spec["TaskTemplate"].get("Networks") or ())
        )

    def owned_services(self, owner: tuple[str, str]) -> list[LiveService]:
        return [s for s in self.services if s.labels.get(labels.OWNER) == labels.owner_key(*owner)]

    def owned_networks(self, owner: tuple[str, str]) -> list[LiveNetwork]:
        return [n for n in self.networks if n.labels.get(labels.OWNER) == labels.owner_key(*owner)]
