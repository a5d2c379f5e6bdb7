"""Makes the tasks of jobs (swarmkit orchestrator/jobs): each until it ends well, or is given up.

Kept as the engine does it, with its corners:

- a job is looked at when it is written, and when a task of it ends that was still wanted; nodes are not looked at, so a
  task on one that is down stays as it was last seen;
- a task that is given up is wanted no more, and lacks at the next look: while others end, it is tried again;
- tasks of earlier runs are removed; those that had ended stay, but for a job on every node.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.sim.swarm.objects import RUNNING, Node, Service, Task
from tests.sim.swarm.scheduler import satisfies
from tests.sim.swarm.store import Store


class Jobs:
    """The jobs of a cluster.

    Args:
        new_task: makes one: service, slot, node, what is wanted of it.
        want: wants something else of one.
        restart: gives one up, and makes another in its place if it may be tried again.
    """

    def __init__(
        self,
        store: Store,
        new_task: Callable[[Service, int, Node | None, str], Task],
        want: Callable[[Task, str], None],
        restart: Callable[[Task], None],
    ) -> None:
        self._store = store
        self._new_task = new_task
        self._want = want
        self._restart = restart

    @staticmethod
    def is_replicated(service: Service) -> bool:
        """Whether it has so many tasks, wherever they run."""
        return "ReplicatedJob" in service.spec["Mode"]

    def reconcile(self, service: Service) -> None:
        """Make what lacks, try again what ended badly, remove what is of earlier runs."""
        tasks = list(self._store.tasks_of(service))
        present = [t for t in tasks if t.iteration == service.iteration]
        replicated = self.is_replicated(service)
        if replicated:
            self._fill(service, service.spec["Mode"]["ReplicatedJob"], present)
        else:
            self._cover(service, present)
        for task in present:
            if task.alive and task.rank > RUNNING and task.state != "complete":
                self._restart(task)
        for task in tasks:
            if task.iteration != service.iteration and (task.rank <= RUNNING or not replicated):
                self._want(task, "remove")

    def _fill(self, service: Service, told: dict[str, Any], present: list[Task]) -> None:
        complete = [t for t in present if t.state == "complete"]
        active = [t for t in present if t.state != "complete" and t.alive]
        taken = {t.slot for t in complete + active}
        most, total = told["MaxConcurrent"], told["TotalCompletions"]
        for _ in range(min(most - len(active), total - len(complete) - len(active))):
            slot = next(n for n in range(total) if n not in taken)
            taken.add(slot)
            self._new_task(service, slot, None, "complete")

    def _cover(self, service: Service, present: list[Task]) -> None:
        covered = {t.node.meta.id for t in present if t.alive and t.node is not None}
        for node in sorted(self._store.nodes.values(), key=lambda n: n.hostname):
            old = node.meta.created < service.executed
            if old and node.accepts and satisfies(service.spec["TaskTemplate"], node) and node.meta.id not in covered:
                self._new_task(service, 0, node, "complete")
