"""Environment: one Swarm service a process, on the organization's network, with the routes of its domains.

Expected flow: the organization's network is there -> for a new release, or a tag that is followed: what the image is ->
values for secrets that are new -> render (pure) -> the release is on record -> its command has ended well -> apply ->
observe the tasks until all of them run the new spec and Swarm has stopped watching them -> Ready.

Guarantees: the names are deterministic, so a create that was lost and is done again finds itself; a task template that
failed is reported and not tried again before it changes, whatever else does; services of removed processes go.

Assumptions: the snapshot is valid (for one that is not, the loop keeps what ``salvage`` gives).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from reconcilers.conditions import Condition, is_stuck
from reconcilers.config_vars import ConfigVars
from reconcilers.environment.ahead import held, preview
from reconcilers.environment.assessment import assess
from reconcilers.environment.by_tag import as_it_runs
from reconcilers.environment.canary import going_on, proven
from reconcilers.environment.command import NOTHING_SERVES, SERVES, Phase, commanded
from reconcilers.environment.config import as_declared, digest_of
from reconcilers.environment.deadline import in_time
from reconcilers.environment.domains import domain_statuses
from reconcilers.environment.follow import followed, following, seconds_left, sooner
from reconcilers.environment.gates import admit, home
from reconcilers.environment.handover import handing_over
from reconcilers.environment.links import LINKS
from reconcilers.environment.meanwhile import judged_anew, judged_unread
from reconcilers.environment.policies import NOTHING_RUNS, VERDICTS, foreseen, must_stop, permitted
from reconcilers.environment.port_check import as_checked
from reconcilers.environment.processes import declared_processes, process_statuses
from reconcilers.environment.relaxed import relaxed
from reconcilers.environment.release import as_released, note_deployed, released
from reconcilers.environment.salvage import salvaged
from reconcilers.environment.service import render
from reconcilers.environment.supplies import FACTS, looked_up, supplied
from reconcilers.helper import Helper
from reconcilers.images import Images
from reconcilers.logins import Logins
from reconcilers.objects import Objects
from reconcilers.outcomes import (
    NotReadyError,
    Outcome,
    ReconcileError,
    RequeueAfter,
    TerminalError,
    TransientError,
)
from reconcilers.ports import Child, ChildStatus, Context, ServiceProgress
from reconcilers.registry import reconciler
from reconcilers.releases import Releases
from reconcilers.vulnerabilities import VulnerabilityReports
from specs.snapshot_parts import ReleaseSnapshot
from specs.snapshots import EnvironmentSnapshot

JOB_GOES_SECONDS = 0.5
READ_AGAIN_SECONDS = 0.1


def children(snapshot: EnvironmentSnapshot) -> list[Child]:
    """Its processes and domains."""
    return [
        *(Child("process", str(process.id), process.generation) for process in declared_processes(snapshot)),
        *(Child("domain", str(domain.id), domain.generation) for domain in snapshot.domains),
    ]


@reconciler(
    "environment",
    snapshot=EnvironmentSnapshot,
    preview=preview,
    held=held,
    admit=admit,
    foreseen=foreseen,
    children=children,
    speaks_for=("process", "domain"),
    salvage=salvaged,
    stops=must_stop,
    unread=judged_unread,
    links=LINKS,
    wakes_on=("organization",),
    uses=(ConfigVars, Helper, Images, Logins, Releases, VulnerabilityReports),
    writes=(FACTS, VERDICTS),
    concurrency=128,
    resync_seconds=300.0,
)
async def reconcile_environment(context: Context, snapshot: EnvironmentSnapshot) -> Outcome:
    """Converge one environment's services."""
    network = home(snapshot, context.live)
    snapshot = as_it_runs(snapshot, context.live, context.options)
    try:
        snapshot = await permitted(context, snapshot, known=False)
        snapshot = await followed(context, await looked_up(context, snapshot))
        snapshot = as_released(as_checked(snapshot))
        snapshot = await permitted(context, snapshot, known=True)
        objects = render(snapshot, context.options, network)
        whole = await supplied(context, snapshot, objects)
    except (TerminalError, TransientError) as error:
        await _kept(context, snapshot, error)
        if isinstance(error, TerminalError):
            error.after = seconds_left(context, snapshot)
        raise
    if not (snapshot.release and snapshot.release.deployed) and (
        verdict := await judged_anew(context, snapshot, allowed=True)
    ):
        raise NotReadyError(verdict.reason or "RollingOut", verdict.message, retry_after=READ_AGAIN_SECONDS)
    release = await released(context, snapshot)
    phase = await commanded(context, snapshot, release, whole, network)
    if not phase.over:
        return sooner(await _held(context, snapshot, release, phase), context, snapshot)
    whole = replace(whole, objects=(*whole.objects, *phase.beside.objects))
    observed = [_in_words(snapshot, found) for found in await _rolled_out(context, whole)]
    former = await context.retire(objects, [found.service for found in observed if found.stable])
    judge = partial(
        assess,
        snapshot,
        waiting_seconds=context.waiting_seconds,
        options=context.options,
        release=release.version,
        now=context.now(),
    )
    conditions, outcome = judge(observed)
    if is_stuck(conditions) or any(found.unhealthy for found in observed):
        observed = await context.explain(observed)
        conditions, outcome = judge(observed)
    missing = () if snapshot.suspended or snapshot.withheld else context.missing_hosts
    conditions, outcome = handing_over(conditions, outcome, former, missing)
    noted = await note_deployed(context, release, conditions, observed)
    progress = {found.service: found for found in observed}
    context.report(
        conditions,
        details=_details(snapshot, release, observed, conditions),
        children=[
            *process_statuses(snapshot, release, progress, conditions, context.options),
            *await domain_statuses(context, snapshot, progress, conditions, network.name),
        ],
    )
    outcome = RequeueAfter(JOB_GOES_SECONDS) if noted and phase.beside.objects else outcome
    return sooner(in_time(outcome, observed), context, snapshot)


