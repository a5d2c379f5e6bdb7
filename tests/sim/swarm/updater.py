"""Rolling updates (swarmkit update/updater.go): which tasks are replaced, in which order, and what failure does.

Kept as the engine does it, with its corners:

- failures are looked at while a slot waits for its turn and in the monitoring time after the last; one that happens
  while the last slot is on its way counts only if it lies no further back than the monitoring time when that ends;
- nothing ever gives up waiting for a task to run;
- an update that begins after a rollback ended makes its ``rollback_completed`` a ``completed``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tests.sim.swarm.agents import Agents
from tests.sim.swarm.base import Entry
from tests.sim.swarm.behaviour import SECOND, Pace
from tests.sim.swarm.objects import RANK, RUNNING, Node, Service, Task
from tests.sim.swarm.scheduler import satisfies
from tests.sim.swarm.store import Store

NewTask = Callable[[Service, int, Node | None, str], Task]
Slot = list[Task]
_PREPARED = RANK["ready"]


def is_dirty(service: Service, task: Task) -> bool:
    """Whether a task must be replaced (swarmkit orchestrator/task.go IsTaskDirty)."""
    if task.spec_version == service.spec_version:
        return False
    wanted, has = service.spec["TaskTemplate"], task.spec
    if wanted != has:
        without = {k: v for k, v in wanted.items() if k != "Placement"}
        if without != {k: v for k, v in has.items() if k != "Placement"}:
            return True
        if task.node is None or not satisfies(wanted, task.node):
            return True
    return bool(service.spec.get("EndpointSpec") != task.endpoint)


class Updaters:
    """The updates in progress, one a service."""

    def __init__(
        self,
        store: Store,
        agents: Agents,
        pace: Pace,
        new_task: NewTask,
        want: Callable[[Task, str], None],
        changed: Callable[[Service, dict[str, Any] | None], None],
    ) -> None:
        self.store = store
        self.agents = agents
        self.pace = pace
        self.new_task = new_task
        self.want = want
        self.changed = changed
        self._running: dict[str, Updater] = {}
        self._endings: dict[str, list[Callable[[], None]]] = {}

    def update(self, service: Service, slots: Sequence[Slot]) -> None:
        """Bring the slots to the service's specification, unless an update is at it."""
        present = self._running.get(service.meta.id)
        if present is not None:
            if present.spec is service.spec or present.spec == service.spec:
                return
            present.cancel()
        updater = Updater(self, service)
        self._running[service.meta.id] = updater
        updater.run(slots)

    def forget(self, service: Service) -> None:
        """The service is gone."""
        present = self._running.pop(service.meta.id, None)
        if present is not None:
            present.cancel()

    def finished(self, updater: Updater) -> None:
        """An update ended."""
        if self._running.get(updater.service.meta.id) is updater:
            del self._running[updater.service.meta.id]

    def when_ended(self, task: Task, action: Callable[[], None]) -> None:
        """Do something once a task has stopped."""
        if task.rank > RUNNING or task.meta.id not in self.store.tasks:
            action()
        else:
            self._endings.setdefault(task.meta.id, []).append(action)

    def task_changed(self, task: Task) -> None:
        """A task has another state."""
        if task.rank > RUNNING:
            for action in self._endings.pop(task.meta.id, ()):
                action()
        updater = self._running.get(task.service.meta.id)
        if updater is not None:
            updater.task_changed(task)


