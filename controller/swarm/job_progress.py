"""How far a job is, by the tasks of its present run.

A task of a job is wanted to be ``complete``. Whether one that ended badly is tried again is decided by Swarm in the
moment in which it gives up on that task, and makes the next one. So it is over when no task is left that may still end
well.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime

from controller.kit import clock
from controller.swarm.client import Document
from controller.swarm.endings import exit_code
from controller.swarm.errors import outcomes
from controller.swarm.liveview import LiveView
from controller.swarm.task_counts import TaskCounts, problem_of
from reconcilers import labels
from reconcilers.jobs import Job, JobProgress, is_once
from reconcilers.ports import LiveJob, LiveObject

_UNWANTED = {"shutdown", "remove"}
_WITH_CONTAINER = {"starting", "running"}
_FAILED = {"failed", "rejected", "orphaned"}
_ENDED = {*_FAILED, "complete", "shutdown", "remove"}
_REMEMBERED = 1000


class JobCounts:
    """Reads the tasks of jobs, together with those of services."""

    def __init__(self, tasks: TaskCounts, live: LiveView) -> None:
        self._tasks = tasks
        self._live = live
        self._since: dict[tuple[str, int | None], float] = {}
        """When a run of a job, by its id, began, by the monotonic clock."""

    async def of_jobs(self, jobs: Sequence[Job]) -> list[JobProgress]:
        """How far ``jobs`` are."""
        async with outcomes():
            return [await self._of_job(job) for job in jobs]

    async def _of_job(self, job: Job) -> JobProgress:
        live = self._live.find(job.object_type, job.name)
        if live is None:
            return JobProgress(job.name, stopping=await self._stopping(job))
        tasks = await self._tasks.tasks(live.id)
        found = job_progress(job, live, tasks)
        if found.running or found.stopping:
            found = job_progress(job, live, tasks, await self._tasks.lost_nodes())
        return replace(found, seconds=await self._seconds(live.id, found.iteration, tasks))

    async def _stopping(self, job: Job) -> int:
        """Tasks of what was under its owner and process, and is removed, that still run."""
        told = [f"{name}={job.labels[name]}" for name in (labels.OWNER, labels.PROCESS) if name in job.labels]
        return await self._tasks.stopping(*told)

    async def _seconds(self, job_id: str, iteration: int | None, tasks: Sequence[Document]) -> float:
        if len(self._since) > _REMEMBERED:
            self._since = {at: since for at, since in self._since.items() if self._live.service_by_id(at[0])}
        if (job_id, iteration) not in self._since:
            age = await self._age([task for task in tasks if (_iteration(task) or 0) == iteration])
            self._since[job_id, iteration] = clock.monotonic() - age
        return clock.monotonic() - self._since[job_id, iteration]

    async def _age(self, tasks: Sequence[Document]) -> float:
        """Of a run that an earlier leader may have begun: both by the clocks of managers, which are nobody else's."""
        made = [str(task["CreatedAt"]) for task in tasks if task.get("CreatedAt")]
        if not made:
            return 0.0
        return max(0.0, (await self._tasks.engine_time() - datetime.fromisoformat(min(made))).total_seconds())


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
    if is_once(live.spec):
        return _once(job, live, tasks, down)
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


def _once(job: Job, live: LiveJob, tasks: Sequence[Document], down: Collection[str]) -> JobProgress:
    """Of what is run once: a task that is given up is no more wanted, and stays where its node is down."""
    ended = [task for task in tasks if task["Status"]["State"] in _ENDED]
    failed = [task for task in ended if task["Status"]["State"] != "complete" and task.get("DesiredState") in _UNWANTED]
    going = [task for task in tasks if task["Status"]["State"] not in _ENDED]
    lost = [task for task in going if task.get("NodeID") in down]
    asked = [task for task in going if task.get("DesiredState") in _UNWANTED and task not in lost]
    rest = [task for task in going if task not in asked and task not in lost]
    running = [task for task in rest if task["Status"]["State"] == "running"]
    completed = sum(task["Status"]["State"] == "complete" for task in ended)
    newest = max(failed, key=lambda task: str(task["Status"].get("Timestamp", "")), default=None)
    return JobProgress(
        job.name,
        iteration=live.iteration,
        wanted=live.spec["Mode"]["Replicated"]["Replicas"],
        completed=completed,
        running=len(running) + len(lost),
        pending=len(rest) - len(running),
        failed=len(failed),
        lost=len(lost),
        stopping=len(asked),
        problem="" if completed else problem_of(tasks),
        exit_code=exit_code(newest) if newest is not None else None,
    )


def _iteration(task: Document) -> int | None:
    found = task.get("JobIteration")
    return None if found is None else int(found.get("Index") or 0)
