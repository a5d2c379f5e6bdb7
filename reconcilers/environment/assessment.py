"""What is said of an environment, by how far the tasks of its services are, and when to look again. Pure.

``Ready`` is said of tasks that have stayed up, not of tasks that just run. What ends again and again is ``CrashLoop``,
in words that stay the same while it goes on: a status is written when something changes, not each time a task dies.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from reconcilers.conditions import PROGRESS_DEADLINE_EXCEEDED, Condition, progressing, ready, stalled
from reconcilers.environment.placement import asked_of_nodes
from reconcilers.environment.resources import resources
from reconcilers.options import Options
from reconcilers.outcomes import Done, Outcome, RequeueAfter
from reconcilers.ports import CRASH_LOOP, ServiceProgress
from specs.run_rules import tmpfs_of
from specs.snapshots import EnvironmentSnapshot
from specs.units import format_cpu, format_memory

POLL_FASTEST, POLL_SLOWEST = 0.15, 2.0
_PATIENT_SECONDS, _MOST_PATIENT_SECONDS = 10.0, 300.0
_KILLED_BY_A_SIGNAL = 125
_S6 = 100
_NO_ROOM = "insufficient resources"
_NO_SUCH_NODE = "scheduling constraints not satisfied"

Said = tuple[tuple[Condition, ...], Outcome]


def assess(
    snapshot: EnvironmentSnapshot,
    observed: Sequence[ServiceProgress],
    *,
    waiting_seconds: float,
    options: Options,
) -> Said:
    """What to say of the environment, and when to look again.

    Args:
        snapshot: what is wanted.
        observed: how far each of its services is.
        waiting_seconds: how long it has not come any further.
        options: say how long that may be, beside what the environment declares of its start and its end.
    """
    if snapshot.suspended:
        return _suspended(observed, waiting_seconds)
    blocked = [r for r in observed if r.blocked]
    if blocked:
        settled = all(r.running == r.desired and not r.outdated for r in blocked)
        told = "; ".join(_blocked(r, _image(snapshot)) + advice(snapshot, r) for r in blocked)
        return stalled("RolledBack", told), Done() if settled else _poll(waiting_seconds)
    if all(r.stable for r in observed):
        tasks = sum(r.running for r in observed)
        told = f"{tasks} task(s) of {len(observed)} service(s) run {snapshot.image_ref}"
        return ready("Deployed", "; ".join(filter(None, (told, snapshot.overruled())))), _later(observed)
    looping = [r for r in observed if r.looping]
    if looping:
        told = "; ".join(f"{r.service}: {_looping(r, _image(snapshot))}{advice(snapshot, r)}" for r in looping)
        return stalled("CrashLoop", told), _patiently(waiting_seconds)
    progress = "; ".join(_progress(r) for r in observed if not r.stable)
    waiting = (
        f"{progress}; {_image(snapshot)} is on its way{_room(snapshot, observed)}{_nodes(snapshot, observed, options)}"
    )
    deadline = options.progress_deadline_seconds + declared_seconds(snapshot)
    return _rolling_out(observed, waiting, waiting_seconds, deadline)


def _rolling_out(
    observed: Sequence[ServiceProgress], waiting: str, waiting_seconds: float, deadline_seconds: float
) -> Said:
    if all(r.complete for r in observed):
        return progressing("RollingOut", waiting), RequeueAfter(max(r.settles_in for r in observed))
    if waiting_seconds > deadline_seconds:
        message = (
            f"no progress for {deadline_seconds:.0f} s: {waiting}. Swarm goes on trying; mend that, or change the spec"
        )
        return progressing(PROGRESS_DEADLINE_EXCEEDED, message), _patiently(waiting_seconds)
    return progressing("RollingOut", waiting), _poll(waiting_seconds)


def _room(snapshot: EnvironmentSnapshot, observed: Sequence[ServiceProgress]) -> str:
    """What a task needs, where there is no node with so much."""
    if not any(_NO_ROOM in r.problem for r in observed):
        return ""
    reserved = resources(snapshot)["Reservations"]
    cpu, memory = format_cpu(Decimal(reserved["NanoCPUs"]) / 10**9), format_memory(reserved["MemoryBytes"] // 1024**2)
    return f". A task reserves {cpu} cores and {memory}, a part of its cpu and memory: ask for less, or add nodes"


def _nodes(snapshot: EnvironmentSnapshot, observed: Sequence[ServiceProgress], options: Options) -> str:
    """What labels a node must have, where none has them that is there and takes tasks."""
    asked = asked_of_nodes(snapshot, options)
    if not asked or not any(_NO_SUCH_NODE in r.problem for r in observed):
        return ""
    pairs = [f"{label}={value}" for label, value in asked.items()]
    return (
        f". It runs only on nodes with the label{'s' * (len(pairs) > 1)} {' and '.join(pairs)}: have one take tasks, "
        f"label one (`docker node update --label-add {pairs[0]} NODE`), or ask for another region or pool"
    )


def _later(observed: Sequence[ServiceProgress]) -> Outcome:
    left = max((r.proves_in for r in observed), default=0.0)
    return RequeueAfter(left) if left else Done()


def _poll(waiting_seconds: float) -> RequeueAfter:
    return RequeueAfter(min(POLL_SLOWEST, max(POLL_FASTEST, waiting_seconds / 5)))


def _patiently(waiting_seconds: float) -> RequeueAfter:
    """What does not get on is looked at less and less; that its tasks are there, or not, wakes it at once."""
    return RequeueAfter(min(_MOST_PATIENT_SECONDS, max(_PATIENT_SECONDS, waiting_seconds / 12)))


def declared_seconds(snapshot: EnvironmentSnapshot) -> float:
    """How long one task may take by what is declared: to be called healthy or given up, and to end."""
    longest = 0.0
    for process in snapshot.effective_processes():
        grace = snapshot.stop_grace_seconds if process.stop_grace_seconds is None else process.stop_grace_seconds
        check = process.healthcheck
        start = check.start_period_seconds + check.interval_seconds * check.retries if check else 0.0
        longest = max(longest, grace + start)
    return longest


def advice(snapshot: EnvironmentSnapshot, rollout: ServiceProgress) -> str:
    """What to change when an image does not get along with the security baseline; empty when that is not the cause."""
    code = rollout.exit_code or 0
    if rollout.check:  # the check says what is wrong; the exit code, how it took being stopped
        return ""
    if code == _S6:
        return ". An image with s6-overlay must be process 1 itself: set init to false" if snapshot.init else ""
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


def _suspended(observed: Sequence[ServiceProgress], waiting_seconds: float) -> Said:
    still = [r for r in observed if r.running or r.outdated or r.stopping]
    if not still:
        return ready("Suspended", "stopped on request: no task runs; clear `suspended` to start it again"), Done()
    tasks = sum(r.stopping + r.running + r.outdated for r in still)
    message = (
        f"Stopping: {tasks} task(s) of {', '.join(r.service for r in still)} were asked to stop and still run, "
        "for their grace period at most"
    )
    return progressing("Stopping", message), RequeueAfter(min(_PATIENT_SECONDS, max(POLL_FASTEST, waiting_seconds / 5)))


def _blocked(rollout: ServiceProgress, image: str) -> str:
    """What failed and how, and what runs meanwhile."""
    same = image in rollout.images
    text = f"{rollout.service}: {'a new version of ' if same else ''}{image} failed and was taken back"
    cause = rollout.check or rollout.failure or rollout.problem
    if rollout.failures > 1:  # going back costs the history some of them
        text += f": it was a crash loop: {cause}"
    elif cause:
        text += f": {cause}"
    meanwhile = (
        "the one before runs" if same else f"{', '.join(rollout.images)} runs" if rollout.images else "no task runs"
    )
    return f"{text}; {meanwhile} meanwhile; change the spec to try again, or `skypanel reconcile` it as it is"


def _looping(rollout: ServiceProgress, image: str) -> str:
    """In words that hold as long as it goes on."""
    return (
        f"tasks of {image} end again and again, {CRASH_LOOP} times or more within ten minutes: "
        f"{rollout.check or rollout.failure}; Swarm goes on starting them, and those that stay up serve meanwhile; "
        "change the spec, or let them stay up"
    )


def _image(snapshot: EnvironmentSnapshot) -> str:
    return snapshot.image_ref or ""


def _progress(rollout: ServiceProgress) -> str:
    parts = [f"{rollout.service}: {rollout.running}/{rollout.desired} run"]
    if rollout.outdated:
        older = f" of {', '.join(rollout.images)}" if not rollout.running and rollout.images else ""
        parts.append(f"{rollout.outdated} older{older} still run")
    if rollout.stopping and not rollout.desired:
        parts.append(f"{rollout.stopping} stop")
    if rollout.pending:
        parts.append(f"{rollout.pending} wait for a node or an address")
    if not rollout.complete and rollout.update_state == "updating" and rollout.running == rollout.desired:
        parts.append("Swarm is watching the new tasks")
    if rollout.complete:
        parts.append("ready when they have stayed up")
    if rollout.check:
        parts.append(rollout.check)
    elif rollout.problem:
        parts.append(f"newest error: {rollout.problem}")
    elif rollout.failure:
        parts.append(f"a previous one ended: {rollout.failure}")
    return ", ".join(parts)
