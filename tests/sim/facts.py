"""What safety properties read: live objects and declared rows in one plain form, from the simulator or the real engine.

A row is read as far as it can be read: one that is wrong still says which hosts it names and whether it is suspended.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

from controller.records import Key
from reconcilers import labels
from reconcilers.helper import VARIABLES
from specs.image_policies import ImagePolicy, Scanned, violations
from specs.snapshots import RELEASE_PROCESS

_HOST = re.compile(r"Host\(([^)]*)\)")
_QUOTED = re.compile(r"[`'\"]([^`'\"]+)[`'\"]")
_NETWORK_LABELS = ("traefik.swarm.network", "traefik.docker.network")
_ALWAYS: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class ServiceFact:
    """A live service.

    Args:
        owner: the owner label as a key; None without a good one.
        process: the process label; empty for what is no process of an environment.
        networks: ids of the networks that it is attached to.
        hosts: host names of its live rules.
        routed_by: name of the network that the edge is told to use.
        by_hand: somebody else than a controller wrote it last.
    """

    id: str
    name: str
    installation: str
    owner: Key | None
    organization: str
    process: str
    networks: tuple[str, ...]
    hosts: frozenset[str]
    routed_by: str
    replicas: int
    template: Mapping[str, Any]
    edge: bool
    by_hand: bool = False

    @property
    def container(self) -> Mapping[str, Any]:
        """Of the template."""
        found: Mapping[str, Any] = self.template.get("ContainerSpec") or {}
        return found


@dataclass(frozen=True, slots=True)
class NetworkFact:
    """A live network."""

    id: str
    name: str
    installation: str
    owner: Key | None
    subnet: str


@dataclass(frozen=True, slots=True)
class TaskFact:
    """A task that runs and is wanted; seconds of the world's clock, and its address by network id."""

    id: str
    since: float
    addresses: Mapping[str, str]
    current: bool = True
    """It runs the service's present template."""
    image: str = ""


_CHILDREN = (("process", "processes"), ("process", "left_out"), ("domain", "domains"))


@dataclass(frozen=True)
class Wish:
    """What is declared of one object, as one version of its row had it.

    ``state`` is ``declared``, ``deleted`` (asked for in the row), ``dropped`` (a DELETE, with its tombstone) or
    ``lost`` (there is no row, and nothing says why).
    """

    state: str
    organization: str = ""
    generation: int = 0
    document: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ended(self) -> bool:
        """Whether somebody asked for its end."""
        return self.state in ("deleted", "dropped")

    @property
    def stopped(self) -> bool:
        """Whether nothing of it may run."""
        return self.ended or self.document.get("suspended") is True

    @property
    def withheld(self) -> bool:
        """Whether an image policy may have its tasks stopped."""
        return (self.document.get("image_policy") or {}).get("enforcement") == "all"

    def refuses(self, image: str, scanned: Scanned | None, index: str) -> bool:
        """Whether its image policy refuses ``image``, as tasks name it, of which there are these reports."""
        policy = ImagePolicy.model_validate(self.document.get("image_policy") or {})
        found = violations([("its organization", policy)], image, index=index, runs=True, scanned=scanned)
        return policy.enforcement != "audit" and bool(found)

    def stops(self, image: str, scanned: Scanned | None, index: str) -> bool:
        """Whether its image policy wants no task of ``image``, as ``refuses``."""
        return self.withheld and not self.stopped and self.refuses(image, scanned, index)

    @property
    def image(self) -> str:
        """Of an environment; empty without one."""
        return str(self.document.get("image_ref") or "")

    @cached_property
    def files(self) -> frozenset[str]:
        """What tasks of an environment are given of its config vars: all variables, and files by name."""
        config = self.document.get("config") or {}
        files = frozenset(config.get("files") or ())
        return files | {VARIABLES} if config.get("variables", 0) > len(files) else files

    @cached_property
    def hosts(self) -> Mapping[str, str]:
        """Host name -> type of the process that answers."""
        domains = self.document.get("domains") or ()
        if self.ended or not isinstance(domains, list | tuple):
            return {}
        return {
            d["hostname"]: d.get("process_type") or "web" for d in domains if isinstance(d, Mapping) and "hostname" in d
        }

    @cached_property
    def processes(self) -> Mapping[str, int]:
        """Type -> tasks of what runs all the time; without rows one ``web``."""
        rows = self.document.get("processes") or ()
        if self.ended or not isinstance(rows, list | tuple):
            return {}
        rows = [row for row in rows if not isinstance(row, Mapping) or row.get("type") != RELEASE_PROCESS]
        if not rows:
            return {"web": _count(self.document.get("instances"))}
        return {r["type"]: _count(r.get("instances")) for r in rows if isinstance(r, Mapping) and "type" in r}

    @cached_property
    def children(self) -> frozenset[Key]:
        """Of an environment: its processes and domains."""
        found = [(kind, self.document.get(rows)) for kind, rows in _CHILDREN]
        return frozenset(
            Key(kind, str(row["id"]))
            for kind, rows in found
            if isinstance(rows, list) and not self.ended
            for row in rows
            if isinstance(row, Mapping) and "id" in row and row.get("declared", True)
        )


