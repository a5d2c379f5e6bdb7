"""What is said of an environment, by how far the tasks of its services are, and when to look again. Pure.

``Ready`` is said of tasks that have stayed up, not of tasks that just run. What ends again and again is ``CrashLoop``,
what was not healthy in time ``Unhealthy``, in words that stay the same while it goes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal

from reconcilers.conditions import PROGRESS_DEADLINE_EXCEEDED, Condition, progressing, ready, stalled
from reconcilers.environment.canary import quiet_seconds, rests, seconds_left
from reconcilers.environment.canary import told as canary_told
from reconcilers.environment.container import grace_seconds
from reconcilers.environment.failing import advice, failing
from reconcilers.environment.placement import asked_of_nodes
from reconcilers.environment.policies import NOTHING_RUNS
from reconcilers.environment.resources import resources
from reconcilers.options import Options
from reconcilers.outcomes import Done, Outcome, RequeueAfter
from reconcilers.ports import ServiceProgress
from specs.snapshot_parts import VerdictSnapshot
from specs.snapshots import EnvironmentSnapshot
from specs.units import format_cpu, format_memory

POLL_FASTEST, POLL_SLOWEST = 0.15, 2.0
_PATIENT_SECONDS, _MOST_PATIENT_SECONDS = 10.0, 300.0
_BEGINNING = datetime.fromtimestamp(0, UTC)
_NO_ROOM = "insufficient resources"
_NO_SUCH_NODE = "scheduling constraints not satisfied"

Said = tuple[tuple[Condition, ...], Outcome]


def assess(
    snapshot: EnvironmentSnapshot,
    observed: Sequence[ServiceProgress],
    *,
    waiting_seconds: float,
    options: Options,
    release: int = 0,
    now: datetime = _BEGINNING,
) -> Said:
    """What to say of the environment, and when to look again.

    Args:
        snapshot: what is wanted.
        observed: how far each of its services is.
        waiting_seconds: how long it has not come any further.
        options: say how long that may be, beside what the environment declares of its start and its end.
        release: which version it is to run.
        now: by the wall clock.
    """
    if snapshot.suspended:
        return _suspended(observed, waiting_seconds)
    if snapshot.withheld and snapshot.verdict is not None:
        return _withheld(snapshot.verdict, observed, waiting_seconds)
    blocked = [r for r in observed if r.blocked]
    if blocked:
        settled = all(not r.running if r.bereft else r.running + r.completed == r.desired for r in blocked) and not any(
            r.outdated for r in blocked
        )
        told = "; ".join(_blocked(r, _image(snapshot)) + advice(snapshot, r) for r in blocked)
        return stalled("RolledBack", told), Done() if settled else _poll(waiting_seconds)
    if all(r.stable for r in observed):
        tasks = sum(r.running for r in observed)
        told = f"{tasks} task(s) of {len(observed)} service(s) run {snapshot.image_ref}"
        if ended := sum(r.completed for r in observed):
            told += f", {ended} ended well and are done"
        return ready("Deployed", "; ".join(filter(None, (told, snapshot.overruled(), _violated(snapshot))))), _later(
            observed
        )
    if found := [r for r in observed if r.looping or r.never_healthy]:
        return failing(snapshot, found), _settling(observed, _patiently(waiting_seconds))
    return _canary(snapshot, observed, waiting_seconds, release, now) or _on_its_way(
        snapshot, observed, waiting_seconds, options
    )


def _canary(
    snapshot: EnvironmentSnapshot,
    observed: Sequence[ServiceProgress],
    waiting_seconds: float,
    release: int,
    now: datetime,
) -> Said | None:
    """What is said while services rest; None: none does."""
    resting = [r for r in observed if rests(r)]
    if not resting:
        return None
    told = "; ".join(canary_told(snapshot, r, release, now) for r in resting)
    return progressing("Canary", f"{told}; it goes on by itself"), RequeueAfter(
        _next_look(snapshot, observed, waiting_seconds)
    )


def _on_its_way(
    snapshot: EnvironmentSnapshot, observed: Sequence[ServiceProgress], waiting_seconds: float, options: Options
) -> Said:
    progress = "; ".join(_progress(r) for r in observed if not r.stable)
    waiting = (
        f"{progress}; {_image(snapshot)} is on its way{_room(snapshot, observed)}{_nodes(snapshot, observed, options)}"
    )
    deadline = options.progress_deadline_seconds + declared_seconds(snapshot) + quiet_seconds(snapshot)
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


def _next_look(snapshot: EnvironmentSnapshot, observed: Sequence[ServiceProgress], waiting_seconds: float) -> float:
    """When the first of those that rest may go on, or the first of the others is to be looked at."""
    polled = min(POLL_SLOWEST, max(POLL_FASTEST, waiting_seconds / 5))
    waits = [max(POLL_FASTEST, seconds_left(snapshot, r)) if rests(r) else polled for r in observed if not r.stable]
    return min(waits) + POLL_FASTEST


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


def _settling(observed: Sequence[ServiceProgress], later: RequeueAfter) -> RequeueAfter:
    """``later``, or when what is all there has stayed up."""
    left = max(r.settles_in for r in observed)
    return RequeueAfter(min(later.seconds, left)) if left and all(r.complete for r in observed) else later


def declared_seconds(snapshot: EnvironmentSnapshot) -> float:
    """How long one task may take by what is declared: to be called healthy or given up, and to end."""
    longest = 0.0
    for process in snapshot.own_processes():
        grace = grace_seconds(snapshot, process)
        check = process.healthcheck
        longest = max(longest, grace + (check.longest_seconds if check else 0.0))
    return longest


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


def _withheld(verdict: VerdictSnapshot, observed: Sequence[ServiceProgress], waiting_seconds: float) -> Said:
    conditions = stalled(verdict.reason, verdict.message)
    return conditions, Done() if _suspended(observed, waiting_seconds)[1] == Done() else _poll(waiting_seconds)


def _violated(snapshot: EnvironmentSnapshot) -> str:
    """What image policies have against what runs; empty when nothing."""
    return snapshot.verdict.message if snapshot.verdict is not None and snapshot.verdict.reason else ""


def _blocked(rollout: ServiceProgress, image: str) -> str:
    """What failed and how, and what runs meanwhile."""
    same = image in rollout.images
    text = f"{rollout.service}: {'a new version of ' if same else ''}{image} failed and was taken back"
    cause = rollout.check or rollout.failure or rollout.problem
    if rollout.failures > 1:  # going back costs the history some of them
        text += f": it was a crash loop: {cause}"
    elif cause:
        text += f": {cause}"
    if rollout.bereft:
        return f"{text}; {NOTHING_RUNS}; change the spec, or have a policy allow what ran before"
    meanwhile = (
        "the one before runs" if same else f"{', '.join(rollout.images)} runs" if rollout.images else "no task runs"
    )
    return f"{text}; {meanwhile} meanwhile; change the spec to try again, or `skypanel reconcile` it as it is"


def _image(snapshot: EnvironmentSnapshot) -> str:
    return snapshot.image_ref or ""


def _progress(rollout: ServiceProgress) -> str:
    parts = [f"{rollout.service}: {rollout.running}/{rollout.desired} run"]
    if rollout.completed:
        parts.append(f"{rollout.completed} ended well")
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