class Updater:
    """One update of one service."""

    def __init__(self, all_updaters: Updaters, service: Service) -> None:
        self._all = all_updaters
        self.service = service
        self.spec = service.spec
        self._version = service.spec_version
        self._rolling_back = (service.status or {}).get("State") == "rollback_started"
        config = service.spec.get("RollbackConfig" if self._rolling_back else "UpdateConfig") or {}
        self._parallelism = config.get("Parallelism", 1)
        self._delay = config.get("Delay", 0) / SECOND
        self._monitor = config["Monitor"] / SECOND if config.get("Monitor") else all_updaters.pace.monitor
        self._on_failure = config.get("FailureAction", "pause")
        self._ratio = config.get("MaxFailureRatio", 0)
        self._start_first = config.get("Order") == "start-first"
        self._queue: list[Slot] = []
        self._total = 0
        self._idle = 0
        self._awaited: dict[str, Slot] = {}
        self._made: dict[str, float | None] = {}
        """Tasks that this update made, and since when they run (None: not yet)."""
        self._failed: set[str] = set()
        self._unseen: list[Task] = []
        self._timer: Entry | None = None
        self._monitoring = self._stopped = False

    def run(self, slots: Sequence[Slot]) -> None:
        """Begin."""
        state = (self.service.status or {}).get("State")
        dirty = [s for s in slots if len(s) > 1 or is_dirty(self.service, s[0])]
        if state in ("paused", "rollback_paused"):
            self._end()
            return
        if not dirty:
            if state in ("updating", "rollback_started"):
                self._complete()
            self._end()
            return
        if self.service.status is None:
            self._set(
                {"State": "updating", "StartedAt": self._all.store.agenda.stamp(), "Message": "update in progress"}
            )
        self._queue, self._total = list(dirty), len(dirty)
        self._idle = self._parallelism or len(dirty)
        self._feed()

    def cancel(self) -> None:
        """Another specification came."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()
        self._end()

    def task_changed(self, task: Task) -> None:
        """A task of the service has another state."""
        if task.meta.id in self._made and self._made[task.meta.id] is None and task.rank >= RUNNING:
            self._made[task.meta.id] = self._all.store.agenda.now
        if task.rank > RUNNING and task.meta.id in self._made:
            self._unseen.append(task)
            if self._queue or self._monitoring:
                self._judge()
        slot = self._awaited.get(task.meta.id)
        if slot is not None and task.rank >= RUNNING:
            del self._awaited[task.meta.id]
            if self._start_first and task.state == "running":
                self._take_down(slot)
            self._worker_free()

    # -- workers -----------------------------------------------------------------------------------------------------

    def _feed(self) -> None:
        while self._queue and self._idle and not self._stopped:
            self._idle -= 1
            self._work(self._queue.pop(0))
        if self._queue or self._stopped or self._monitoring or self._awaited or self._idle < self._workers:
            return
        self._monitoring = True
        self._judge()
        if not self._stopped:
            self._timer = self._all.store.agenda.at(self._monitor, self._monitored)

    @property
    def _workers(self) -> int:
        return int(self._parallelism or self._total)

    def _work(self, slot: Slot) -> None:
        """Bring one slot to the specification."""
        clean = [t for t in slot if not is_dirty(self.service, t)]
        existing = next((t for t in clean if t.desired == "running"), None) or (clean[-1] if clean else None)
        if existing is not None:
            others = [t for t in slot if t is not existing]
            last = self._take_down(others)
            if existing.desired == "running" or last is None:
                self._all.want(existing, "running")
                self._worker_free()
            else:
                self._all.when_ended(last, lambda: self._use(existing))
            return
        first = slot[0]
        node = first.node if self.service.replicas is None else None
        if self._start_first:
            task = self._all.new_task(self.service, first.slot, node, "running")
        else:
            last = self._take_down(slot)
            task = self._all.new_task(self.service, first.slot, node, "ready")
            if last is None:
                self._all.want(task, "running")
            else:
                self._all.when_ended(last, lambda: self._let_run(task))
        self._made[task.meta.id] = None
        self._awaited[task.meta.id] = slot

    def _use(self, task: Task) -> None:
        self._all.want(task, "running")
        self._worker_free()

    def _let_run(self, task: Task) -> None:
        if task.desired == "ready":
            self._all.want(task, "running")

    def _take_down(self, slot: Slot) -> Task | None:
        """Shut the tasks of a slot down; the last of them that still has to stop."""
        last = None
        for task in slot:
            if task.wanted_rank <= RUNNING:
                self._all.want(task, "shutdown")
                if task.node is not None and task.rank <= RUNNING:
                    last = task
        return last

    def _worker_free(self) -> None:
        if self._stopped:
            return
        if self._delay:
            self._all.store.agenda.at(self._delay, self._rested)
        else:
            self._rested()

    def _rested(self) -> None:
        self._idle += 1
        self._feed()

    # -- failures and the end ------------------------------------------------------------------------------------------

    def _judge(self) -> None:
        """Look at the failures since the last look."""
        unseen, self._unseen = self._unseen, []
        for task in unseen:
            if self._stopped or self._on_failure == "continue" or task.meta.id in self._failed:
                continue
            since = self._made[task.meta.id]
            if since is not None and self._all.store.agenda.now - since > self._monitor:
                continue
            self._failed.add(task.meta.id)
            if len(self._failed) / self._total > self._ratio:
                self._stop(task)

    def _stop(self, task: Task) -> None:
        why = f"due to failure or early termination of task {task.meta.id}"
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()
        status = self.service.status
        if status is None or self.service.removed:
            return
        if self._on_failure == "rollback" and not self._rolling_back:
            if self.service.previous is not None:
                spec, version = self.service.previous
                before = status
                self.service.status = {
                    **status, "State": "rollback_started", "Message": f"update rolled back {why}"
                }  # fmt: skip
                self.service.spec, self.service.spec_version, self.service.previous = spec, version, None
                self._all.store.touch(self.service.meta)
                self._all.changed(self.service, before)
            else:
                self._end()  # it stays "updating"
            return
        back = status["State"] == "rollback_started"
        word = "rollback" if self._on_failure == "rollback" else "update"
        self._set({**status, "State": "rollback_paused" if back else "paused", "Message": f"{word} paused {why}"})
        self._end()

    def _monitored(self) -> None:
        self._judge()
        if not self._stopped:
            self._complete()
            self._end()

    def _complete(self) -> None:
        status = self.service.status
        if status is None or self.service.removed:
            return
        word, state = (
            ("rollback", "rollback_completed") if status["State"] == "rollback_started" else ("update", "completed")
        )
        now = self._all.store.agenda.stamp()
        self._set({**status, "State": state, "CompletedAt": now, "Message": f"{word} completed"})

    def _set(self, status: dict[str, Any]) -> None:
        before = self.service.status
        self.service.status = status
        self._all.store.touch(self.service.meta)
        self._all.changed(self.service, before)

    def _end(self) -> None:
        self._all.finished(self)