class Statement(Protocol):
    """What a status says, as far as a property asks."""

    @property
    def ready(self) -> bool:
        """Whether Ready is true."""

    @property
    def finalized_at(self) -> Any:
        """None while the object is there."""


class View(Protocol):
    """A world at one moment: simulated, or made of the real parts."""

    installation: str
    networks: Mapping[str, NetworkFact]
    served: set[tuple[Key, str]]
    """Owner and host name of what the edge reached a task of, and must go on to."""

    def ours(self) -> Iterator[ServiceFact]:
        """Services of this installation that have an owner."""

    def network_named(self, name: str) -> NetworkFact | None:
        """By name."""

    def running(self, service_id: str) -> Sequence[TaskFact]:
        """Tasks that run and are wanted."""

    def ran(self, service_id: str, seconds: float) -> int:
        """How many tasks had run the present template for so long, without an end, a moment ago."""

    def ended_well(self) -> Mapping[tuple[str, str, object], int]:
        """Name of a job, its run, and slot or node of a task -> how many such tasks have ended well, since somebody
        else than a controller wrote it, or another run was.
        """

    def begun_once(self) -> Mapping[str, int]:
        """By name of what is run once: how many tasks of it began, as far as that is known."""

    def edges(self) -> Sequence[frozenset[str]]:
        """For each running container of the edge: ids of the networks that it is on."""

    def addresses(self, network_id: str) -> Sequence[str]:
        """All that are held on a network."""

    def wish(self, key: Key) -> Wish:
        """What is declared of an object now."""

    def parent(self, child: Key) -> Key | None:
        """The environment that declares this process or domain; None when no row does any more."""

    def recently(self, key: Key) -> Sequence[Wish]:
        """What a controller may believe to be declared: what is, and what was until a moment ago."""

    def scanned(self, image: str) -> Scanned | None:
        """What reports a controller knows of the content of an image; None: one came a moment ago, who knows."""

    def names(self, image: str) -> Sequence[str]:
        """Digests that the content of an image goes by, what its reference meant first; its own among them."""

    def statuses(self) -> Mapping[Key, Statement]:
        """What is said now."""

    def paused(self, key: Key) -> bool:
        """Whether somebody asked to leave it alone."""

    def subnets(self) -> Sequence[tuple[str, Any]]:
        """(organization's id, network) of the address plan."""

    def confirmed(self, key: Key) -> bool:
        """Whether an operator confirmed the removal of what the object has."""

    @property
    def tripped(self) -> bool:
        """Whether something waits for a confirmation."""

    def disturbed(self, key: Key) -> bool:
        """Whether something else than a controller struck what the object has, a short while ago."""


def service_fact(live_id: str, spec: Mapping[str, Any], *, by_hand: bool = False) -> ServiceFact:
    """From the specification that the engine keeps."""
    found: Mapping[str, str] = spec.get("Labels") or _ALWAYS
    template = spec["TaskTemplate"]
    routed = found.get("traefik.enable") == "true"
    return ServiceFact(
        id=live_id,
        name=spec["Name"],
        installation=found.get(labels.INSTALLATION, ""),
        owner=_owner(found),
        organization=found.get(labels.ORGANIZATION, ""),
        process=found.get(labels.PROCESS, ""),
        networks=tuple(each["Target"] for each in template.get("Networks") or ()),
        hosts=frozenset(_hosts(found)) if routed else frozenset(),
        routed_by=next((found[name] for name in _NETWORK_LABELS if name in found), ""),
        replicas=int((spec.get("Mode", {}).get("Replicated") or {}).get("Replicas", 1) or 0),
        template=template,
        edge=found.get(labels.EDGE) == "true",
        by_hand=by_hand,
    )


def network_fact(live_id: str, name: str, found: Mapping[str, str] | None, subnet: str) -> NetworkFact:
    """From what the engine says."""
    found = found or _ALWAYS
    return NetworkFact(live_id, name, found.get(labels.INSTALLATION, ""), _owner(found), subnet)


def _owner(found: Mapping[str, str]) -> Key | None:
    parsed = labels.parse_owner(found.get(labels.OWNER, ""))
    return Key(*parsed) if parsed else None


def _hosts(found: Mapping[str, str]) -> Iterator[str]:
    for label, value in found.items():
        # What leads to the page of what is suspended leads to none of the owner's tasks.
        if label.startswith("traefik.http.routers.page_"):
            continue
        if label.startswith("traefik.http.routers.") and label.endswith(".rule"):
            for arguments in _HOST.findall(value):
                yield from _QUOTED.findall(arguments)


def _count(value: Any) -> int:
    return value if isinstance(value, int) else 1
