"""What runs in a task: ``TaskTemplate.ContainerSpec``."""

from __future__ import annotations

from reconcilers import labels, patience
from reconcilers.baseline import harden
from reconcilers.environment.config import given, runs
from reconcilers.environment.durations import nanoseconds
from reconcilers.environment.files import with_files
from reconcilers.environment.healthcheck import asked, healthcheck
from reconcilers.objects import SpecDocument
from reconcilers.ports import Options
from specs.run_rules import tmpfs_of
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
        "Image": runs(snapshot),
        "Labels": {**owner, labels.PROCESS: process.type, **_restarted(snapshot, process)},
        "Env": [f"{key}={value}" for key, value in sorted(environment.items())],
        "StopGracePeriod": nanoseconds(grace_seconds(snapshot, process)),
    }
    if process.command:
        container["Command"] = list(process.command)
    if process.args:
        container["Args"] = list(process.args)
    if check := healthcheck(process, port):
        container["Healthcheck"] = check
    if snapshot.start_deadline and (check := asked(snapshot, process, port)):
        container["Healthcheck"] = patience.patient(check)
        container["Labels"] |= patience.label(check)
    if process.stop_signal is not None:
        container["StopSignal"] = process.stop_signal
    if snapshot.sysctls:
        container["Sysctls"] = {name: str(value) for name, value in snapshot.sysctls.items()}
    if snapshot.extra_hosts:
        container["Hosts"] = [f"{address} {name}" for name, address in snapshot.extra_hosts.items()]
    container = with_files(given(container, snapshot, process, options), snapshot, options)
    sizes = dict(map(tmpfs_of, snapshot.tmpfs_paths))
    return harden(
        container,
        read_only_root=snapshot.read_only_root,
        init=snapshot.init,
        tmpfs_paths=tuple(sizes),
        tmpfs_mb={path: size for path, size in sizes.items() if size is not None},
        run_as=snapshot.run_as,
        ulimits=_ulimits(snapshot),
    )


def grace_seconds(snapshot: EnvironmentSnapshot, process: ProcessSnapshot) -> int:
    """How long a task may take to end: to serve on, and then what its program is given."""
    grace = snapshot.stop_grace_seconds if process.stop_grace_seconds is None else process.stop_grace_seconds
    return grace + (process.drain_seconds or 0)


def _restarted(snapshot: EnvironmentSnapshot, process: ProcessSnapshot) -> dict[str, str]:
    """What makes it another template when a restart is asked for; nothing where none ever was."""
    tokens = (snapshot.restart_token, process.restart_token)
    return {labels.RESTART: "/".join(token or "" for token in tokens)} if any(tokens) else {}


def _ulimits(snapshot: EnvironmentSnapshot) -> dict[str, int]:
    limits = snapshot.ulimits
    if limits is None:
        return {}
    memlock = None if limits.memlock_mb is None else limits.memlock_mb * 1024 * 1024
    found = {"memlock": memlock, "nofile": limits.nofile}
    return {name: value for name, value in found.items() if value is not None}
