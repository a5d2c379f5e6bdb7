"""What runs in a task: ``TaskTemplate.ContainerSpec``."""

from __future__ import annotations

from reconcilers import labels
from reconcilers.baseline import harden
from reconcilers.environment.config import given
from reconcilers.environment.durations import nanoseconds
from reconcilers.environment.healthcheck import healthcheck
from reconcilers.objects import SpecDocument
from reconcilers.ports import Options
from specs.snapshots import EnvironmentSnapshot, ProcessSnapshot


def container_spec(
    snapshot: EnvironmentSnapshot, process: ProcessSnapshot, options: Options, owner: dict[str, str], port: int
) -> SpecDocument:
    """What runs, under the security baseline; ``owner`` are the labels that say whose it is."""
    environment = {
        "PORT": str(port),
        "SKYPANEL_APP": snapshot.app.slug,
        "SKYPANEL_ENVIRONMENT": snapshot.name,
        "SKYPANEL_ORGANIZATION": snapshot.organization.slug,
        "SKYPANEL_PROCESS": process.type,
    }
    container: SpecDocument = {
        "Image": snapshot.image_ref,
        "Labels": {**owner, labels.PROCESS: process.type},
        "Env": [f"{key}={value}" for key, value in sorted(environment.items())],
        "StopGracePeriod": nanoseconds(
            snapshot.stop_grace_seconds if process.stop_grace_seconds is None else process.stop_grace_seconds
        ),
    }
    if process.command:
        container["Command"] = list(process.command)
    if process.args:
        container["Args"] = list(process.args)
    if check := healthcheck(process):
        container["Healthcheck"] = check
    return harden(
        given(container, snapshot, process, options),
        read_only_root=snapshot.read_only_root,
        init=snapshot.init,
        tmpfs_paths=tuple(snapshot.tmpfs_paths),
        run_as=snapshot.run_as,
    )
