"""What the services of an environment are called. Pure."""

from __future__ import annotations

from reconcilers.ports import Options
from specs.names import service_name
from specs.snapshots import EnvironmentSnapshot


def service_of(snapshot: EnvironmentSnapshot, process_type: str, options: Options) -> str:
    """Name of the service of one process."""
    return service_name(
        snapshot.swarm_name,
        process_type,
        installation=options.installation,
        organization=snapshot.organization.id,
        environment=snapshot.id,
    )
