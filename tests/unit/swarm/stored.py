"""A service as an engine gives it back: with defaults filled in, and zeros left out.

``tests/swarm`` shows on a real engine that this is what engines do.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from reconcilers import labels, references
from reconcilers.jobs import Job
from reconcilers.objects import Network, Service
from reconcilers.ports import LiveContent, LiveJob, LiveNetwork, LiveObject, LiveService
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


def live_job(job: Job, *, version: int = 10, iteration: int = 0) -> LiveJob:
    """``job`` as it is live when nobody touched it."""
    spec = stored(job.spec)
    spec["Mode"] = dict(job.spec["Mode"])
    return LiveJob(f"id-of-{job.name}", job.name, version, spec, None, "", iteration=iteration)


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
    """With jobs, as the engine lists them."""
    networks: list[LiveNetwork] = field(default_factory=list)
    edge: Mapping[str, frozenset[str]] = field(default_factory=dict)
    contents: Mapping[str, Sequence[LiveContent]] = field(default_factory=dict)
    """Secrets and configs."""

    def find(self, object_type: str, name: str) -> LiveObject | None:
        return next((each for each in self._all(object_type) if each.name == name), None)

    def owned(self, object_type: str, owner: tuple[str, str]) -> list[LiveObject]:
        key = labels.owner_key(*owner)
        return sorted((o for o in self._all(object_type) if o.labels.get(labels.OWNER) == key), key=lambda o: o.name)

    def _all(self, object_type: str) -> Sequence[LiveObject]:
        running = [each for each in self.services if each.object_type == object_type]
        here: dict[str, Sequence[LiveObject]] = {"network": self.networks, **self.contents}
        return here.get(object_type, running)

    def referring(self, content_id: str) -> list[str]:
        return sorted(s.name for s in self.services if content_id in references.ids(s.spec) | s.previous)

    def on_network(self, network_id: str) -> list[str]:
        return sorted(
            s.name
            for s in self.services
            if any(a["Target"] == network_id for a in s.spec["TaskTemplate"].get("Networks") or ())
        )
