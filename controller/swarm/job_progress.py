"""How far a job is, by the tasks of its present run.

A task of a job is wanted to be ``complete``. Whether one that ended badly is tried again is decided by Swarm in the
moment in which it gives up on that task, and makes the next one. So it is over when no task is left that may still end
well.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from controller.swarm.client import Document
from controller.swarm.endings import exit_code
from controller.swarm.errors import outcomes
from controller.swarm.liveview import LiveView
from controller.swarm.task_counts import TaskCounts, problem_of
from reconcilers import labels
from reconcilers.jobs import Job, JobProgress
from reconcilers.ports import LiveJob, LiveObject

_UNWANTED = {"shutdown", "remove"}
_WITH_CONTAINER = {"starting", "running"}
_FAILED = {"failed", "rejected", "orphaned"}


class JobCounts:
    """Reads the tasks of jobs, together with those of services."""

    def __init__(self, tasks: TaskCounts, live: LiveView) -> None:
        self._tasks = tasks
        self._live = live

    async def of_jobs(self, jobs: Sequence[Job]) -> list[JobProgress]:
        """How far ``jobs`` are."""
        async with outcomes():
            return [await self._of_job(job) for job in jobs]

    async def _of_job(self, job: Job) -> JobProgress:
        live = self._live.find(job.object_type, job.name)
        tasks = await self._tasks.tasks(live.id) if live is not None else []
        found = job_progress(job, live, tasks)
        return job_progress(job, live, tasks, await self._tasks.lost_nodes()) if found.running else found


def job_progress(
    job: Job, live: LiveObject | None, tasks: Sequence[Document], down: Collection[str] = ()
) -> JobProgress:
    """Count tasks: pure.

    Args:
        job: the run that is wanted.
        live: what lives under its name.
        tasks: of that, all that the engine remembers.
        down: ids of nodes that are down.
    """
    if not isinstance(live, LiveJob) or live.labels.get(labels.SPEC_HASH) != job.hash:
        return JobProgress(job.name)
    present = [task for task in tasks if _iteration(task) == live.iteration]
    states = [(task["Status"]["State"], task.get("DesiredState") in _UNWANTED, task) for task in present]
    failed = [task for state, unwanted, task in states if state in _FAILED and unwanted]
    running = [task for state, unwanted, task in states if state == "running" and not unwanted]
    completed = sum(state == "complete" for state, _, _ in states)
    told = (live.spec["Mode"].get("ReplicatedJob") or {}).get("TotalCompletions")
    wanted = told if told is not None else len({task.get("NodeID") for task in present})
    newest = max(failed, key=lambda task: str(task["Status"].get("Timestamp", "")), default=None)
    return JobProgress(
        job.name,
        iteration=live.iteration,
        wanted=wanted,
        completed=completed,
        running=len(running),
        pending=sum(not unwanted and state not in ("running", "complete") for state, unwanted, _ in states),
        failed=len(failed),
        lost=sum(task.get("NodeID") in down for task in running),
        stopping=sum(
            task["Status"]["State"] in _WITH_CONTAINER and task.get("DesiredState") in _UNWANTED for task in tasks
        ),
        problem="" if completed >= wanted else problem_of(present),
        exit_code=exit_code(newest) if newest is not None else None,
    )


def _iteration(task: Document) -> int | None:
    found = task.get("JobIteration")
    return None if found is None else int(found.get("Index") or 0)
