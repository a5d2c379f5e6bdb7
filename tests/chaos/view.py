"""The real engine and database as the safety properties of the simulator see them (``tests/sim/safety.py``).

One view is one moment: everything is read once, when it is made. What takes its time is asked when all is quiet.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from ipaddress import IPv4Network
from typing import Any, NamedTuple

from controller.records import Key
from specs.image_policies import Scanned
from tests.chaos.harness import ChaosHarness
from tests.sim import safety
from tests.sim.facts import NetworkFact, ServiceFact, TaskFact, Wish, network_fact, service_fact

WITH_MEMORY = {"what_serves_goes_on_serving"}
"""Properties of a course, not of a moment."""


class _Said(NamedTuple):
    ready: bool
    finalized_at: datetime | None


class RealView:
    """One look at a harness."""

    def __init__(self, chaos: ChaosHarness) -> None:
        world, engine = chaos.world, chaos.world.engine
        self.installation = world.name
        self.served: set[tuple[Key, str]] = set()
        self.networks: dict[str, NetworkFact] = {
            n["Id"]: network_fact(n["Id"], n["Name"], n["Labels"], _subnet(n)) for n in engine.get("/networks")
        }
        services = engine.get("/services")
        self._services = {s["ID"]: service_fact(s["ID"], s["Spec"]) for s in services}
        templates = {s["ID"]: s["Spec"]["TaskTemplate"] for s in services}
        self._tasks: dict[str, list[TaskFact]] = {}
        for task in engine.get("/tasks", filters={"desired-state": ["running"]}):
            if task["Status"]["State"] == "running":
                current = task["Spec"] == {
                    k: v for k, v in templates.get(task["ServiceID"], {}).items() if k != "Runtime"
                }
                self._tasks.setdefault(task["ServiceID"], []).append(
                    TaskFact(task["ID"], 0.0, dict(_addresses(task)), current)
                )
        self._edges = self._edge_containers(chaos) if chaos.has_edge else []
        self._rows = {
            Key(kind, str(row["id"])): Wish(
                "deleted" if row["deleted"] else "declared", str(row["organization_id"]), row["generation"], row["doc"]
            )
            for kind in ("organization", "environment")
            for row in world.root(f"SELECT id, organization_id, generation, deleted, doc FROM skypanel.snapshot_{kind}")
        }
        self._statuses = {
            Key(row["kind"], str(row["id"])): _Said(row["ready"], row["finalized_at"])
            for row in world.root("SELECT kind, id, ready, finalized_at FROM skypanel.object_status")
        }
        self._subnets = [
            (
                str(row["organization_id"]),
                row["subnet"] if isinstance(row["subnet"], IPv4Network) else IPv4Network(str(row["subnet"])),
            )
            for row in world.root("SELECT organization_id, subnet FROM skypanel.subnets WHERE state = 'allocated'")
        ]

    @staticmethod
    def _edge_containers(chaos: ChaosHarness) -> list[dict[str, str]]:
        """For each container of the edge: network id -> address."""
        filters = {"label": ["com.docker.swarm.service.name=skypanel-edge"], "status": ["running"]}
        return [
            {joined["NetworkID"]: joined["IPAddress"] for joined in found["NetworkSettings"]["Networks"].values()}
            for found in chaos.world.engine.get("/containers/json", filters=filters)
        ]

    def ours(self) -> Iterator[ServiceFact]:
        return (s for s in self._services.values() if s.installation == self.installation and s.owner is not None)

    def network_named(self, name: str) -> NetworkFact | None:
        return next((n for n in self.networks.values() if n.name == name), None)

    def running(self, service_id: str) -> Sequence[TaskFact]:
        return self._tasks.get(service_id, [])

    def ran(self, service_id: str, seconds: float) -> int:
        return sum(task.current for task in self.running(service_id))

    def ended_well(self) -> Mapping[tuple[str, str, object], int]:
        return {}  # nothing that is declared here has a job

    def begun_once(self) -> Mapping[str, int]:
        return {}  # as well

    def edges(self) -> Sequence[frozenset[str]]:
        return [frozenset(joined) for joined in self._edges]

    def addresses(self, network_id: str) -> Sequence[str]:
        tasks = (task for tasks in self._tasks.values() for task in tasks)
        held = [task.addresses[network_id] for task in tasks if network_id in task.addresses]
        return held + [joined[network_id] for joined in self._edges if network_id in joined]

    def wish(self, key: Key) -> Wish:
        return self._rows.get(key, Wish("dropped"))

    def parent(self, child: Key) -> Key | None:
        return next((key for key, wish in self._rows.items() if child in wish.children), None)

    def recently(self, key: Key) -> Sequence[Wish]:
        return [self.wish(key)]

    def scanned(self, image: str) -> Scanned | None:
        return None

    def names(self, image: str) -> Sequence[str]:
        """Its own digest alone."""
        return [image.partition("@")[2]]

    def statuses(self) -> Mapping[Key, _Said]:
        return self._statuses

    def paused(self, key: Key) -> bool:
        return False

    def subnets(self) -> Sequence[tuple[str, Any]]:
        return self._subnets

    def confirmed(self, key: Key) -> bool:
        return False

    @property
    def tripped(self) -> bool:
        return False

    def disturbed(self, key: Key) -> bool:
        return False


def broken(chaos: ChaosHarness) -> list[str]:
    """What the safety properties of a state say of the real parts, now."""
    view = RealView(chaos)
    return [
        f"{each.name.replace('_', ' ')}: {sentence}"
        for each in safety.PROPERTIES
        if each.sort == "always" and each.name not in WITH_MEMORY and each.name not in safety.NOT_YET
        for sentence in each.ask(view)
    ]


def _subnet(network: Mapping[str, Any]) -> str:
    pools = (network.get("IPAM") or {}).get("Config") or [{}]
    return str(pools[0].get("Subnet", ""))


def _addresses(task: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for attachment in task.get("NetworksAttachments") or ():
        for address in attachment.get("Addresses") or ():
            yield attachment["Network"]["ID"], address.partition("/")[0]
