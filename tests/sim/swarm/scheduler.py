"""Gives pending tasks a node, and says why there is none (swarmkit scheduler)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from tests.sim.swarm.agents import Agents
from tests.sim.swarm.base import Entry
from tests.sim.swarm.behaviour import Pace
from tests.sim.swarm.objects import RUNNING, Node, Task
from tests.sim.swarm.store import Store

_CONSTRAINT = re.compile(r"^\s*([\w.-]+)\s*(==|!=)\s*(.+?)\s*$")
_REASONS = {  # in the order in which the engine asks
    "ready": "not available for new tasks",
    "resources": "insufficient resources",
    "constraints": "scheduling constraints not satisfied",
    "port": "host-mode port already in use",
    "replicas": "max replicas per node limit exceed",
}


class Scheduler:
    """The waiting tasks."""

    def __init__(self, store: Store, agents: Agents, pace: Pace) -> None:
        self._store = store
        self._agents = agents
        self._pace = pace
        self._waiting: dict[str, Task] = {}
        self._pass: Entry | None = None
        agents.schedule = self.add
        agents.listeners.append(self._task_changed)

    def add(self, task: Task) -> None:
        """A task needs a node."""
        self._waiting[task.meta.id] = task
        self.kick(quiet=task.tired)

    def kick(self, *, quiet: bool = False) -> None:
        """Something changed: look at the waiting tasks soon."""
        if self._waiting and (self._pass is None or self._pass.action is None or (self._pass.quiet and not quiet)):
            if self._pass is not None:
                self._pass.cancel()
            self._pass = self._store.agenda.at(self._pace.schedule, self._look, quiet=quiet)

    def _task_changed(self, task: Task) -> None:
        if task.rank > RUNNING:
            self.kick(quiet=task.tired)

    def _look(self) -> None:
        self._pass = None
        waiting, self._waiting = self._waiting, {}
        for task in waiting.values():
            if task.meta.id not in self._store.tasks or task.state != "pending" or not task.alive:
                continue
            self._place(task)

    def _place(self, task: Task) -> None:
        fitting: list[Node] = []
        reasons: Counter[str] = Counter()
        nodes = [task.node] if task.node is not None else sorted(self._store.nodes.values(), key=lambda n: n.hostname)
        for node in nodes:
            reason = self._unfit(task, node)
            if reason:
                reasons[reason] += 1
            else:
                fitting.append(node)
        if fitting:
            task.node = min(fitting, key=lambda node: self._load(task, node))
            self._agents.assign(task)
            return
        if task.service.spec_version > task.spec_version:
            return  # moby#53722: a task of an older specification is not looked at again
        order = sorted(reasons, key=lambda r: (-reasons[r], list(_REASONS).index(r)))
        text = "; ".join(_explain(reason, reasons[reason]) for reason in order)
        self._waiting[task.meta.id] = task
        if (error := f"no suitable node ({text})") != task.error:
            self._agents.move(task, "pending", "pending task scheduling", error)

    def _load(self, task: Task, node: Node) -> tuple[int, int]:
        tasks = self._on(node)
        return sum(t.service is task.service for t in tasks), len(tasks)

    def _on(self, node: Node) -> list[Task]:
        return [t for t in self._store.tasks.values() if t.node is node and t.state != "pending" and t.rank <= RUNNING]

    def _unfit(self, task: Task, node: Node) -> str:
        if not node.accepts:
            return "ready"
        tasks = self._on(node)
        if not self._agents.behaviours.of(task.spec["ContainerSpec"]).fits or not _has_room(task, node, tasks):
            return "resources"
        if not satisfies(task.spec, node):
            return "constraints"
        ports = _host_ports(task)
        if ports and any(ports & _host_ports(other) for other in tasks):
            return "port"
        most = (task.spec.get("Placement") or {}).get("MaxReplicas", 0)
        if most and sum(t.service is task.service for t in tasks) >= most:
            return "replicas"
        return ""


def _explain(reason: str, nodes: int) -> str:
    if reason == "replicas":
        return _REASONS[reason]
    return f"{_REASONS[reason]} on {nodes} node{'' if nodes == 1 else 's'}"


def satisfies(template: Mapping[str, Any], node: Node) -> bool:
    """Whether a node satisfies the placement constraints."""
    for text in (template.get("Placement") or {}).get("Constraints") or ():
        found = _CONSTRAINT.match(text)
        if found is None:
            return False
        key, operator, value = found.groups()
        if (_attribute(node, key).lower() == value.lower()) != (operator == "=="):
            return False
    return True


def _attribute(node: Node, key: str) -> str:
    if key.startswith("node.labels."):
        return node.labels.get(key.removeprefix("node.labels."), "")
    attributes: Mapping[str, Callable[[], str]] = {
        "node.id": lambda: node.meta.id,
        "node.hostname": lambda: node.hostname,
        "node.role": lambda: node.role,
    }
    return attributes.get(key, lambda: "")()


def _has_room(task: Task, node: Node, tasks: list[Task]) -> bool:
    wanted = (task.spec.get("Resources") or {}).get("Reservations") or {}
    if not wanted:
        return True
    taken = [(t.spec.get("Resources") or {}).get("Reservations") or {} for t in tasks]
    cpus = node.nano_cpus - sum(t.get("NanoCPUs", 0) for t in taken)
    memory = node.memory - sum(t.get("MemoryBytes", 0) for t in taken)
    return bool(wanted.get("NanoCPUs", 0) <= cpus and wanted.get("MemoryBytes", 0) <= memory)


def _host_ports(task: Task) -> set[tuple[str, int]]:
    ports = (task.endpoint or {}).get("Ports") or ()
    return {
        (port["Protocol"], port["PublishedPort"])
        for port in ports
        if port["PublishMode"] == "host" and port.get("PublishedPort")
    }
