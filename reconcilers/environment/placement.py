"""Which nodes may run an environment, and over what its tasks are spread: ``TaskTemplate.Placement``. Pure."""

from __future__ import annotations

from reconcilers import labels
from reconcilers.environment.config import platform
from reconcilers.objects import SpecDocument
from reconcilers.options import Options
from specs.snapshots import EnvironmentSnapshot, ProcessSnapshot


def placement(snapshot: EnvironmentSnapshot, process: ProcessSnapshot, options: Options) -> SpecDocument:
    """Empty: any node. Without a preference Swarm takes the node with the fewest tasks of the service."""
    found = platform(snapshot, process)
    if asked := asked_of_nodes(snapshot, options):
        found = {**found, "Constraints": [f"node.labels.{label} == {value}" for label, value in asked.items()]}
    if snapshot.spread is not None:
        descriptor = f"node.labels.{labels.PREFIX}{snapshot.spread}"
        found = {**found, "Preferences": [{"Spread": {"SpreadDescriptor": descriptor}}]}
    return found


def asked_of_nodes(snapshot: EnvironmentSnapshot, options: Options) -> dict[str, str]:
    """Labels of nodes that a node must have to run it."""
    found = {"pool": snapshot.pool, "region": snapshot.region}
    labelled = {f"{labels.PREFIX}{name}": value for name, value in found.items() if value is not None}
    return {**labelled, labels.USERNS: "true"} if options.require_userns else labelled
