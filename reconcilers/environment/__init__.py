"""Environment: one Swarm service a process, on the organization's network, with the routes of its domains.

Expected flow: the organization's network is there -> with config vars: what the image is, and their values for secrets
that are new -> render (pure) -> the release is on record -> apply -> observe the tasks until all of them run the new
spec and Swarm has stopped watching them -> Ready.

Guarantees: the names are deterministic, so a create that was lost and is done again finds itself; a task template that
failed is reported and not tried again before it changes, whatever else does; services of removed processes go.

Assumptions: the snapshot is valid (for one that is not, the loop keeps what ``salvage`` gives).
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from reconcilers.conditions import is_stuck
from reconcilers.config_vars import ConfigVars
from reconcilers.environment.assessment import assess
from reconcilers.environment.config import as_declared
from reconcilers.environment.domains import domain_statuses
from reconcilers.environment.gates import admit, home
from reconcilers.environment.handover import handing_over
from reconcilers.environment.links import LINKS
from reconcilers.environment.processes import declared_processes, process_statuses
from reconcilers.environment.relaxed import relaxed
from reconcilers.environment.release import note_deployed, released
from reconcilers.environment.salvage import salvaged
from reconcilers.environment.service import preview, render
from reconcilers.environment.supplies import FACTS, looked_up, supplied
from reconcilers.helper import Helper
from reconcilers.images import Images
from reconcilers.logins import Logins
from reconcilers.outcomes import Outcome, TerminalError, TransientError
from reconcilers.ports import Child, Context, ServiceProgress
from reconcilers.registry import reconciler
from reconcilers.releases import Releases
from specs.snapshots import EnvironmentSnapshot


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
    admit=admit,
    children=children,
    speaks_for=("process", "domain"),
    salvage=salvaged,
    links=LINKS,
    wakes_on=("organization",),
    uses=(ConfigVars, Helper, Images, Logins, Releases),
    writes=(FACTS,),
    concurrency=128,
    resync_seconds=300.0,
)
async def reconcile_environment(context: Context, snapshot: EnvironmentSnapshot) -> Outcome:
    """Converge one environment's services."""
    network = home(snapshot, context.live)
    try:
        snapshot = await looked_up(context, snapshot)
        objects = render(snapshot, context.options, network)
        whole = await supplied(context, snapshot, objects)
    except (TerminalError, TransientError):
        await context.keep()
        raise
    release = await released(context, snapshot)
    await context.apply(whole)
    observed = [_in_words(snapshot, found) for found in await context.observe(objects.services)]
    former = await context.retire(objects, [found.service for found in observed if found.stable])
    judge = partial(
        assess,
        snapshot,
        waiting_seconds=context.waiting_seconds,
        options=context.options,
    )
    conditions, outcome = judge(observed)
    if is_stuck(conditions):
        observed = await context.explain(observed)
        conditions, outcome = judge(observed)
    missing = () if snapshot.suspended else context.missing_hosts
    conditions, outcome = handing_over(conditions, outcome, former, missing)
    await note_deployed(context, release, conditions, observed)
    progress = {found.service: found for found in observed}
    context.report(
        conditions,
        details={
            "image": snapshot.image_ref or "",
            "release": release.version,
            "running": sorted({image for found in observed if not found.looping for image in found.images}),
            "services": {name: p.details for name, p in progress.items()},
            **({"relaxed": loose} if (loose := relaxed(snapshot)) else {}),
        },
        children=[
            *process_statuses(snapshot, progress, conditions, context.options),
            *await domain_statuses(context, snapshot, progress, conditions, network.name),
        ],
    )
    return outcome


def _in_words(snapshot: EnvironmentSnapshot, found: ServiceProgress) -> ServiceProgress:
    """With images as they were declared."""
    return replace(found, images=tuple(sorted({as_declared(snapshot, image) for image in found.images})))
