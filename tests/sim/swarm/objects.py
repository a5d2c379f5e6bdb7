"""The objects of a cluster, and the documents that the API gives of them.

Specifications are never changed once they are stored, so documents share them; the transport encodes before anybody
else sees them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.sim.swarm.base import Entry

Document = dict[str, Any]

RANK = {
    state: number
    for number, state in enumerate(
        ("new", "pending", "assigned", "accepted", "preparing", "ready", "starting", "running", "complete", "shutdown",
         "failed", "rejected", "remove", "orphaned")
    )
}  # fmt: skip
RUNNING, COMPLETE = RANK["running"], RANK["complete"]
_TIRED = 3


@dataclass(slots=True)
class Meta:
    """What every object of the Swarm has."""

    id: str
    version: int = 0
    created: str = ""
    updated: str = ""

    def document(self) -> Document:
        """The head of each document."""
        return {
            "ID": self.id,
            "Version": {"Index": self.version},
            "CreatedAt": self.created,
            "UpdatedAt": self.updated,
        }


@dataclass(slots=True)
class Service:
    """A service; ``spec_version`` says which write its specification is of."""

    meta: Meta
    spec: Document
    spec_version: int = 0
    previous: tuple[Document, int] | None = None
    status: Document | None = None
    endpoint: Document = field(default_factory=lambda: {"Spec": {}})
    removed: bool = False
    iteration: int = 0
    """Of a job: the number of its run."""
    executed: str = ""
    """Of a job: when that began."""
    pulls: dict[int, str] = field(default_factory=dict)
    """By version of a specification: what nodes pull with, which no answer shows."""

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.spec["Name"])

    @property
    def labels(self) -> dict[str, str]:
        """Its own labels, not the containers'."""
        return dict(self.spec.get("Labels") or {})

    @property
    def replicas(self) -> int | None:
        """Tasks that it wants; None when it wants one a node."""
        mode = self.spec["Mode"]
        return mode["Replicated"]["Replicas"] if "Replicated" in mode else None

    @property
    def is_job(self) -> bool:
        """Whether its tasks run to an end."""
        return not self.spec["Mode"].keys() & {"Replicated", "Global"}

    def document(self) -> Document:
        """As ``GET /services`` has it."""
        found = self.meta.document() | {"Spec": self.spec, "Endpoint": self.endpoint}
        if self.is_job:
            found["JobStatus"] = {"JobIteration": index(self.iteration), "LastExecution": self.executed}
        if self.previous is not None:
            found["PreviousSpec"] = self.previous[0]
        if self.status is not None:
            found["UpdateStatus"] = self.status
        return found


@dataclass(slots=True)
class Network:
    """An overlay of the Swarm, or one of this engine's own; ``driver`` is empty until it is allocated."""

    meta: Meta
    name: str
    labels: dict[str, str] | None
    wanted: Document
    scope: str = "swarm"
    driver: str = ""
    subnet: str = ""
    task_range: str = ""
    gateway: str = ""
    vxlan: int = 0
    ingress: bool = False
    addresses: dict[str, str] = field(default_factory=dict)
    """Who has which address: owner -> address."""

    def document(self) -> Document:
        """As ``GET /networks`` has it."""
        config = None
        if self.subnet:
            config = [{"Subnet": self.subnet, "Gateway": self.gateway}]
            if self.task_range:
                config[0]["IPRange"] = self.task_range
        options: dict[str, str] | None = None
        if self.driver:
            options = dict(self.wanted.get("Options") or {})
            if self.vxlan:
                options["com.docker.network.driver.overlay.vxlanid_list"] = str(self.vxlan)
        return {
            "Name": self.name,
            "Id": self.meta.id,
            "Created": self.meta.created,
            "Scope": self.scope,
            "Driver": self.driver,
            "EnableIPv6": False,
            "IPAM": {"Driver": "default" if self.driver else "", "Options": None, "Config": config},
            "Internal": bool(self.wanted.get("Internal")),
            "Attachable": bool(self.wanted.get("Attachable")),
            "Ingress": self.ingress,
            "ConfigFrom": {"Network": ""},
            "ConfigOnly": False,
            "Containers": None if self.scope == "swarm" else {},
            "Options": options,
            "Labels": self.labels,
        }


@dataclass(slots=True)
class Content:
    """A secret or a config."""

    meta: Meta
    name: str
    labels: dict[str, str]
    data: str
    secret: bool

    def document(self) -> Document:
        """As the API has it: a secret's data never leaves."""
        spec: Document = {"Name": self.name, "Labels": self.labels}
        if not self.secret:
            spec["Data"] = self.data
        return self.meta.document() | {"Spec": spec}


