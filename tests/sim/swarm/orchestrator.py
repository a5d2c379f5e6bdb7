"""Makes the tasks that a service wants, and replaces those that ended (swarmkit orchestrator, restart, taskreaper).

What is otherwise with jobs is in ``jobs.py``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tests.sim.swarm.agents import Agents
from tests.sim.swarm.base import Entry
from tests.sim.swarm.behaviour import SECOND, Pace
from tests.sim.swarm.jobs import Jobs
from tests.sim.swarm.objects import RANK, RUNNING, Node, Service, Task
from tests.sim.swarm.scheduler import satisfies
from tests.sim.swarm.store import Store
from tests.sim.swarm.updater import Updaters

_HISTORY = 5
_COMPLETE, _ASSIGNED = RANK["complete"], RANK["assigned"]
_BAD_ENDS = {"failed", "rejected", "orphaned"}


class Orchestrator:
    """Keeps as many tasks as wanted."""

    def __init__(self, store: Store, agents: Agents, pace: Pace) -> None:
        self._store = store
        self._agents = agents
        self._pace = pace
        self.updaters = Updaters(store, agents, pace, self._new_task, self.want, self.after_update)
        self.jobs = Jobs(store, self._new_task, self.want, self._restart)
        self._due: dict[str, Entry] = {}
        self._attempts: dict[tuple[str, Any, int], list[float]] = {}
        self.forgets = 0
        """So many tasks that are too many are forgotten, if each has not come up yet: it changed since it was read, and
        what asks it to stop is lost ("update out of sequence"); the next write to its service asks anew."""
        agents.listeners.append(self._task_changed)

    # -- services --------------------------------------------------------------------------------------------------

    def look_soon(self, service: Service) -> None:
        """A service was made or changed."""
        entry = self._due.get(service.meta.id)
        if entry is None or entry.action is None:
            self._due[service.meta.id] = self._store.agenda.at(self._pace.reconcile, lambda: self._reconcile(service))

    def after_update(self, service: Service, before: dict[str, Any] | None) -> None:
        """The updater changed a service's status or specification."""
        self._store.update_service(service, before=(service.replicas, before))
        self.look_soon(service)

    def removed(self, service: Service) -> None:
        """A service was removed: its tasks go one after the other."""
        self.updaters.forget(service)
        self._due.pop(service.meta.id, None)
        for task in list(self._store.tasks_of(service)):
            self.want(task, "remove")

    def nodes_changed(self) -> None:
        """A node came, went, or takes no tasks any more."""
        for service in list(self._store.services.values()):
            if service.is_job:
                continue  # nobody looks at the nodes of jobs
            for task in list(self._store.tasks_of(service)):
                if task.node is not None and task.node.invalid and task.wanted_rank <= RUNNING:
                    self._restart(task)
            if service.replicas is None:
                self.look_soon(service)

    def begin(self) -> None:
        """A manager begins to lead: all jobs are looked at, also those that were given up."""
        for service in self._store.services.values():
            if service.is_job:
                self.look_soon(service)

    def _reconcile(self, service: Service) -> None:
        self._due.pop(service.meta.id, None)
        if service.removed:
            return
        if service.is_job:
            self.jobs.reconcile(service)
            return
        slots, dead = self._slots(service)
        if service.replicas is None:
            self._reconcile_nodes(service, slots)
            return
        missing = service.replicas - len(slots)
        if missing < 0:
            order = sorted(slots.values(), key=_keep_first)
            kept, extra = order[: service.replicas], order[service.replicas :]
            self.updaters.update(service, kept)
            for task in [task for slot in extra for task in slot]:
                if self.forgets and task.rank < RUNNING:
                    self.forgets -= 1
                else:
                    self.want(task, "remove")
        else:
            self.updaters.update(service, list(slots.values()))
            number = 0
            for _ in range(missing):
                number = next(n for n in range(number + 1, number + 2 + len(slots)) if n not in slots)
                dead.pop(number, None)
                self._new_task(service, number, None, "running")
        for task in [task for slot in dead.values() for task in slot]:
            self._store.drop_task(task)

    def _reconcile_nodes(self, service: Service, slots: dict[Any, list[Task]]) -> None:
        fitting = {n.meta.id: n for n in self._store.nodes.values() if satisfies(service.spec["TaskTemplate"], n)}
        for key in [key for key in slots if key not in fitting]:
            for task in slots.pop(key):
                self.want(task, "remove")
        self.updaters.update(service, [slot for key, slot in slots.items() if not fitting[key].invalid])
        for key, node in sorted(fitting.items(), key=lambda item: item[1].hostname):
            if key not in slots and node.accepts:
                self._new_task(service, 0, node, "running")

    def _slots(self, service: Service) -> tuple[dict[Any, list[Task]], dict[Any, list[Task]]]:
        """Tasks that are wanted to run, by slot; and those of slots where none is.

        One that has ended and is not to be started again stands for its slot (swarmkit's ``UpdatableTasksInSlot``).
        """
        slots: dict[Any, list[Task]] = {}
        dead: dict[Any, list[Task]] = {}
        for task in self._store.tasks_of(service):
            (slots if task.wanted_rank <= RUNNING else dead).setdefault(task.key, []).append(task)
        if (service.status or {}).get("State") != "rollback_started":
            for key in [key for key in dead if key not in slots and _is_done(dead[key][-1])]:
                slots[key] = [dead[key][-1]]
        return dict(sorted(slots.items())), {
            key: found for key, found in dead.items() if key not in slots and all(t.desired != "remove" for t in found)
        }

    # -- tasks -----------------------------------------------------------------------------------------------------

    def _new_task(self, service: Service, slot: int, node: Node | None, desired: str, restarts: int = 0) -> Task:
        task = Task(
            self._store.meta("task", quiet=restarts > 3),
            service,
            slot,
            service.spec["TaskTemplate"],
            service.spec_version,
            service.spec.get("EndpointSpec"),
            desired,
            node=node,
            restarts=restarts,
            labels=service.labels,
            iteration=service.iteration if service.is_job else None,
        )
        task.stamp, task.since = self._store.agenda.now, task.meta.created
        self._store.add_task(task)
        self._agents.admit(task)
        if not service.is_job:  # all that a job ever had is kept
            self._trim(task)
        return task

    def want(self, task: Task, desired: str) -> None:
        """Want another state of a task."""
        if RANK[desired] == task.wanted_rank:
            return
        task.desired = desired
        self._store.touch(task.meta, quiet=task.tired)
        if not self._reap(task):
            self._agents.poke(task)

    def _task_changed(self, task: Task) -> None:
        if task.meta.id not in self._store.tasks:
            return
        if task.iteration is not None:
            if task.rank > RUNNING and not self._reap(task) and task.alive and not task.service.removed:
                self.look_soon(task.service)
            return
        if self._pace.rollback_first:
            self.updaters.task_changed(task)
        if task.rank > RUNNING and not self._reap(task) and task.wanted_rank <= RUNNING and not task.service.removed:
            self._restart(task)
        if not self._pace.rollback_first:
            self.updaters.task_changed(task)

    def _restart(self, task: Task) -> None:
        """Replace a task that ended, or whose node is lost; with the service's specification of now."""
        service = task.service
        self.want(task, "shutdown")
        if service.removed or not self._may_restart(task):
            return
        drained = task.node is not None and task.node.availability == "drain"
        policy = task.spec.get("RestartPolicy") or {}
        delay = policy.get("Delay")
        seconds = 0.0 if drained else self._pace.restart if delay is None else delay / SECOND
        node = task.node if service.replicas is None and not self.jobs.is_replicated(service) else None
        if node is not None and node.invalid:
            return  # a global service's task comes back with its node
        heir = self._new_task(service, task.slot, node, "ready", task.restarts + 1)
        waits = drained and task.node is not None and task.node.up and task.rank <= RUNNING
        if waits:
            self.updaters.when_ended(task, lambda: self._let_run(heir))
        else:
            self._store.agenda.at(seconds, lambda: self._let_run(heir), quiet=heir.tired)

    def _let_run(self, task: Task) -> None:
        if task.desired == "ready" and task.meta.id in self._store.tasks:
            self.want(task, "running" if task.iteration is None else "complete")

    def _may_restart(self, task: Task) -> bool:
        policy = task.spec.get("RestartPolicy") or {}
        condition = policy.get("Condition", "any")
        if task.iteration is not None and (condition == "none" or not self.jobs.is_replicated(task.service)):
            return bool(condition != "none")  # attempts of a job on every node are not counted
        lost = task.node is not None and task.node.invalid
        if condition == "none":
            return False
        if condition == "on-failure" and task.state == "complete" and not lost:
            return False
        most = policy.get("MaxAttempts", 0)
        if not most:
            return True
        window = (policy.get("Window") or 0) / SECOND
        key = task.key if task.iteration is None else task.slot
        attempts = self._attempts.setdefault((task.service.meta.id, key, task.service.spec_version), [])
        now = self._store.agenda.now
        if window:
            attempts[:] = [at for at in attempts if now - at < window]
        if len(attempts) >= most:
            return False
        attempts.append(now)
        return True

    def _reap(self, task: Task) -> bool:
        """Forget a task that nobody wants and that has ended, or never had a node."""
        gone = task.rank >= _COMPLETE or task.rank < _ASSIGNED
        if gone and (task.desired == "remove" or task.service.removed):
            self._store.drop_task(task)
            self._agents.retry_addresses()
            return True
        return False

    def _trim(self, task: Task) -> None:
        """Keep five tasks a slot, with those that run."""
        policy = task.spec.get("RestartPolicy") or {}
        most = policy.get("MaxAttempts", 0)
        limit = most + 1 if most else _HISTORY
        history = [t for t in self._store.tasks_of(task.service) if t.key == task.key]
        surplus = len(history) - limit
        for old in sorted(history, key=lambda t: t.stamp)[:-1] if surplus > 0 else ():
            alive = old.wanted_rank <= RUNNING and old.rank <= RUNNING
            stopping = _ASSIGNED <= old.rank <= RUNNING
            if surplus > 0 and not alive and not stopping:
                self._store.drop_task(old)
                surplus -= 1


def _keep_first(slot: Iterable[Task]) -> tuple[bool, int]:
    tasks = list(slot)
    return not any(t.state == "running" for t in tasks), tasks[0].slot


def _is_done(task: Task) -> bool:
    condition = (task.spec.get("RestartPolicy") or {}).get("Condition")
    done = condition == "none" or (condition == "on-failure" and task.state == "complete")
    return done and task.desired != "remove"
