"""What is said of tasks that end, or are not healthy in time, and what to change; there is nothing to go back to. Pure.

In words that hold as long as it goes on: a status is written when something changes, not each time a task dies.
"""

from __future__ import annotations

from collections.abc import Sequence

from reconcilers.conditions import Condition, stalled
from reconcilers.helper import SILENT
from reconcilers.ports import CRASH_LOOP, ServiceProgress
from specs.run_rules import tmpfs_of
from specs.snapshot_parts import PORT_CHECK
from specs.snapshots import EnvironmentSnapshot

_KILLED_BY_A_SIGNAL = 125
_S6 = 100


def failing(snapshot: EnvironmentSnapshot, found: Sequence[ServiceProgress]) -> tuple[Condition, ...]:
    """What is said of an environment whose services ``found`` do not stay up, or are not healthy in time."""
    image = snapshot.image_ref or ""
    told = "; ".join(_looping(r, image) + advice(snapshot, r) for r in found if r.looping)
    late = "; ".join(_unhealthy(r, image) + _unheard(snapshot, r.check) for r in found if not r.looping)
    return stalled("CrashLoop", "; ".join(filter(None, (told, late)))) if told else stalled("Unhealthy", late)


def advice(snapshot: EnvironmentSnapshot, rollout: ServiceProgress) -> str:
    """What to change when an image does not get along with the security baseline; empty when that is not the cause."""
    code = rollout.exit_code or 0
    if rollout.check:  # the check says what is wrong; the exit code, how it took being stopped
        return _unheard(snapshot, rollout.check)
    if code == _S6:
        held = any(process.drain_seconds for process in snapshot.effective_processes())
        wrong = [*(["set init to false"] if snapshot.init else []), *(["leave drain out"] if held else [])]
        return f". An image with s6-overlay must be process 1 itself: {' and '.join(wrong)}" if wrong else ""
    if not 0 < code < _KILLED_BY_A_SIGNAL:
        return ""
    hints = ["it has no capabilities, even as root"]
    if snapshot.read_only_root:
        hints.append(
            f"it can write only to {', '.join(path for path, _ in map(tmpfs_of, snapshot.tmpfs_paths)) or 'nothing'}"
        )
    return (
        f". If its log says that an operation is not permitted or a file system is read-only: {', and '.join(hints)}; "
        "name more paths in tmpfs, set runAs to another user or readOnlyRootFilesystem to false, or take an image that "
        "needs no root"
    )


def _looping(rollout: ServiceProgress, image: str) -> str:
    """In words that hold as long as it goes on."""
    return (
        f"{rollout.service}: tasks of {image} end again and again, {CRASH_LOOP} times or more within ten minutes: "
        f"{rollout.check or rollout.failure}; Swarm goes on starting them, and those that stay up serve meanwhile; "
        "change the spec, or let them stay up"
    )


def _unhealthy(rollout: ServiceProgress, image: str) -> str:
    """In words that hold as long as none of its tasks stays up."""
    return (
        f"{rollout.service}: a task of {image} was not healthy within {rollout.overdue:g} s of its start: "
        f"{rollout.check or 'its health check failed: it had not passed by then'}; Swarm ends what is never healthy, "
        "and starts another, and those that stay up serve meanwhile; change the spec, or have it answer its check"
    )


def _unheard(snapshot: EnvironmentSnapshot, check: str) -> str:
    """What to do about a check that nobody declared; empty where somebody did."""
    for process in snapshot.effective_processes():
        if process.healthcheck is PORT_CHECK and f"{process.port}: {SILENT}" in check:
            return (
                f". As {process.type} has a port and no healthcheck, its tasks are used when they listen there, and "
                f"ended where they do not, {PORT_CHECK.longest_seconds:g} s after their start: have it listen on "
                f"PORT, which is {process.port}, or set port to where it listens, or healthcheck to none"
            )
    return ""
