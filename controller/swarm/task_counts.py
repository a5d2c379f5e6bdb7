"""How far a service's tasks are: the only sign of convergence that Swarm gives.

``UpdateStatus`` is not one: every update clears it, and a change of labels or scale never sets it again. There are no
task events either (moby#37825), so tasks are read, several services in one call.

Swarm asks a task that is too many to stop once. When the task has just changed by itself, that is lost ("update out of
sequence" in swarmkit's ``setTasksDesiredState``), and it runs on until something is written to its service.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import anyio

from controller.kit import clock
from controller.kit.batcher import Batcher
from controller.swarm.client import Document, EngineClient
from controller.swarm.diff import normalise
from controller.swarm.endings import BY_ITSELF, describe, endings, timestamp
from controller.swarm.errors import outcomes
from controller.swarm.healthlogs import suspect
from controller.swarm.liveview import LiveView
from controller.swarm.own_writes import OwnWrites
from controller.swarm.pace import first_tasks
from reconcilers.objects import Service
from reconcilers.patience import within_seconds
from reconcilers.ports import LiveService, ServiceProgress

_WAITING = {"new", "pending", "allocated"}
_UNADDRESSED_SECONDS = 5.0
_ENDED_BADLY = {"failed", "rejected", "orphaned"}
_TELLING = BY_ITSELF | _ENDED_BADLY
"""States in which a task that is not wanted any more still says something of its task spec."""
_UNWANTED = {"shutdown", "remove"}
_WITH_CONTAINER = {"starting", "running"}
_FORGOTTEN_SECONDS = 2.0
"""So long after a write Swarm has long asked to stop what is too many."""
_REMEMBERED = 100


class TaskCounts:
    """Reads the tasks of services, batched."""

    def __init__(self, client: EngineClient, live: LiveView, own: OwnWrites) -> None:
        self._client = client
        self._live = live
        self._own = own
        self._reads: Batcher[str, list[Document]] = Batcher(self._read, limit=50)
        self._surplus: dict[str, tuple[int, float]] = {}
        """By id of a service with tasks too many: its version, and since when."""

    async def of_services(self, services: Sequence[Service], blocked: Mapping[str, str]) -> list[ServiceProgress]:
        """How far the tasks of ``services`` are.

        Args:
            services: as they were applied.
            blocked: by name, why the wanted template of one is not being applied.
        """
        results: dict[str, ServiceProgress] = {}

        async def read(service: Service) -> None:
            results[service.name] = await self._of_service(
                service.name, service.replicas, blocked=blocked.get(service.name, "")
            )

        async with outcomes():
            if len(services) == 1:
                await read(services[0])
            else:
                async with anyio.create_task_group() as tasks:
                    for service in services:
                        tasks.start_soon(read, service)
        return [results[s.name] for s in services]

    async def _of_service(self, name: str, desired: int, *, blocked: str = "") -> ServiceProgress:
        service = self._live.service(name)
        if service is None:
            return ServiceProgress(name, desired, 0, 0, 0, blocked=blocked)
        if self._own.take_new(service.id) and desired == 0:
            # Made a moment ago, wanting no task: it has none.
            return service_progress(service, (), desired, blocked=blocked)
        tasks = await self.tasks(service.id)
        found = service_progress(service, tasks, desired, blocked=blocked)
        if found.stopping and not desired:
            found = service_progress(service, tasks, desired, blocked=blocked, lost=await self.lost_nodes())
        return replace(found, forgotten=self._forgotten(service, found))

    async def tasks(self, service_id: str) -> list[Document]:
        """All tasks of a service or a job that the engine remembers, read with those of others."""
        return await self._reads.submit(service_id)

    def _forgotten(self, service: LiveService, found: ServiceProgress) -> int:
        """Tasks too many that Swarm has had the time to stop, and has not."""
        moves = found.update_state in ("updating", "rollback_started") or (found.desired and found.pending)
        if not found.surplus or moves:  # nothing is written beside a task that waits for a node (moby#53722)
            self._surplus.pop(service.id, None)
            return 0
        version, since = self._surplus.get(service.id, (0, 0.0))
        if version != service.version:
            if len(self._surplus) > _REMEMBERED:
                self._surplus = {i: seen for i, seen in self._surplus.items() if self._live.service_by_id(i)}
            self._surplus[service.id] = service.version, clock.monotonic()
            return 0
        return found.surplus if clock.monotonic() - since > _FORGOTTEN_SECONDS else 0

    async def stopping(self, *labels: str) -> int:
        """How many tasks with these labels run although they should not, those of removed services too."""
        async with outcomes():
            tasks = [t for t in await self._client.tasks({"label": list(labels)}) if _is_stopping(t)]
            if not tasks:
                return 0
            lost = await self.lost_nodes()
        return sum(task.get("NodeID") not in lost for task in tasks)

    async def lost_nodes(self) -> frozenset[str]:
        """Nodes that are down: what ran there is still listed as running, and nobody knows."""
        return frozenset(str(d["ID"]) for d in await self._client.nodes() if d["Status"]["State"] == "down")

    async def engine_time(self) -> datetime:
        """What the engine's clock says, which is a manager's."""
        return await self._client.time()

    async def _read(self, service_ids: Sequence[str]) -> list[list[Document]]:
        documents = await self._client.tasks({"service": sorted(set(service_ids))})
        by_service: dict[str, list[Document]] = {i: [] for i in service_ids}
        for document in documents:
            by_service.setdefault(document.get("ServiceID", ""), []).append(document)
        return [by_service[i] for i in service_ids]


def service_progress(
    service: LiveService,
    tasks: Sequence[Document],
    desired: int,
    *,
    blocked: str = "",
    lost: frozenset[str] = frozenset(),
) -> ServiceProgress:
    """Count tasks: pure.

    Only tasks that Swarm wants to run count: those of a node that is down stay ``running`` with the desired state
    ``shutdown`` for a day. Of the others, those that still run count as stopping, except on the nodes ``lost``.
    """
    template = service.spec.get("TaskTemplate") or {}
    wanted: Any = None
    outdated = pending = stopping = 0
    running: list[str] = []
    images: set[str] = set()
    slots: set[object] = set()
    others: list[Document] = []
    current: list[Document] = []
    for task in tasks:
        state = task["Status"]["State"]
        is_wanted = task.get("DesiredState") in ("running", "ready")
        if not is_wanted:
            stopping += _is_stopping(task) and task.get("NodeID") not in lost
            if state not in _TELLING:
                continue
        spec = task.get("Spec") or {}
        is_current = spec == template
        if not is_current:
            wanted = wanted or _task_spec(template)
            is_current = _task_spec(spec) == wanted
        (current if is_current else others).append(task)
        if not is_wanted:
            continue
        slots.add(task.get("Slot") or task.get("NodeID"))
        if state == "running":
            images.add(_image(spec))
        if not is_current:
            # One that is only ready waits out its restart delay; after a rollback Swarm can leave it behind.
            outdated += task["DesiredState"] == "running"
        elif state == "running" and task["DesiredState"] == "running":
            running.append(str(task.get("ID")))
        elif state in _WAITING:
            pending += 1
    told = (service.spec.get("Mode") or {}).get("Replicated")
    surplus = max(0, len(slots) - (told.get("Replicas") or 0)) if told is not None else 0
    outdated = max(outdated + max(0, len(running) - desired), surplus)
    telling = others if blocked else current  # what an earlier template did says nothing of this one
    done = _completed(current, slots) if _may_end(template) else []
    completed = done[: max(0, desired - min(len(running), desired))]
    starting = sorted(
        (str(task.get("ID")), str(task.get("UpdatedAt") or ""))
        for task in current
        if task["Status"]["State"] == "starting"
    )
    ended = endings(task for task in telling if task["Status"]["State"] != "complete" or not _may_end(task["Spec"]))
    return ServiceProgress(
        service=service.name,
        desired=desired,
        running=min(len(running), desired),
        outdated=outdated,
        pending=pending,
        update_state=service.update_state,
        problem="" if len(running) + len(completed) == desired and not blocked else problem_of(telling),
        blocked=blocked,
        tasks=tuple(sorted([*running, *completed])),
        images=tuple(sorted(images)),
        completed=len(completed),
        stopping=stopping,
        surplus=surplus,
        failures=ended.failures,
        failure=ended.failure,
        exit_code=ended.exit_code,
        suspect=suspect(telling) if blocked or len(running) + len(completed) < desired else None,
        starting=tuple(task for task, _ in starting),
        starting_at=tuple(at for _, at in starting),
        starts_within=within_seconds(template.get("ContainerSpec") or {}) if starting else None,
        first=first_tasks(service.spec) if outdated and service.update_state == "updating" else 0,
    )


def _may_end(template: Mapping[str, Any]) -> bool:
    """Whether Swarm leaves a task that ended well as it is."""
    return (template.get("RestartPolicy") or {}).get("Condition") == "on-failure"


def _completed(tasks: Sequence[Document], wanted: Collection[object]) -> list[str]:
    """Ids of those that ended well and are the last of their slots; ``wanted`` are slots with a task that is to run."""
    newest: dict[object, Document] = {}
    for task in tasks:
        slot = task.get("Slot") or task.get("NodeID")
        if slot not in newest or timestamp(task) > timestamp(newest[slot]):
            newest[slot] = task
    ended = (task for slot, task in newest.items() if slot not in wanted and task["Status"]["State"] == "complete")
    return sorted(str(task.get("ID")) for task in ended)


def _image(spec: Mapping[str, Any]) -> str:
    """Without the digest that somebody's ``docker service update`` may have put there."""
    return str((spec.get("ContainerSpec") or {}).get("Image") or "").partition("@")[0]


def _is_stopping(task: Document) -> bool:
    return task.get("DesiredState") in _UNWANTED and task["Status"]["State"] in _WITH_CONTAINER


def _task_spec(spec: Mapping[str, Any]) -> Any:
    normal = normalise({"TaskTemplate": spec}).get("TaskTemplate", {})
    normal.pop("Placement", None)  # a new placement that the task's node satisfies leaves the task as it is
    return normal


def problem_of(tasks: Sequence[Document]) -> str:
    """The newest error, as one line; or what a task waits for."""
    newest = max(tasks, key=lambda t: str(t["Status"].get("Timestamp", "")), default=None)
    for task in sorted(tasks, key=lambda t: str(t["Status"].get("Timestamp", "")), reverse=True):
        status = task["Status"]
        if status["State"] in _ENDED_BADLY or status.get("Err"):
            return describe(task)
    if newest is not None and newest["Status"]["State"] == "new" and _age(newest) > _UNADDRESSED_SECONDS:
        return "a task waits for a network address: the subnet may be used up"
    return ""


def _age(task: Document) -> float:
    """Seconds since the task came into its state."""
    since = datetime.fromisoformat(task["Status"]["Timestamp"])
    return clock.wall() - since.timestamp()
