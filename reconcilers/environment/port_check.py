"""What new releases have that those of before do not: that a process with a port and no check is asked whether it
listens, and that it is the controller who ends what is never healthy. Pure.

To route a task that does not listen yet is what loses requests. An upgrade must restart nothing: what is declared is
first taken without it, and where that is the newest release, it stays so. A release that is named is what it was.
"""

from __future__ import annotations

from collections.abc import Iterator

from reconcilers.environment.config import runs
from reconcilers.environment.healthcheck import asked
from specs.releases import release_of
from specs.snapshot_parts import PORT_CHECK
from specs.snapshots import EnvironmentSnapshot


def as_checked(snapshot: EnvironmentSnapshot) -> EnvironmentSnapshot:
    """``snapshot``, marked with what its release has."""
    if snapshot.pinned is not None or snapshot.by_tag:
        return snapshot
    found, newest = [*forms(snapshot)][::-1], snapshot.release
    same = (each for each in found if newest and newest.digest == release_of(each, runs(each) or "").digest)
    return next(same, found[0])


def forms(snapshot: EnvironmentSnapshot) -> Iterator[EnvironmentSnapshot]:
    """``snapshot`` as each version would have it, the oldest first; a mark is where it has an effect."""
    yield snapshot
    if any(process.unasked for process in snapshot.own_processes()):
        snapshot = snapshot.model_copy(update={"port_check": True})
        yield snapshot
    if any(asked(snapshot, process, 0) for process in snapshot.effective_processes()):
        yield snapshot.model_copy(update={"start_deadline": True})


def asked_by_release(snapshot: EnvironmentSnapshot) -> tuple[str, ...]:
    """Types of the processes that the newest release has asked."""
    found, newest = as_checked(snapshot), snapshot.release
    if newest is None or newest.digest != release_of(found, runs(found) or "").digest:
        return ()
    return tuple(process.type for process in found.effective_processes() if process.healthcheck is PORT_CHECK)
