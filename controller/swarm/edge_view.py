"""Where the edge is: its services, its tasks, and the networks that its containers on this engine are on.

Containers are of one engine and tasks of the whole Swarm: only those of this engine's node can be joined to a network
from here, and whether every other one is on it too cannot be known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from controller.swarm.metrics import EDGE_SERVICES, EDGE_TASKS
from reconcilers.ports import EdgePlace

Document = Mapping[str, Any]


class Moved(NamedTuple):
    """What changed of the edge.

    Args:
        place: whether its tasks or its containers are others than before.
        networks: names of those that all of its containers came to be on, or are not all on any more.
    """

    place: bool = False
    networks: frozenset[str] = frozenset()


class EdgeView:
    """What is known of the edge."""

    def __init__(self) -> None:
        self.services: frozenset[str] = frozenset()
        """Ids of the services that are the edge."""
        self.containers: Mapping[str, frozenset[str]] = {}
        """Edge containers on this engine: container id -> names of the networks they are on."""
        self._tasks: tuple[tuple[str, str], ...] = ()
        """Node and container of each running task of the edge."""
        self._here = ""
        self._asked = self._taken = 0

    @property
    def node(self) -> str | None:
        """This engine's node when there is an edge."""
        return self._here if self.services else None

    @property
    def place(self) -> EdgePlace:
        """Where its tasks run."""
        nodes = [node for node, _ in self._tasks]
        elsewhere = sorted({node for node in nodes if node != self._here})
        return EdgePlace(bool(self.services), nodes.count(self._here), tuple(elsewhere))

    def is_on(self, network: str) -> bool:
        """Whether there are edge tasks and each of them is on the network of this name."""
        return bool(self._tasks) and all(network in self.containers.get(c, ()) for _, c in self._tasks)

    def found(self, services: frozenset[str], node: str) -> bool:
        """These services are the edge, by what the engine of ``node`` says; whether they are others than before."""
        before, self.services, self._here = self.services, services, node
        return services != before

    def asking(self) -> int:
        """The number of a question for containers and tasks, for ``take``."""
        self._asked += 1
        return self._asked

    def take(self, number: int, containers: Sequence[Document], tasks: Sequence[Document]) -> Moved:
        """Take in an answer.

        Args:
            number: of its question: what was asked for later, and came earlier, is newer.
            containers: of the edge on this engine, inspected.
            tasks: of the edge that should run.
        """
        if number < self._taken:
            return Moved()
        self._taken = number
        place, before = self.place, self.containers
        self._tasks = tuple(sorted(_place(task) for task in tasks if task["Status"]["State"] == "running"))
        self.containers = {
            d["Id"]: frozenset((d.get("NetworkSettings") or {}).get("Networks") or {}) for d in containers
        }
        EDGE_SERVICES.set(len(self.services))
        EDGE_TASKS.labels(where="here").set(self.place.here)
        EDGE_TASKS.labels(where="elsewhere").set(len(self._tasks) - self.place.here)
        moved = place != self.place or set(before) != set(self.containers)
        return Moved(moved, _common(before) ^ _common(self.containers))


def _common(containers: Mapping[str, frozenset[str]]) -> frozenset[str]:
    """Networks that all of them are on."""
    return frozenset.intersection(*containers.values()) if containers else frozenset()


def _place(task: Document) -> tuple[str, str]:
    container = task["Status"].get("ContainerStatus") or {}
    return str(task.get("NodeID") or ""), str(container.get("ContainerID") or "")
