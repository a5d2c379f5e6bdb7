"""How far a service's tasks are: the only sign of convergence that Swarm gives.

``UpdateStatus`` is not one: every update clears it, and a change of labels or scale never sets it again. There are no
task events either (moby#37825), so tasks are read, several services in one call.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from controller import clock
from controller.batcher import Batcher
from controller.swarm.client import Document, EngineClient
from controller.swarm.diff import normalise
from controller.swarm.liveview import LiveView
from reconcilers.ports import LiveService, Rollout

_WAITING = {"new", "pending", "allocated"}
_UNADDRESSED_SECONDS = 5.0
_ENDED_BADLY = {"failed", "rejected", "orphaned"}
_PROBLEM_LENGTH = 200


class TaskReader:
    """Reads the tasks of services, batched."""

    def __init__(self, client: EngineClient, live: LiveView) -> None:
        self._client = client
        self._live = live
        self._reads: Batcher[str, list[Document]] = Batcher(self._read, limit=50)

    async def rollout(self, name: str, desired: int, *, held: str = "") -> Rollout:
        """How far the tasks of the service ``name`` are."""
        service = self._live.service(name)
        if service is None:
            return Rollout(name, desired, 0, 0, 0, held=held)
        if self._live.take_new(service.id) and desired == 0:
            return rollout(service, (), desired, held=held)  # made a moment ago, wanting no task: it has none
        tasks = await self._reads.submit(service.id)
        return rollout(service, tasks, desired, held=held)

    async def _read(self, service_ids: Sequence[str]) -> list[list[Document]]:
        documents = await self._client.tasks({"service": sorted(set(service_ids))})
        by_service: dict[str, list[Document]] = {i: [] for i in service_ids}
        for document in documents:
            by_service.setdefault(document.get("ServiceID", ""), []).append(document)
        return [by_service[i] for i in service_ids]


def rollout(service: LiveService, tasks: Sequence[Document], desired: int, *, held: str = "") -> Rollout:
    """Count tasks: pure.

    Only tasks that Swarm wants to run count: those of a node that is down stay ``running`` with the desired state
    ``shutdown`` for a day.
    """
    template = service.spec.get("TaskTemplate") or {}
    wanted = _task_spec(template) if tasks else None
    running = outdated = pending = 0
    for task in tasks:
        if task.get("DesiredState") not in ("running", "ready"):
            continue
        state = task["Status"]["State"]
        spec = task.get("Spec") or {}
        if spec != template and _task_spec(spec) != wanted:
            # One that is only ready waits out its restart delay; after a rollback Swarm can leave it behind.
            outdated += task["DesiredState"] == "running"
        elif state == "running" and task["DesiredState"] == "running":
            running += 1
        elif state in _WAITING:
            pending += 1
    if running > desired:
        outdated, running = outdated + running - desired, desired
    return Rollout(
        service=service.name,
        desired=desired,
        running=running,
        outdated=outdated,
        pending=pending,
        update_state=service.update_state,
        problem="" if running == desired else _problem(tasks),
        held=held,
    )


def _task_spec(spec: Mapping[str, Any]) -> Any:
    normal = normalise({"TaskTemplate": spec}).get("TaskTemplate", {})
    normal.pop("Placement", None)  # a new placement that the task's node satisfies leaves the task as it is
    return normal


def _problem(tasks: Sequence[Document]) -> str:
    """The newest error, as one line; or what a task waits for."""
    newest = max(tasks, key=lambda t: str(t["Status"].get("Timestamp", "")), default=None)
    for task in sorted(tasks, key=lambda t: str(t["Status"].get("Timestamp", "")), reverse=True):
        status = task["Status"]
        if status["State"] in _ENDED_BADLY or status.get("Err"):
            text = " ".join(str(status.get("Err") or status.get("Message") or status["State"]).split())
            code = (status.get("ContainerStatus") or {}).get("ExitCode")
            if code and "exit" not in text:
                text += f" (exit code {code})"
            return _shorten(text)
    if newest is not None and newest["Status"]["State"] == "new" and _age(newest) > _UNADDRESSED_SECONDS:
        return "a task waits for a network address: the subnet may be used up"
    return ""


def _age(task: Document) -> float:
    """Seconds since the task came into its state."""
    since = datetime.fromisoformat(task["Status"]["Timestamp"])
    return clock.wall() - since.timestamp()


def _shorten(text: str) -> str:
    """The engine wraps errors from the outside in: the beginning says where it was, the end says what it was."""
    if len(text) <= _PROBLEM_LENGTH:
        return text
    return f"{text[:60].rstrip()} … {text[-(_PROBLEM_LENGTH - 63) :].lstrip()}"
