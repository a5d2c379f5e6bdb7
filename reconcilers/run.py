"""Run: a command that is run once in an environment, detached, as a process of its release; never twice.

    made without a task -> its id is on record -> its task is let begin -> it ends -> that is on record -> it goes

Guarantees: whether it began is asked of the record and of the Swarm, and never guessed. Its task begins in the one
object whose id was written down before, in the statement that also checks the lease; no other is ever let begin, so
whatever dies between any two lines, and whatever is made anew, the command is run at most once. Swarm never starts the
task again (``Job.once``). An object that is gone though nobody had it removed is not replaced: then nobody knows what
became of it, and that is what is said. What is on record of its end stays as it is.

Assumptions: one controller leads, and its statements are fenced.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from reconcilers import labels
from reconcilers.conditions import Condition, progressing, ready, stalled
from reconcilers.config_vars import ConfigVars
from reconcilers.environment.gates import admit as admit_environment
from reconcilers.environment.gates import home
from reconcilers.environment.names import owner_of
from reconcilers.environment.policies import foreseen as policies_foresee
from reconcilers.environment.policies import is_stopped, may_come, must_stop
from reconcilers.environment.service import pulls_as, render, task_template
from reconcilers.environment.supplies import pull_of, supplied
from reconcilers.helper import Helper
from reconcilers.images import Images
from reconcilers.jobs import Job, JobProgress, begun
from reconcilers.logins import Logins
from reconcilers.objects import HomeNetwork, Objects, Service, SpecDocument
from reconcilers.outcomes import Done, NotReadyError, Outcome, RequeueAfter, TerminalError, TransientError
from reconcilers.ports import Context, LiveJob, LookAhead, Options
from reconcilers.registry import reconciler
from reconcilers.run_links import LINKS
from reconcilers.template import image_of
from reconcilers.vulnerabilities import VulnerabilityReports
from specs.names import run_job_name
from specs.problems import InvalidSpec
from specs.runs import RunRecord, RunSnapshot
from specs.snapshots import EnvironmentSnapshot

RECORDS = "paas_run_records"
"""The table of what is on record of runs: one row each."""
BEGINS_WITHIN = timedelta(hours=1)
"""What could not begin for so long is not begun any more: nobody expects it by then."""
SURE_SECONDS = 5.0
"""So long a look at the Swarm may be behind."""
_SOON, _QUICKEST, _SLOWEST, _HELD = 0.2, 0.5, 5.0, 5.0
_UNREAD = "not-read-yet"
_REASONS = {
    "succeeded": "Succeeded",
    "failed": "RunFailed",
    "timed_out": "TimedOut",
    "stopped": "Stopped",
    "not_started": "NotStarted",
    "unknown": "OutcomeUnknown",
}


def foreseen(snapshot: RunSnapshot, options: Options) -> None:
    """Before its row is there: refuse what would not begin.

    Raises:
        InvalidSpec: there is no release, the environment cannot be run here, or an image policy refuses its image.
    """
    found = snapshot.in_environment()
    admit_environment(found, options)
    policies_foresee(found, options)


def preview(snapshot: RunSnapshot, look: LookAhead) -> Objects:
    """What comes of it, or is there."""
    name = job_name(snapshot, look.options)
    live = look.live.find(Job.object_type, name)
    if snapshot.record.outcome is not None:
        return Objects()
    if isinstance(live, LiveJob):
        return Objects((Job.as_it_is(name, dict(live.spec)),))
    network = look.live.network_of(str(snapshot.organization.id))
    home_network = HomeNetwork(network.id, network.name) if network is not None else HomeNetwork(_UNREAD, _UNREAD)
    return rendered(snapshot, snapshot.as_process(snapshot.in_environment()), look.options, home_network)


def job_name(snapshot: RunSnapshot, options: Options) -> str:
    """Of its job; renames leave it as it is."""
    return run_job_name(installation=options.installation, run=snapshot.id)


def rendered(snapshot: RunSnapshot, process: EnvironmentSnapshot, options: Options, network: HomeNetwork) -> Objects:
    """The job, whose task has not begun, with the secrets and configs of its own that it is given. Pure."""
    others = (each for each in render(process, options, network).objects if not isinstance(each, Service))
    (command,) = process.effective_processes()
    job = Job.once(
        job_name(snapshot, options),
        task_template(process, command, options, network, aliases=()),
        labels={**owner_of(process, options), **pulls_as(process)},
    )
    return Objects((*others, job))


@reconciler(
    "run",
    snapshot=RunSnapshot,
    preview=preview,
    foreseen=foreseen,
    links=LINKS,
    wakes_on=("environment",),
    uses=(ConfigVars, Helper, Images, Logins, VulnerabilityReports),
    writes=(RECORDS,),
    limited=False,
    concurrency=32,
)
async def reconcile_run(context: Context, snapshot: RunSnapshot) -> Outcome:
    """Have one command run once, and say what became of it."""
    record, found = snapshot.record, context.live.find(Job.object_type, job_name(snapshot, context.options))
    live = found if isinstance(found, LiveJob) else None
    if record.outcome is not None:
        return await _is_over(context, snapshot, record)
    if record.service_id is not None:
        return await _goes_on(context, snapshot, live)
    if live is not None and begun(live.spec):  # it was read before that was written down: the Swarm knows better
        await _note(context, service_id=live.id, begun_at=context.now())
        return RequeueAfter(_SOON)
    if snapshot.stopped:
        return await _end(context, snapshot, RunRecord(outcome="stopped", message="it was stopped before it began"))
    return await _begin(context, snapshot)


# -- before it begins ------------------------------------------------------------------------------------------------


async def _begin(context: Context, snapshot: RunSnapshot) -> Outcome:
    """Have it begin, as soon as it may."""
    try:
        _may_begin(snapshot)
        live = await _made(context, snapshot)
    except (TerminalError, InvalidSpec) as error:
        reason = error.reason if isinstance(error, TerminalError) else "InvalidSpec"
        message = error.message if isinstance(error, TerminalError) else str(error)
        return await _end(context, snapshot, RunRecord(outcome="not_started", message=f"{reason}: {message}"))
    except TransientError as error:
        if context.now() - snapshot.created_at > BEGINS_WITHIN:
            why = f"it could not begin within {BEGINS_WITHIN.total_seconds():.0f} s: {error.reason}: {error.message}"
            return await _end(context, snapshot, RunRecord(outcome="not_started", message=why))
        raise
    assert snapshot.released is not None
    await _note(context, service_id=live.id, begun_at=context.now(), release=snapshot.released.version)
    await context.apply(Objects((_beginning(live),)))
    context.report(
        progressing("Starting", "its task starts; it is looked at again by itself"),
        details=_details(snapshot, snapshot.record),
    )
    return RequeueAfter(_SOON)


def _may_begin(snapshot: RunSnapshot) -> None:
    """Nothing that people do holds it.

    Raises:
        NotReadyError: something does; it begins by itself when that ends, within an hour.
    """
    if snapshot.suspended:
        raise NotReadyError("Suspended", "its environment is suspended; it waits until that ends", retry_after=_HELD)
    if snapshot.paused is not None:
        why = f": {snapshot.paused}" if snapshot.paused else ""
        raise NotReadyError("Paused", f"its environment is paused{why}; it waits until that ends", retry_after=_HELD)


async def _made(context: Context, snapshot: RunSnapshot) -> LiveJob:
    """The job, on the Swarm, whose task has not begun.

    Raises:
        ReconcileError, InvalidSpec: it cannot be made, or must not.
    """
    found = snapshot.in_environment()
    admit_environment(found, context.options)
    network = home(found, context.live)
    await may_come(context, found)
    if is_stopped(found, context.options):
        raise TerminalError("ImageBlocked", "an image policy has all tasks of its image stopped; set another image")
    process = snapshot.as_process(found)
    objects = await supplied(context, process, rendered(snapshot, process, context.options, network))
    pull = await pull_of(context, process)
    objects = replace(
        objects, objects=tuple(replace(each, pull=pull) if isinstance(each, Job) else each for each in objects.objects)
    )
    await context.apply(objects)
    live = context.live.find(Job.object_type, job_name(snapshot, context.options))
    if not isinstance(live, LiveJob):
        raise NotReadyError(
            "Starting", "its job was made, and is not seen yet; it is looked at again", retry_after=_SOON
        )
    return live


def _beginning(live: LiveJob) -> Job:
    """``live`` with its task begun: the very object, and nothing else of it is another."""
    ours = {name: value for name, value in live.labels.items() if name not in (labels.SPEC_HASH, labels.TEMPLATE_HASH)}
    template: SpecDocument = dict(live.spec["TaskTemplate"])
    return Job.once(live.name, template, labels=ours, begins=live.id)


# -- since it may have begun -----------------------------------------------------------------------------------------


async def _goes_on(context: Context, snapshot: RunSnapshot, live: LiveJob | None) -> Outcome:
    record = snapshot.record
    if live is None or live.id != record.service_id:
        return await _is_gone(context, snapshot, record)
    if record.ending is not None:
        return await _leave(context, snapshot, record)
    if begun(live.spec):
        return await _has_come(context, snapshot, live)
    if snapshot.stopped:
        return await _stop(context, snapshot, RunRecord(ending="stopped", ending_message="it was stopped"))
    await context.apply(Objects((_beginning(live),)))
    context.report(
        progressing("Starting", "its task starts; it is looked at again by itself"), details=_details(snapshot, record)
    )
    return RequeueAfter(_SOON)


async def _has_come(context: Context, snapshot: RunSnapshot, live: LiveJob) -> Outcome:
    """How far its task is."""
    record = snapshot.record
    job = replace(Job.as_it_is(live.name, dict(live.spec)), only=live.id)
    await context.apply(Objects((job,)))  # nothing is written to it; what it is given stays, and it is remembered
    (found,) = await context.observe_jobs([job])
    if found.over:
        return await _end(context, snapshot, _ended(found))
    if record.started_at is not None and not (found.running or found.pending or found.stopping):
        return await _is_missing(context, snapshot, record)
    if why := _to_be_stopped(context, snapshot, live, found):
        return await _stop(context, snapshot, why)
    if found.running and record.started_at is None:
        await _note(context, started_at=context.now())
        record = record.model_copy(update={"started_at": context.now()})
    if record.missing_at is not None:
        await _note(context, missing_at=None)
    context.report(_running(found), details=_details(snapshot, record))
    again = min(_SLOWEST, max(_QUICKEST, found.seconds / 20))  # who waits for what is short waits not much longer
    return RequeueAfter(max(_SOON, min(again, snapshot.timeout_seconds - found.seconds)))


def _to_be_stopped(context: Context, snapshot: RunSnapshot, live: LiveJob, found: JobProgress) -> RunRecord | None:
    """What it will have come to, where it is not to go on; None: it is."""
    lost = "; its node is lost, and nobody knows how it is" if found.lost else ""
    if found.seconds > snapshot.timeout_seconds:
        waited = "" if found.running else f": it waited: {found.problem or 'its task did not start'}"
        ending, why = "timed_out", f"it had not ended after {snapshot.timeout_seconds} s, and was stopped{waited}"
    elif snapshot.stopped:
        ending, why = "stopped", "it was stopped"
    elif snapshot.suspended:
        ending, why = "stopped", "it was stopped, as its environment was suspended"
    elif must_stop(snapshot.environment, image_of(live.spec), context.options):
        ending, why = "stopped", "it was stopped: an image policy has all tasks of its image stopped"
    else:
        return None
    return RunRecord.model_validate({"ending": "unknown" if lost else ending, "ending_message": f"{why}{lost}"})


async def _stop(context: Context, snapshot: RunSnapshot, why: RunRecord) -> Outcome:
    """Have it stop, with the signal and the time that the environment gives; what that is for is on record before."""
    await _note(context, ending=why.ending, ending_message=why.ending_message)
    return await _leave(context, snapshot, why)


async def _leave(context: Context, snapshot: RunSnapshot, why: RunRecord) -> Outcome:
    await context.apply(Objects())
    said = progressing(
        "Stopping", f"{why.ending_message}; it waits until its program has ended, which is given its time"
    )
    context.report(said, details=_details(snapshot, snapshot.record))
    return RequeueAfter(_SOON)


async def _is_gone(context: Context, snapshot: RunSnapshot, record: RunRecord) -> Outcome:
    """The object that it was to run in is not there: it was asked to stop, or somebody removed it."""
    await context.apply(Objects())
    if record.ending is None:
        return await _is_missing(context, snapshot, record)
    owner = labels.owned(context.options.installation, "run", str(snapshot.id), str(snapshot.organization.id))
    ghost = Job.once(job_name(snapshot, context.options), {}, labels=owner)
    (found,) = await context.observe_jobs([ghost])
    if found.stopping and record.ending != "unknown":
        said = progressing(
            "Stopping", f"{record.ending_message}; it waits until its program has ended, which is given its time"
        )
        context.report(said, details=_details(snapshot, record))
        return RequeueAfter(_QUICKEST)
    return await _end(context, snapshot, RunRecord(outcome=record.ending, message=record.ending_message))


async def _is_missing(context: Context, snapshot: RunSnapshot, record: RunRecord) -> Outcome:
    """Nobody asked for that: when the Swarm has said so for long enough, nobody knows what became of it."""
    if record.missing_at is None:
        await _note(context, missing_at=context.now())
    elif abs(context.now() - record.missing_at) >= timedelta(seconds=SURE_SECONDS):
        why = "its task is gone from the Swarm: what became of it is not known, and it is not run again"
        return await _end(context, snapshot, RunRecord(outcome="unknown", message=why))
    said = progressing("Stopping", "its task is not on the Swarm; it is looked at again before that is believed")
    context.report(said, details=_details(snapshot, record))
    return RequeueAfter(SURE_SECONDS)


def _ended(found: JobProgress) -> RunRecord:
    if found.state == "Succeeded":
        return RunRecord(outcome="succeeded", exit_code=0, message="it ended well")
    if found.exit_code:
        return RunRecord(
            outcome="failed", exit_code=found.exit_code, message=f"it ended with exit code {found.exit_code}"
        )
    return RunRecord(outcome="failed", message=f"it was not run to its end: {found.problem or 'nothing says why'}")


def _running(found: JobProgress) -> tuple[Condition, ...]:
    if found.lost:
        return progressing(
            "Running",
            "its node is lost, and nobody knows how it is; it waits until the node is back, or its time is over",
        )
    if found.running:
        return progressing("Running", "it runs, and ends by itself")
    if found.stopping:
        return progressing("Stopping", "Swarm stops its task; it waits until that has ended")
    return progressing("Starting", f"it waits: {found.problem}" if found.problem else "it waits until its task starts")


# -- what is on record -----------------------------------------------------------------------------------------------


async def _end(context: Context, snapshot: RunSnapshot, ended: RunRecord) -> Outcome:
    """Write down what it came to, and then take away what it had."""
    now = context.now()
    await _note(
        context, outcome=ended.outcome, exit_code=ended.exit_code, message=(ended.message or "")[:2048], finished_at=now
    )
    kept = {"outcome": ended.outcome, "exit_code": ended.exit_code, "message": ended.message, "finished_at": now}
    return await _is_over(context, snapshot, snapshot.record.model_copy(update=kept))


async def _is_over(context: Context, snapshot: RunSnapshot, record: RunRecord) -> Outcome:
    assert record.outcome is not None
    await context.apply(Objects())
    reason, message = _REASONS[record.outcome], record.message or "nothing more is known"
    said = ready(reason, message) if record.outcome == "succeeded" else stalled(reason, message)
    context.report(said, details=_details(snapshot, record))
    return Done()


async def _note(context: Context, **values: object) -> None:
    row = {name: value.isoformat() if isinstance(value, datetime) else value for name, value in values.items()}
    await context.write_row(RECORDS, {"run_id": context.id}, row)


def _details(snapshot: RunSnapshot, record: RunRecord) -> dict[str, object]:
    """For ``details``: what programs read; the same as long as nothing comes of it."""
    release = record.release or (snapshot.released.version if snapshot.released else None)
    found = {
        "release": release,
        "outcome": record.outcome,
        "exitCode": record.exit_code,
        "startedAt": record.started_at and record.started_at.isoformat(),
        "finishedAt": record.finished_at and record.finished_at.isoformat(),
    }
    return {name: value for name, value in found.items() if value is not None}