@dataclass(slots=True)
class Node:
    """A node of the Swarm with an engine on it."""

    meta: Meta
    number: int
    hostname: str
    role: str
    nano_cpus: int
    memory: int
    labels: dict[str, str] = field(default_factory=dict)
    availability: str = "active"
    up: bool = True
    leader: bool = False

    @property
    def accepts(self) -> bool:
        """Whether new tasks may go there."""
        return self.up and self.availability == "active"

    @property
    def invalid(self) -> bool:
        """Whether its tasks must go elsewhere."""
        return not self.up or self.availability == "drain"

    def document(self) -> Document:
        """As ``GET /nodes`` has it."""
        address = f"10.99.0.{10 + self.number}"
        found = self.meta.document() | {
            "Spec": {"Labels": self.labels, "Role": self.role, "Availability": self.availability},
            "Description": {
                "Hostname": self.hostname,
                "Platform": {"Architecture": "x86_64", "OS": "linux"},
                "Resources": {"NanoCPUs": self.nano_cpus, "MemoryBytes": self.memory},
                "Engine": {"EngineVersion": "26.1.5"},
            },
            "Status": {"State": "ready" if self.up else "down", "Addr": address},
        }
        if self.role == "manager":
            reachable = "reachable" if self.up else "unreachable"
            found["ManagerStatus"] = {"Reachability": reachable, "Addr": f"{address}:2377"}
            if self.leader:
                found["ManagerStatus"]["Leader"] = True
        return found


@dataclass(slots=True, eq=False)
class Task:
    """One try to run one slot of a service (for a global service, one node's)."""

    meta: Meta
    service: Service
    slot: int
    spec: Document
    spec_version: int
    endpoint: Document | None
    desired: str
    state: str = "new"
    message: str = "created"
    error: str = ""
    exit_code: int | None = None
    node: Node | None = None
    container: str = ""
    since: str = ""
    addresses: dict[str, str] = field(default_factory=dict)
    joined: dict[str, str] = field(default_factory=dict)
    """Networks that its container was put on by hand: network id -> address."""
    left: set[str] = field(default_factory=set)
    """Networks of its own that it was taken off by hand."""
    held: tuple[str, ...] = ()
    """Networks that its container was on when it ended."""
    labels: dict[str, str] = field(default_factory=dict)
    """Those that its service had when it was made."""
    iteration: int | None = None
    """Of a job's task: the run that it is of."""
    restarts: int = 0
    running_at: float | None = None
    began: float = 0.0
    began_at: str = ""
    """When its container was started: by the clock of the agenda, and as its engine says it."""
    stamp: float = 0.0
    step: Entry | None = None

    @property
    def tired(self) -> bool:
        """Whether it is one of many that failed one after the other."""
        return self.restarts > _TIRED

    @property
    def rank(self) -> int:
        """How far it is."""
        return RANK[self.state]

    @property
    def wanted_rank(self) -> int:
        """How far it is wanted to be."""
        return RANK[self.desired]

    @property
    def alive(self) -> bool:
        """Whether it is wanted to run, or to end well."""
        return self.wanted_rank <= (RUNNING if self.iteration is None else COMPLETE)

    @property
    def key(self) -> int | str:
        """What it is a try of: the slot, or the node of a global service."""
        return self.slot or (self.node.meta.id if self.node else "")

    @property
    def name(self) -> str:
        """The container's."""
        place = self.slot or (self.node.meta.id if self.node else "")
        return f"{self.service.name}.{place}.{self.meta.id}"

    def document(self, networks: dict[str, Network]) -> Document:
        """As ``GET /tasks`` has it."""
        status: Document = {"Timestamp": self.since, "State": self.state, "Message": self.message, "PortStatus": {}}
        if self.error:
            status["Err"] = self.error
        if self.container:
            status["ContainerStatus"] = {"ContainerID": self.container, "PID": 0, "ExitCode": self.exit_code or 0}
        elif self.state == "rejected":
            status["ContainerStatus"] = {"ContainerID": "", "PID": 0, "ExitCode": 0}
        found = self.meta.document() | {
            "Labels": {},
            "Spec": {key: item for key, item in self.spec.items() if key != "Runtime"},
            "ServiceID": self.service.meta.id,
            "Status": status,
            "DesiredState": self.desired,
            "Volumes": None,
        }
        if self.iteration is not None:
            found["JobIteration"] = index(self.iteration)
        if self.slot:
            found["Slot"] = self.slot
        if self.node is not None:
            found["NodeID"] = self.node.meta.id
        if self.addresses:
            found["NetworksAttachments"] = [
                {
                    "Network": {"ID": i, "Spec": {"Name": networks[i].name, "Scope": "swarm"}},
                    "Addresses": [f"{address}/{networks[i].subnet.partition('/')[2]}"],
                }
                for i, address in self.addresses.items()
                if i in networks
            ]
        return found


def index(number: int) -> Document:
    """A version as the API has it."""
    return {"Index": number} if number else {}
