"""Jobs: tasks that run until they end, once; what should exist of one, and how far one is.

Whatever is written to a job, Swarm runs it anew. So a job is written when it is another run, and never otherwise: what
somebody changed by hand is told and left alone, and labels stay as they were when it ran. It is another run when its
``hash`` is another: another image, variable, secret or number of tasks, or another ``run`` where its kind names it.

A job that ended stays on the engine until it is not wanted any more. One that is wanted and not there is made, and
runs: that it ended once, and was removed by hand since, cannot be known from the engine. A kind that has noted a job's
end says so by not wanting it any more.

Swarm tries a job that failed once more whenever a manager begins to lead. What must never be run twice is no job to
Swarm (``Job.once``): a service of one task that is never started again. It is made without a task; whoever wants it
writes down its id, and then has the task begin, in that very object and in no other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal

from reconcilers import labels as label
from reconcilers.objects import SpecDocument, spec_hash

State = Literal["Missing", "Waiting", "Running", "Succeeded", "Failed"]
SECOND = 1_000_000_000


def mode_of(spec: Mapping[str, Any]) -> str:
    """Of a service's or a job's document: ``Replicated``, ``Global``, ``ReplicatedJob`` or ``GlobalJob``."""
    return next(iter(spec.get("Mode") or ()), "Replicated")


def is_job(spec: Mapping[str, Any]) -> bool:
    """Whether the document is of a job."""
    return mode_of(spec) in ("ReplicatedJob", "GlobalJob") or is_once(spec)


def is_once(spec: Mapping[str, Any]) -> bool:
    """Whether the document is of what is run once, and never again."""
    return label.ONCE in (spec.get("Labels") or {})


def begun(spec: Mapping[str, Any]) -> bool:
    """Of the document of what is run once: whether its task has been let begin."""
    return bool(((spec.get("Mode") or {}).get("Replicated") or {}).get("Replicas"))


@dataclass(frozen=True, slots=True)
class Job:
    """A Swarm job.

    Args:
        name: at most 63 characters; no service has it.
        spec: the whole document, with both hashes in its labels.
        hash: of the run; the value of the spec-hash label.
        content: hash of all that runs; the value of the template-hash label.
        pull: as of a service.
        only: id of the one object that it may be written to; None: it may be made.
    """

    object_type: ClassVar[str] = "job"
    name: str
    spec: SpecDocument
    hash: str
    content: str
    only: str | None = None
    pull: str | None = field(default=None, repr=False, compare=False)

    @classmethod
    def as_it_is(cls, name: str, spec: SpecDocument) -> Job:
        """One that is on the engine, wanted as it is there: nothing is written to it."""
        found = spec["Labels"]
        return cls(name, spec, found.get(label.SPEC_HASH, ""), found.get(label.TEMPLATE_HASH, ""))

    @classmethod
    def times(
        cls,
        name: str,
        template: Mapping[str, Any],
        *,
        labels: Mapping[str, str],
        completions: int = 1,
        concurrency: int = 1,
        retries: int = 0,
        retry_seconds: float = 5.0,
        run: str = "",
    ) -> Job:
        """A job of so many tasks.

        Args:
            name: see above.
            template: a task template, as that of a service; what is tried again is not in it.
            labels: with the owner's.
            completions: so many tasks must end well.
            concurrency: so many run at a time, at most.
            retries: how often a task that ended badly is tried again. With several tasks it can be more often: Swarm
                looks for tasks that lack when another one ends.
            retry_seconds: the time before that.
            run: names the run; empty: all that runs does.

        Raises:
            ValueError: no tasks, or less than no retries.
        """
        if completions < 1 or concurrency < 1 or retries < 0:
            raise ValueError(f"job {name}: {completions} tasks, {concurrency} at a time, tried {retries} times again")
        policy: SpecDocument = {"Condition": "none"}
        if retries:
            policy = {"Condition": "on-failure", "Delay": int(retry_seconds * SECOND), "MaxAttempts": retries}
        mode = {"ReplicatedJob": {"MaxConcurrent": min(concurrency, completions), "TotalCompletions": completions}}
        return cls._of(name, {**template, "RestartPolicy": policy}, mode, labels, run)

    @classmethod
    def everywhere(cls, name: str, template: Mapping[str, Any], *, labels: Mapping[str, str], run: str = "") -> Job:
        """A job of one task on each node that its placement allows. It is tried once: Swarm does not count attempts of
        such a job, and would try for ever.
        """
        return cls._of(name, {**template, "RestartPolicy": {"Condition": "none"}}, {"GlobalJob": {}}, labels, run)

    @classmethod
    def once(
        cls, name: str, template: Mapping[str, Any], *, labels: Mapping[str, str], begins: str | None = None
    ) -> Job:
        """A task that is run at most once, whatever becomes of it, of its node and of managers.

        Args:
            name: see above.
            template: as of ``times``.
            labels: as well.
            begins: id of the object, which was made without a task, and whose task is to begin now; None: it is made.
        """
        # With a number of attempts Swarm remembers the task that ended, however little it is told to remember: that one
        # is why it starts no other.
        spec = {**template, "RestartPolicy": {"Condition": "none", "MaxAttempts": 1}}
        mode = {"Replicated": {"Replicas": 0 if begins is None else 1}}
        made = cls._of(name, spec, mode, {**labels, label.ONCE: "true"}, "" if begins is None else "begun")
        return replace(made, only=begins)

    @property
    def begun(self) -> bool:
        """Of one that is run once: whether its task has been let begin."""
        return begun(self.spec)

    @classmethod
    def _of(cls, name: str, template: SpecDocument, mode: SpecDocument, labels: Mapping[str, str], run: str) -> Job:
        content = spec_hash({"TaskTemplate": template, "Mode": mode})
        digest = spec_hash({"Name": name, "Run": run}) if run else content
        hashed = {**labels, label.TEMPLATE_HASH: content, label.SPEC_HASH: digest}
        spec = {
            "Name": name,
            "Labels": hashed,
            "TaskTemplate": template,
            "Mode": mode,
            "EndpointSpec": {"Mode": "dnsrr"},
        }
        return cls(name, spec, digest, content)

    @property
    def labels(self) -> Mapping[str, str]:
        """Labels of the job (not the containers')."""
        found: Mapping[str, str] = self.spec["Labels"]
        return found

    @property
    def pulls_as(self) -> str:
        """Revision of the user that its nodes pull with; empty: nobody's."""
        return self.labels.get(label.PULLS_AS, "")

    @property
    def template_hash(self) -> str | None:
        """A run that fails has failed: there is none before it to go back to."""
        return None


@dataclass(frozen=True, slots=True)
class JobProgress:
    """How far one job is, by the tasks of its present run.

    Args:
        job: name of the job.
        iteration: Swarm's number of the run, from 0; each write to the job adds one. None: the engine does not have the
            run that is wanted.
        wanted: tasks that must end well.
        completed: those that have.
        running: those that run.
        pending: those that will: they wait for a node, an address, or the time until they are tried again.
        failed: those that ended badly, each try counted.
        lost: those of the running ones whose node is down: nobody knows how they are, and Swarm waits for the node.
        stopping: tasks of earlier runs that were asked to stop and still run; of a job that is not there, those of what
            was under its owner and process.
        problem: the newest task's error, or what it waits for, in one line; empty when there is neither.
        exit_code: with what the newest of the failed ones ended; None when that is not known.
        seconds: since this run began, by the clocks of managers where this process has not seen it begin.
    """

    job: str
    iteration: int | None = None
    wanted: int = 0
    completed: int = 0
    running: int = 0
    pending: int = 0
    failed: int = 0
    lost: int = 0
    stopping: int = 0
    problem: str = ""
    exit_code: int | None = None
    seconds: float = 0.0

    @property
    def state(self) -> State:
        """In one word; of the last two, nothing comes any more by itself.

        ``Failed`` is what does not go on: Swarm tries such a job again only when a manager begins to lead.
        """
        if self.iteration is None:
            return "Missing"
        if self.wanted and self.completed >= self.wanted:
            return "Succeeded"
        if self.running:
            return "Running"
        return "Failed" if self.failed and not self.pending else "Waiting"

    @property
    def over(self) -> bool:
        """Whether it has ended, well or badly."""
        return self.state in ("Succeeded", "Failed")
