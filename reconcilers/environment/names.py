"""What the services of an environment are called, and whose they are. Pure."""

from __future__ import annotations

from reconcilers import labels
from reconcilers.ports import Options
from specs.names import service_name
from specs.snapshots import EnvironmentSnapshot


def owner_of(snapshot: EnvironmentSnapshot, options: Options) -> dict[str, str]:
    """The labels that say whose its documents are: the environment's, or a run's in it."""
    kind, found = ("environment", snapshot.id) if snapshot.of_run is None else ("run", snapshot.of_run)
    return labels.owned(options.installation, kind, str(found), str(snapshot.organization.id))


def service_of(snapshot: EnvironmentSnapshot, process_type: str, options: Options) -> str:
    """Name of the service of one process."""
    return service_name(
        snapshot.swarm_name,
        process_type,
        installation=options.installation,
        organization=snapshot.organization.id,
        environment=snapshot.id,
    )
