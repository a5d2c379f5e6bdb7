"""What is said of each process: the environment's own words until all of it is stable, then how many tasks run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from reconcilers.conditions import Condition, progressing, ready
from reconcilers.environment.names import service_of
from reconcilers.ports import ChildStatus, Options, ServiceProgress
from specs.snapshot_parts import LeftOutSnapshot, ReleaseSnapshot
from specs.snapshots import RELEASE_PROCESS, EnvironmentSnapshot, ProcessSnapshot


def declared_processes(snapshot: EnvironmentSnapshot) -> Iterator[ProcessSnapshot | LeftOutSnapshot]:
    """Those that have a row."""
    yield from (process for process in snapshot.processes if process.declared)
    yield from snapshot.left_out


def process_statuses(
    snapshot: EnvironmentSnapshot,
    release: ReleaseSnapshot,
    progress: Mapping[str, ServiceProgress],
    conditions: tuple[Condition, ...],
    options: Options,
) -> list[ChildStatus]:
    """The status of every declared process.

    Args:
        snapshot: the environment.
        release: the newest, whose command has ended where it has one.
        progress: of its services, by name.
        conditions: what is said of the environment.
        options: of the installation.
    """
    settled = all(found.stable for found in progress.values()) and not snapshot.withheld
    statuses = []
    for process in declared_processes(snapshot):
        if isinstance(process, LeftOutSnapshot):
            assert snapshot.pinned is not None
            text = f"no task runs: release {snapshot.pinned.version}, which runs, has no process {process.type}"
            own = ready("NotInRelease", text)
            statuses.append(ChildStatus("process", str(process.id), process.generation, own))
            continue
        if process.type == RELEASE_PROCESS:
            own = _command(release) if settled else conditions
            statuses.append(ChildStatus("process", str(process.id), process.generation, own))
            continue
        found = progress[service_of(snapshot, process.type, options)]
        own = conditions
        if settled:
            reason = "Suspended" if snapshot.suspended else "Deployed"
            own = ready(reason, f"{found.running} of {found.desired} task(s) run{_ended(found)}")
        elif found.stable and not snapshot.withheld:
            own = progressing("RollingOut", "all its tasks run; waits for the other processes of the environment")
        statuses.append(ChildStatus("process", str(process.id), process.generation, own))
    return statuses


def _ended(found: ServiceProgress) -> str:
    return f", {found.completed} ended well and are done" if found.completed else ""


def _command(release: ReleaseSnapshot) -> tuple[Condition, ...]:
    if release.command.succeeded:
        return ready("Completed", f"it ended well for release {release.version}; it is run before the next one")
    return ready("Completed", f"it is run before the release that comes after release {release.version}")
