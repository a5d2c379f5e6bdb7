"""What is said of each process: the environment's own words until all of it is stable, then how many tasks run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from reconcilers.conditions import Condition, progressing, ready
from reconcilers.environment.service import service_of
from reconcilers.ports import ChildStatus, Options, ServiceProgress
from specs.snapshots import EnvironmentSnapshot, LeftOutSnapshot, ProcessSnapshot


def declared_processes(snapshot: EnvironmentSnapshot) -> Iterator[ProcessSnapshot | LeftOutSnapshot]:
    """Those that have a row."""
    yield from (process for process in snapshot.processes if process.declared)
    yield from snapshot.left_out


def process_statuses(
    snapshot: EnvironmentSnapshot,
    progress: Mapping[str, ServiceProgress],
    conditions: tuple[Condition, ...],
    options: Options,
) -> list[ChildStatus]:
    """The status of every declared process.

    Args:
        snapshot: the environment.
        progress: of its services, by name.
        conditions: what is said of the environment.
        options: of the installation.
    """
    settled = all(found.stable for found in progress.values())
    statuses = []
    for process in declared_processes(snapshot):
        if isinstance(process, LeftOutSnapshot):
            assert snapshot.pinned is not None
            text = f"no task runs: release {snapshot.pinned.version}, which runs, has no process {process.type}"
            own = ready("NotInRelease", text)
            statuses.append(ChildStatus("process", str(process.id), process.generation, own))
            continue
        found = progress[service_of(snapshot, process.type, options)]
        own = conditions
        if settled:
            reason = "Suspended" if snapshot.suspended else "Deployed"
            own = ready(reason, f"{found.running} of {found.desired} task(s) run")
        elif found.stable:
            own = progressing("RollingOut", "all its tasks run; waits for the other processes of the environment")
        statuses.append(ChildStatus("process", str(process.id), process.generation, own))
    return statuses