async def _kept(context: Context, snapshot: EnvironmentSnapshot, error: ReconcileError) -> None:
    """Have what worked last, as far as its image policies let it; ``error`` is what is in the way of the rest.

    Raises:
        NotReadyError: they want something else of it than was known: that is looked at first.
    """
    try:
        verdict = await judged_anew(context, snapshot)
    except TransientError:  # then nobody knows, and what is known counts
        verdict = None
    if verdict is not None:
        raise NotReadyError(error.reason, error.message, retry_after=READ_AGAIN_SECONDS) from None
    await context.keep()
    if context.bereft and not snapshot.suspended:
        error.message = f"{error.message}; {NOTHING_RUNS}"


async def _rolled_out(context: Context, whole: Objects) -> list[ServiceProgress]:
    """How far the services are, of which those go on whose first tasks have been quiet."""
    await context.apply(whole)
    observed = await context.observe(whole.services)
    if names := proven(observed, whole):
        await context.apply(going_on(whole, names))
        observed = await context.observe(whole.services)
    return observed


async def _held(context: Context, snapshot: EnvironmentSnapshot, release: ReleaseSnapshot, phase: Phase) -> Outcome:
    """What worked last serves, and nothing of a new release is applied yet."""
    kept = await context.hold(phase.beside)
    observed = [_in_words(snapshot, found) for found in await context.observe(kept)]
    conditions, outcome = phase.said or assess(
        snapshot, observed, waiting_seconds=context.waiting_seconds, options=context.options
    )
    if context.bereft:
        conditions = tuple(replace(each, message=each.message.replace(SERVES, NOTHING_SERVES)) for each in conditions)
    said = [ChildStatus(child.kind, child.id, child.generation, conditions) for child in children(snapshot)]
    details = _details(snapshot, release, observed, conditions)
    context.report(conditions, details=details, children=said)
    return in_time(outcome, observed)


def _details(
    snapshot: EnvironmentSnapshot,
    release: ReleaseSnapshot,
    observed: Sequence[ServiceProgress],
    conditions: Sequence[Condition],
) -> dict[str, object]:
    running = {image for r in observed if not (r.looping or r.never_healthy) for image in r.images}
    return {
        "image": snapshot.image_ref or "",
        **({"digest": digest} if (digest := digest_of(snapshot)) else {}),
        **({"index": resolved.index} if digest and (resolved := snapshot.resolved) and resolved.index else {}),
        "release": release.version,
        "running": sorted(running),
        "services": {found.service: found.details for found in observed},
        **({"relaxed": loose} if (loose := relaxed(snapshot)) else {}),
        **({"follow": told} if (told := following(snapshot, failed=is_stuck(conditions))) else {}),
        **({"policy": said.verdict} if (said := snapshot.verdict) and said.reason else {}),
    }


def _in_words(snapshot: EnvironmentSnapshot, found: ServiceProgress) -> ServiceProgress:
    """With images as they were declared."""
    return replace(found, images=tuple(sorted({as_declared(snapshot, image) for image in found.images})))
