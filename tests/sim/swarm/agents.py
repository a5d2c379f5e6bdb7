"""The engines' part of a task: from its addresses to a container that runs, and to its end.

    new -> pending -> assigned -> accepted -> preparing -> (ready ->) starting -> running -> complete | failed
                                                  └> rejected            any of them, when told to end -> shutdown

A node that is down does nothing: its tasks stay as they were last seen.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.sim.swarm import addresses
from tests.sim.swarm.behaviour import Behaviours, Pace, health_seconds, sick_seconds
from tests.sim.swarm.objects import RANK, RUNNING, Network, Node, Task
from tests.sim.swarm.store import Store

_STARTING, _SHUTDOWN = RANK["starting"], RANK["shutdown"]
_STEADY_SECONDS = 30.0
NODE = "com.docker.swarm.node.id"


class Agents:
    """Moves tasks on.

    Args:
        store: all objects.
        pace: how long each step takes.
        behaviours: what containers do.
    """

    def __init__(self, store: Store, pace: Pace, behaviours: Behaviours) -> None:
        self._store = store
        self._pace = pace
        self.behaviours = behaviours
        self.listeners: list[Callable[[Task], None]] = []
        """Called after each change of a task's state."""
        self.schedule: Callable[[Task], None] = lambda _task: None
        """Gives a pending task to the scheduler."""
        self._unaddressed: dict[str, Task] = {}

    # -- before it has a node --------------------------------------------------------------------------------------

    def admit(self, task: Task) -> None:
        """A task was made: give it its addresses soon."""
        self._at(task, self._pace.allocate, lambda: self._allocate(task))

    def retry_addresses(self) -> None:
        """Addresses may have become free."""
        waiting, self._unaddressed = self._unaddressed, {}
        for task in waiting.values():
            if task.meta.id in self._store.tasks and task.state == "new":
                self._allocate(task)
            elif task.state == "preparing":
                self.poke(task)

    def _allocate(self, task: Task) -> None:
        if not task.alive:
            return
        networks: list[Network] = []
        for attachment in task.spec.get("Networks") or ():
            network = self._store.networks.get(attachment["Target"])
            if network is None or not network.driver or not addresses.room(network):
                self._unaddressed[task.meta.id] = task  # it stays new, and nothing says why
                return
            networks.append(network)
        for network in networks:
            task.addresses[network.meta.id] = addresses.take(network, task.meta.id)
        self.move(task, "pending", "pending task scheduling")
        self.schedule(task)

    # -- on its node -----------------------------------------------------------------------------------------------

    def poke(self, task: Task) -> None:
        """Let the task's engine do its next step: something about the task, or its node, changed."""
        if task.step is not None and task.step.action is not None and task.state in ("new", "pending"):
            return
        if task.step is not None:
            task.step.cancel()
        if task.node is None or not task.node.up or task.rank > RUNNING:
            return
        if task.wanted_rank >= _SHUTDOWN:
            self._at(task, self._stop_seconds(task), lambda: self._stopped(task))
            return
        container = task.spec["ContainerSpec"]
        behaviour = self.behaviours.of(container)
        match task.state:
            case "assigned":
                self._at(task, self._pace.accept, lambda: self._step(task, "accepted", "accepted"))
            case "accepted":
                self._at(task, 0.0, lambda: self._step(task, "preparing", "preparing"))
            case "preparing" if not (behaviour.pullable and self._is_given(task)):
                error = f"No such image: {container['Image']}"
                self._at(task, self._pace.prepare / 2, lambda: self._end(task, "rejected", "preparing", error=error))
            case "preparing" if not self._balanced(task, task.node):
                self._unaddressed[task.meta.id] = task  # it goes on when somebody gives an address back
            case "preparing":
                self._at(task, self._pace.prepare, lambda: self._prepared(task))
            case "ready" if task.desired != "ready":
                self._at(task, 0.0, lambda: self._start(task))
            case "starting" if lost := self._lost_content(task):
                error = f"starting container failed: {lost}"
                self._at(task, self._pace.report, lambda: self._end(task, "failed", "starting", 128, error))
            case "starting":
                first, last = health_seconds(container)
                delay = self._pace.start + behaviour.start_seconds
                ends = None if behaviour.exit_code else behaviour.exit_after
                if ends is not None and ends < (first if behaviour.healthy else last):
                    self._at(task, delay + ends, lambda: self._ended_well(task))
                elif last and not behaviour.healthy:
                    self._at(task, delay + last, lambda: self._unhealthy(task))
                else:
                    self._at(task, delay + first, lambda: self._run(task))
            case "running" if behaviour.sick_after is not None and health_seconds(container)[1]:
                self._at(task, behaviour.sick_after + sick_seconds(container), lambda: self._unhealthy(task))
            case "running" if behaviour.exit_after is not None:
                self._at(task, behaviour.exit_after, lambda: self._exit(task, behaviour.exit_code))

    def assign(self, task: Task) -> None:
        """The scheduler chose a node."""
        self.move(task, "assigned", "scheduler assigned task to node")
        self.poke(task)

    def fail(self, task: Task, exit_code: int) -> None:
        """The container ends by itself now."""
        if task.step is not None:
            task.step.cancel()
        self._exit(task, exit_code)

    def reject(self, task: Task) -> None:
        """Its node does not satisfy what it asks for any more."""
        error = "assigned node no longer meets constraints"
        if task.step is not None:
            task.step.cancel()
        self._end(task, "rejected", "task rejected by constraint enforcer", error=error)

    def move(self, task: Task, state: str, message: str, error: str = "") -> None:
        """Give a task a new state, and tell."""
        task.state, task.message, task.error = state, message, error
        task.stamp = self._store.agenda.now
        self._store.touch(task.meta, quiet=task.tired)
        task.since = task.meta.updated
        for listener in self.listeners:
            listener(task)

    def _step(self, task: Task, state: str, message: str) -> None:
        self.move(task, state, message)
        self.poke(task)

    def _lost_content(self, task: Task) -> str:
        """Why the container cannot have a secret or config that it refers to; empty when it can.

        A node keeps what is gone for as long as another task on it refers to it.
        """
        others = [t for t in self._store.tasks.values() if t.node is task.node and t is not task and t.rank <= RUNNING]
        for what, table in (("secret", self._store.secrets), ("config", self._store.configs)):
            kept = {content for other in others for content in _contents(other, what)}
            for wanted in _contents(task, what):
                if wanted not in table and wanted not in kept:
                    return f"unable to get {what} from {what} store: {what} {wanted} not found"
        return ""

    def _balanced(self, task: Task, node: Node) -> bool:
        """Whether its node has an address of its own on each of the task's networks."""
        for network_id in task.addresses:
            network = self._store.networks.get(network_id)
            if network is not None and balancer(node) not in network.addresses:
                if not addresses.room(network):
                    return False
                addresses.take(network, balancer(node))
        return True

    def _prepared(self, task: Task) -> None:
        if task.desired == "ready":
            self._step(task, "ready", "prepared")
        else:
            self._start(task)

    def _start(self, task: Task) -> None:
        task.container = self._store.container()
        task.began, task.began_at = self._store.agenda.now, self._store.agenda.stamp()
        self._step(task, "starting", "starting")

    def _run(self, task: Task) -> None:
        task.running_at = self._store.agenda.now
        task.exit_code = 0
        self._step(task, "running", "started")
        self._tell(task, "start")

    def _exit(self, task: Task, code: int) -> None:
        if code:
            self._end(task, "failed", "started", code, f"task: non-zero exit ({code})")
        else:
            self._end(task, "complete", "finished", 0)

    def _unhealthy(self, task: Task) -> None:
        code = self.behaviours.of(task.spec["ContainerSpec"]).stop_code
        if code:
            said = "started" if task.state == "running" else "starting"
            self._end(task, "failed", said, code, f"task: non-zero exit ({code}): unhealthy container")
        elif task.state == "running":
            self._end(task, "complete", "finished", 0)
        else:
            self._ended_well(task)

    def _ended_well(self, task: Task) -> None:
        """What waited for its health has ended without an error: it runs, until it is heard that it has ended."""
        task.running_at = self._store.agenda.now
        self.move(task, "running", "started")
        self._at(task, self._pace.report, lambda: self._end(task, "complete", "finished", 0))

    def _stopped(self, task: Task) -> None:
        code = self.behaviours.of(task.spec["ContainerSpec"]).stop_code if task.rank >= _STARTING else 0
        self._end(task, "shutdown", "shutdown", code)

    def _end(self, task: Task, state: str, message: str, code: int | None = None, error: str = "") -> None:
        began = task.running_at
        if began is not None and self._store.agenda.now - began >= _STEADY_SECONDS:
            task.restarts = 0
        was_running = task.state == "running"
        task.exit_code = code
        task.held = (*task.addresses, *task.joined)
        task.joined.clear()
        self._store.free(task)
        self.move(task, state, message, error)
        if was_running:
            self._tell(task, "die", exitCode=str(code or 0))
        self.retry_addresses()

    def _stop_seconds(self, task: Task) -> float:
        if task.rank < _STARTING:
            return self._pace.report
        return self._pace.stop + (self._pace.stop_on_overlay if task.addresses else 0.0)

    def _is_given(self, task: Task) -> bool:
        pull = task.service.pulls.get(task.spec_version, "")
        return self.behaviours.gives(task.spec["ContainerSpec"]["Image"], pull)

    def _at(self, task: Task, delay: float, action: Callable[[], None]) -> None:
        task.step = self._store.agenda.at(delay, action, quiet=task.tired)

    def _tell(self, task: Task, action: str, **more: str) -> None:
        assert task.node is not None
        attributes = container_labels(task) | {"image": task.spec["ContainerSpec"]["Image"], "name": task.name} | more
        self._store.tell_local("container", action, task.container, attributes)


def _contents(task: Task, what: str) -> list[str]:
    """Ids of the secrets or configs that a task refers to."""
    title = what.capitalize()
    return [reference[f"{title}ID"] for reference in task.spec["ContainerSpec"].get(f"{title}s") or ()]


def balancer(node: Node) -> str:
    """Who has the address that each node needs on a network for the balancing of its load."""
    return f"balancer of {node.meta.id}"


def container_labels(task: Task) -> dict[str, str]:
    """Labels of a task's container: its own, and those that Swarm gives."""
    return {
        **(task.spec["ContainerSpec"].get("Labels") or {}),
        NODE: task.node.meta.id if task.node else "",
        "com.docker.swarm.service.id": task.service.meta.id,
        "com.docker.swarm.service.name": task.service.name,
        "com.docker.swarm.task": "",
        "com.docker.swarm.task.id": task.meta.id,
        "com.docker.swarm.task.name": task.name,
    }
