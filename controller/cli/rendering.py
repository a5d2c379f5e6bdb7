"""What each kind means on Swarm, for a look ahead: the same renders as the controller's, with what it would know."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from controller.swarm.liveview import LiveView
from reconcilers import environment, organization
from reconcilers.objects import Objects
from reconcilers.ports import Options
from reconcilers.registry import registered
from specs.names import network_name
from specs.snapshots import EnvironmentSnapshot, OrganizationSnapshot

_NOT_CHOSEN = "0.0.0.0/32"  # of a network that does not exist yet: it is chosen when it is made


def render(kind: str, doc: Mapping[str, Any], options: Options, live: LiveView, subnets: Mapping[UUID, str]) -> Objects:
    """The objects that a document stands for.

    Raises:
        pydantic.ValidationError: the document breaks a rule.
    """
    snapshot = registered()[kind].snapshot.model_validate(doc)
    return _RENDERS[kind](snapshot, options, live, subnets)


def _organization(
    snapshot: OrganizationSnapshot, options: Options, live: LiveView, subnets: Mapping[UUID, str]
) -> Objects:
    network = live.network(network_name(snapshot.slug))
    subnet = subnets.get(snapshot.id) or (network.subnet if network else None) or _NOT_CHOSEN
    return organization.render(snapshot, options, subnet=subnet, edge_node=live.edge_node())


def _environment(
    snapshot: EnvironmentSnapshot, options: Options, _live: LiveView, _subnets: Mapping[UUID, str]
) -> Objects:
    return environment.render(snapshot, options)


_RENDERS: dict[str, Callable[[Any, Options, LiveView, Mapping[UUID, str]], Objects]] = {
    "organization": _organization,
    "environment": _environment,
}
