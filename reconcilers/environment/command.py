"""The release command: what a process ``release`` declares is run as a job before anything of a new release is.

    a new release is on record -> what worked last is kept, and the job is made beside it -> it ends well -> that is on
    record -> the release is applied

Guarantees: it is run at most once at a time, also where a job before it was removed and its program still stops, and
never again once it is on record that it ended well. What is on record is asked in the statement that also checks the
lease, right before the job is made. So it is run once, but where nobody can know how it ended: its node was lost, the
job was removed by hand, it was suspended. Swarm itself tries a job that failed once more when another manager begins
to lead; where that ends well, it has ended well.

A command that still runs for an earlier release is waited for, as one that is cut off may leave its work half done.
Who does not want that suspends the environment, or takes the process away: then the job goes at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

from reconcilers import labels
from reconcilers.conditions import Condition, progressing, stalled
from reconcilers.environment.assessment import Said
from reconcilers.environment.config import runs
from reconcilers.environment.policies import stops
from reconcilers.environment.service import pulls_as, task_template
from reconcilers.environment.supplies import pull_of
from reconcilers.jobs import Job, JobProgress
from reconcilers.objects import HomeNetwork, Objects, Service
from reconcilers.outcomes import Done, ReconcileError, RequeueAfter, TerminalError
from reconcilers.ports import Context, LiveJob, LookAhead, Options
from reconcilers.releases import Releases
from reconcilers.template import image_of
from specs.names import release_job_name
from specs.releases import release_of
from specs.snapshot_parts import CommandSnapshot, ReleaseSnapshot
from specs.snapshots import EnvironmentSnapshot, ProcessSnapshot

RUNNING, FAILED = "ReleaseCommandRunning", "ReleaseCommandFailed"
SERVES, NOTHING_SERVES = "what ran before serves", "image policies have stopped what ran before"
LOGS_KEPT = timedelta(days=1)
"""So long the job of a command that failed stays, for its logs."""
_SOON, _POLL = 0.2, 2.0


@dataclass(frozen=True, slots=True)
class Phase:
    """What comes of a look at the command.

    Args:
        said: what to say while the release waits; None: nothing of the command's.
        beside: what is wanted beside the services.
        suspended: it waits until that ends.
    """

    said: Said | None = None
    beside: Objects = field(default_factory=Objects)
    suspended: bool = False

    @property
    def over(self) -> bool:
        """Whether the release may be applied."""
        return self.said is None and not self.suspended


async def commanded(
    context: Context, snapshot: EnvironmentSnapshot, release: ReleaseSnapshot, objects: Objects, network: HomeNetwork
) -> Phase:
    """Have the command of ``release`` run, unless it was.

    Args:
        context: of the environment.
        snapshot: the environment.
        release: which is on record.
        objects: all that the release needs, with what is in its secrets.
        network: that its task is in.

    Raises:
        ReconcileError: what is needed for it cannot be had.
    """
    command = snapshot.release_command
    live = context.live.find(Job.object_type, job_name(snapshot, context.options))
    before = Job.as_it_is(live.name, dict(live.spec)) if isinstance(live, LiveJob) else None
    if command is None or release.deployed or release.command.succeeded:
        stays = command is not None and before is not None and not release.deployed  # its logs, until all of it runs
        return Phase(beside=Objects((before,) if stays and before is not None else ()))
    if snapshot.suspended:
        return Phase(suspended=True)
    due = _job(snapshot, command, release, context.options, network)
    if before is not None:
        image = image_of(before.spec)
        if image != runs(snapshot) and stops(snapshot, image, context.options):  # of a release before this one
            return Phase((progressing(RUNNING, f"{_of(release)} is about to run"), RequeueAfter(_SOON)))
        return await _there(context, release, before, due)
    return await _not_there(context, snapshot, release, due, objects)


async def _not_there(
    context: Context, snapshot: EnvironmentSnapshot, release: ReleaseSnapshot, due: Job, objects: Objects
) -> Phase:
    """There is no job: it is to be made, or it failed and is gone."""
    known = release.command
    if known.ended_at is not None and not context.requested:
        return Phase((_failed(release, known), Done()))
    if known.ended_at is not None:
        await context.port(Releases).command_again(context.id, release.version, known.tries)
        return Phase((progressing(RUNNING, f"{_of(release)} is run once more"), RequeueAfter(_SOON)))
    (found,) = await context.observe_jobs([due])
    if found.stopping:
        text = f"{_of(release)} is run when the program of the one before it has stopped"
        return Phase((progressing(RUNNING, text), RequeueAfter(_POLL)))
    due = replace(due, pull=await pull_of(context, snapshot))
    await context.port(Releases).command_begins(context.id, release.version, known.tries)
    needed = tuple(each for each in objects.objects if not isinstance(each, Service))
    return Phase((_running(release, found), RequeueAfter(_POLL)), Objects((*needed, due)))


async def _there(context: Context, release: ReleaseSnapshot, job: Job, due: Job) -> Phase:
    """There is a job: of this release, or of one before it."""
    (found,) = await context.observe_jobs([job])
    limit = context.options.release_command_seconds
    late = not found.over and found.seconds > limit
    kept = Objects((job,))
    version, tries = _run_of(job.labels)
    if not found.over and not late:
        text = _running(release, found)
        if version != release.version:
            text = progressing(
                RUNNING, f"{_of(release)} is run when that of release {version} has ended: {_state(found)}"
            )
        return Phase((text, RequeueAfter(_POLL)), kept)
    failure = "" if found.state == "Succeeded" else _late(found, limit) if late else _ended(found)
    same = job.hash == due.hash
    known = release.command if same else CommandSnapshot()
    if known.failure is None or not failure:
        await context.port(Releases).command_ended(
            context.id, version, tries, 0 if not failure else found.exit_code, failure
        )
        known = CommandSnapshot(tries=tries, ended_at=context.now(), exit_code=found.exit_code, failure=failure or None)
    if not same:  # it goes, and then its successor may come
        return Phase((progressing(RUNNING, f"{_of(release)} is about to run"), RequeueAfter(_SOON)))
    if not failure:
        return Phase(beside=kept)
    if context.requested:
        await context.port(Releases).command_again(context.id, release.version, tries)
        return Phase((progressing(RUNNING, f"{_of(release)} is run once more"), RequeueAfter(_SOON)))
    assert known.ended_at is not None
    stays = not late and context.now() - known.ended_at < LOGS_KEPT
    return Phase((_failed(release, known), Done()), kept if stays else Objects())


def ahead(snapshot: EnvironmentSnapshot, look: LookAhead, network: HomeNetwork) -> Objects:
    """The job, in a look ahead: that of a release that would be made, or as it is where it stays."""
    command, newest = snapshot.release_command, snapshot.release
    if command is None or snapshot.suspended:
        return Objects()
    digest = release_of(snapshot, runs(snapshot) or "").digest
    if newest is None or newest.digest != digest:
        newest = ReleaseSnapshot(version=newest.version + 1 if newest else 1, digest=digest)
    live = look.live.find(Job.object_type, job_name(snapshot, look.options))
    known = newest.command
    if newest.deployed:
        return Objects()
    if isinstance(live, LiveJob) and _run_of(live.labels) == (newest.version, known.tries):
        gone = known.failure is not None and known.ended_at is not None and look.now - known.ended_at >= LOGS_KEPT
        return Objects(() if gone else (Job.as_it_is(live.name, dict(live.spec)),))
    return Objects((_job(snapshot, command, newest, look.options, network),) if known.ended_at is None else ())


def held(snapshot: EnvironmentSnapshot) -> ReconcileError | None:
    """That the command of its newest release failed, where that is what is declared; None: it did not."""
    newest = snapshot.release
    if snapshot.release_command is None or snapshot.suspended or newest is None or newest.deployed:
        return None
    if newest.command.failure is None or newest.digest != release_of(snapshot, runs(snapshot) or "").digest:
        return None
    return TerminalError(FAILED, _failed(newest, newest.command)[0].message)


def job_name(snapshot: EnvironmentSnapshot, options: Options) -> str:
    """Of the job; an environment has one at a time, and renames leave it alone."""
    return release_job_name(installation=options.installation, environment=snapshot.id)


def _job(
    snapshot: EnvironmentSnapshot,
    command: ProcessSnapshot,
    release: ReleaseSnapshot,
    options: Options,
    network: HomeNetwork,
) -> Job:
    """What is run. Another release, or another try of it, is another run; a number that came back is not the same."""
    owner = labels.owned(options.installation, "environment", str(snapshot.id), str(snapshot.organization.id))
    tries = release.command.tries
    return Job.times(
        job_name(snapshot, options),
        task_template(snapshot, command, options, network, aliases=()),
        labels={
            **owner,
            labels.PROCESS: command.type,
            labels.RELEASE: f"{release.version}.{tries}",
            **pulls_as(snapshot),
        },
        run=f"{release.version}.{tries}.{release.digest or ''}",
    )


def _run_of(found: Mapping[str, str]) -> tuple[int, int]:
    """Release and try that a job is of."""
    version, _, tries = found.get(labels.RELEASE, "").partition(".")
    return (int(version), int(tries)) if version.isdecimal() and tries.isdecimal() else (0, 0)


def _of(release: ReleaseSnapshot) -> str:
    return f"the release command of release {release.version}"


def _running(release: ReleaseSnapshot, found: JobProgress) -> tuple[Condition, ...]:
    return progressing(RUNNING, f"{_of(release)}: {_state(found)}; {SERVES} until it has ended well")


def _state(found: JobProgress) -> str:
    if found.running:
        return "its node is lost, and nobody knows how it is" if found.lost else "it runs"
    return f"it waits: {found.problem}" if found.problem else "it starts"


def _late(found: JobProgress, limit: float) -> str:
    return f"it had not ended after {limit:.0f} s, and was stopped: {_state(found)}"


def _ended(found: JobProgress) -> str:
    if found.exit_code:
        return f"it ended with exit code {found.exit_code}"
    return f"it was not run to its end: {found.problem}" if found.problem else "it was not run to its end"


def _failed(release: ReleaseSnapshot, known: CommandSnapshot) -> tuple[Condition, ...]:
    return stalled(
        FAILED,
        f"{_of(release)} failed: {known.failure}. Nothing of that release runs, and {SERVES}; change the "
        "spec, or `skypanel reconcile` to run it once more",
    )
