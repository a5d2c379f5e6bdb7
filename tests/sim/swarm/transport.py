"""``SimTransport``: a ``Transport`` to a simulated Swarm, by one of its nodes' engines."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote

import orjson

from reconcilers import labels
from tests.sim.swarm import reading
from tests.sim.swarm.base import Refusal
from tests.sim.swarm.objects import Content, Document, Network, Node, Service
from tests.sim.swarm.services import task_counts
from tests.sim.swarm.swarm import SimSwarm, WriteRecord, documents

_OBJECT_TYPES = {
    "services": "service",
    "networks": "network",
    "secrets": "secret",
    "configs": "config",
    "nodes": "node",
}
_FILTERS = {
    "services": reading.SERVICES,
    "networks": reading.NETWORKS,
    "secrets": reading.CONTENTS,
    "configs": reading.CONTENTS,
    "nodes": reading.NODES,
    "tasks": reading.TASKS,
}
Target = Service | Network | Content | Node | None


class SimTransport:
    """One client's connection.

    Args:
        swarm: the cluster.
        client: who this is, for the log of writes and for hands on streams.
        epoch: the client's epoch of now, for the log.
        node: the node whose engine answers, by id or host name; the first one by default.
        seconds: how long a request is on its way, each way.
    """

    api_version = "1.45"

    def __init__(
        self,
        swarm: SimSwarm,
        *,
        client: str = "client",
        epoch: Callable[[], int] = lambda: 0,
        node: str | None = None,
        seconds: float = 0.0005,
    ) -> None:
        self.swarm = swarm
        self.client = client
        self.host = f"sim://{client}"
        self._epoch = epoch
        self._node = swarm.store.node(node or swarm.node_ids()[0])
        self._seconds = seconds
        self._before: dict[str, tuple[dict[str, Document], int, float]] = {}

    def close(self) -> None:
        """Nothing is open."""

    async def follow(self, on_event: Callable[[dict[str, Any] | None], None]) -> None:
        """The engine's events, until cancelled."""
        await self.swarm.events.follow(self.client, self._node.meta.id, on_event)

    async def exchange(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any] | None,
        payload: bytes | None,
        before_send: Callable[[], None] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, bytes]:
        """One request; what it asks for happens in one piece, half-way."""
        if before_send is not None:
            before_send()
        await asyncio.sleep(self._seconds)
        answer = self.answer(method, path, query, payload, headers)
        await asyncio.sleep(self._seconds)
        return answer

    def answer(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any] | None,
        payload: bytes | None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, bytes]:
        """What the engine does with a request, now."""
        self.swarm.agenda.advance()
        parts = [unquote(part) for part in path.strip("/").split("/")]
        try:
            if method == "GET":
                return 200, orjson.dumps(self._read(parts, query or {}))
            return self._write(method, parts, query or {}, payload, (headers or {}).get("X-Registry-Auth", ""))
        except Refusal as refusal:
            return refusal.status, orjson.dumps({"message": refusal.message})

    def answer_of(self, past: dict[str, Document], path: str, query: Mapping[str, Any] | None) -> tuple[int, bytes]:
        """What a read of now gives when the objects of its kind are those of the past."""
        kind = path.split("/")[1]
        self._before[kind] = past, 1, 0.0
        try:
            return self.answer("GET", path, query, None)
        finally:
            self._before.pop(kind, None)

    # -- reads -------------------------------------------------------------------------------------------------------

    def _read(self, parts: list[str], query: Mapping[str, Any]) -> Any:
        match parts:
            case ["version"]:
                return {"Version": "26.1.5", "ApiVersion": self.api_version, "MinAPIVersion": "1.24", "Os": "linux"}
            case ["info"]:
                return self._info()
            case ["containers", "json"]:
                found = self.swarm.networks.containers(self._node)
                return reading.select(found, reading.filters_of(query), reading.CONTAINERS)
            case ["containers", asked, "json"]:
                return self.swarm.networks.container(asked, self._node)
            case [kind] if kind in _FILTERS:
                return self._list(kind, query)
            case [kind, asked] if kind in _FILTERS:
                return self._one(kind, asked)
        raise Refusal(404, "page not found")

    def _list(self, kind: str, query: Mapping[str, Any]) -> list[Document]:
        filters = reading.filters_of(query)
        if kind == "tasks":
            states = set(filters.get("desired-state", ())) - {"running", "shutdown", "accepted"}
            if states:
                raise Refusal(500, f"Invalid desired-state filter: '{states.pop()}'")
            if "service" in filters:
                filters["service"] = [self.swarm.store.service(s).meta.id for s in filters["service"]]
            if "node" in filters:
                filters["node"] = [self.swarm.store.node(n).meta.id for n in filters["node"]]
        labelled = filters.pop("label", None) if kind == "tasks" else None
        found = reading.select(self._documents(kind).values(), filters, _FILTERS[kind])
        if labelled is not None:  # by what no answer shows: the labels that the service had when the task was made
            tasks = self.swarm.store.tasks
            found = [d for d in found if d["ID"] in tasks and reading.has_labels(tasks[d["ID"]].labels, labelled)]
        if kind == "services" and str(query.get("status", "")).lower() in ("true", "1"):
            for document in found:
                service = self.swarm.store.services.get(document["ID"])
                if service is not None:
                    document["ServiceStatus"] = task_counts(self.swarm.store, service)
        return found

    def _one(self, kind: str, asked: str) -> Document:
        singular = kind[:-1]
        if kind == "networks":
            return reading.one(self._documents(kind), asked, singular, lambda d: d["Name"])
        if kind == "nodes":
            asked = self._node.meta.id if asked == "self" else asked
            return reading.one(self._documents(kind), asked, singular, lambda d: d["Description"]["Hostname"])
        if kind == "tasks":
            return reading.one(self._documents(kind), asked, singular, lambda d: d["ID"])
        return reading.one(self._documents(kind), asked, singular, lambda d: d["Spec"]["Name"])

    def _documents(self, kind: str) -> dict[str, Document]:
        older = self._before.get(kind)
        if older is not None:
            found, reads, until = older
            if reads > 0 or self.swarm.agenda.now < until:
                self._before[kind] = found, reads - 1, until
                return {i: dict(d) for i, d in found.items()}
            del self._before[kind]
        found = documents(self.swarm, kind)
        if kind == "networks":
            found |= {i: n.document() for i, n in self.swarm.networks.leftovers(self._node).items()}
        return found

    def _info(self) -> Document:
        nodes = self.swarm.store.nodes.values()
        manager = self._node.role == "manager"
        return {
            "Name": self._node.hostname,
            "ServerVersion": "26.1.5",
            "SystemTime": self.swarm.store.agenda.stamp(),
            "SecurityOptions": ["name=seccomp,profile=builtin"],
            "Swarm": {
                "NodeID": self._node.meta.id,
                "Cluster": {"ID": self.swarm.cluster_id},
                "LocalNodeState": "active",
                "ControlAvailable": manager,
                "Managers": sum(n.role == "manager" for n in nodes),
                "Nodes": len(nodes),
            },
        }

    # -- writes ------------------------------------------------------------------------------------------------------

    def _write(
        self, method: str, parts: list[str], query: Mapping[str, Any], payload: bytes | None, pull: str
    ) -> tuple[int, bytes]:
        kind = parts[0]
        if kind not in _OBJECT_TYPES:
            raise Refusal(404, "page not found")
        action, asked = _action(method, parts)
        before = self._target(kind, asked)
        labels_before = _labels(before)
        stale = self.swarm.stale_reads
        older = documents(self.swarm, kind) if stale is not None else {}
        try:
            written: Document = orjson.loads(payload) if payload else {}
        except orjson.JSONDecodeError as error:
            raise Refusal(400, f"invalid JSON: {error}") from error
        try:
            answer, target = self._do(kind, action, asked, query, written, pull)
        except Refusal as refusal:
            name = _name(before) or asked or str(written.get("Name", ""))
            self._record(method, kind, before, name, action, labels_before, status=refusal.status)
            raise
        if stale is not None:
            self._before[kind] = older, stale.reads, self.swarm.agenda.now + stale.seconds
        if target is not None:
            self.swarm.names[target.meta.id] = _name(target)
            if labels.INSTALLATION in labels_before and labels.INSTALLATION not in _labels(target):
                self.swarm.relabelled.add(_name(target))
        status = 204 if method == "DELETE" and kind != "services" else 201 if action == "create" else 200
        kept = labels_before if action == "remove" else _labels(target)
        self._record(method, kind, target, _name(target), action, kept, status=status)
        return status, b"" if answer is None else orjson.dumps(answer)

    def _do(
        self, kind: str, action: str, asked: str, query: Mapping[str, Any], written: Document, pull: str
    ) -> tuple[Document | None, Target]:
        swarm = self.swarm
        match kind, action:
            case "services", "create":
                return swarm.services.create(written, pull)
            case "services", "update":
                return swarm.services.update(asked, query, written, pull)
            case "services", "remove":
                return None, swarm.services.remove(asked)
            case "networks", "create":
                return swarm.networks.create(self._node, written)
            case "networks", "remove":
                return None, swarm.networks.remove(self._node, asked)
            case "networks", "connect":
                return None, swarm.networks.connect(asked, self._node, written)
            case "networks", "disconnect":
                return None, swarm.networks.disconnect(asked, self._node, written)
            case "nodes", "update":
                return None, self._update_node(asked, query, written)
            case (("secrets" | "configs"), _):
                contents = swarm.secrets if kind == "secrets" else swarm.configs
                if action == "create":
                    return contents.create(written)
                return None, contents.update(asked, query, written) if action == "update" else contents.remove(asked)
        raise Refusal(404, "page not found")

    def _update_node(self, asked: str, query: Mapping[str, Any], written: Document) -> Node:
        node = self.swarm.store.node(asked)
        if str(query.get("version")) != str(node.meta.version):
            raise Refusal(500, "rpc error: code = Unknown desc = update out of sequence")
        self.swarm.update_node(
            node, availability=written.get("Availability", "active"), labels=dict(written.get("Labels") or {})
        )
        return node

    def _target(self, kind: str, asked: str) -> Target:
        if not asked:
            return None
        store = self.swarm.store
        try:
            match kind:
                case "services":
                    return store.service(asked)
                case "networks":
                    return store.network(asked)
                case "nodes":
                    return store.node(asked)
                case _:
                    return store.content(asked, secret=kind == "secrets")
        except Refusal:
            return None

    def _record(
        self, method: str, kind: str, target: Target, name: str, action: str, found: Mapping[str, str], *, status: int
    ) -> None:
        log = self.swarm.log
        record = WriteRecord(
            n=len(log) + 1,
            time=self.swarm.agenda.now,
            client=self.client,
            epoch=self._epoch(),
            method=method,
            object_type=_OBJECT_TYPES[kind],
            object_id=target.meta.id if target is not None else "",
            name=name,
            action=action,
            accepted=status < 400,
            labels_owner=found.get(labels.OWNER, ""),
            status=status,
            labels=dict(found),
        )
        log.append(record)
        self.swarm.on_write(record)


def _action(method: str, parts: list[str]) -> tuple[str, str]:
    """What is asked of which object."""
    match method, parts[1:]:
        case "POST", ["create"]:
            return "create", ""
        case "POST", [asked, ("update" | "connect" | "disconnect") as action]:
            return action, asked
        case "DELETE", [asked]:
            return "remove", asked
    raise Refusal(404, "page not found")


def _name(target: Target) -> str:
    if target is None:
        return ""
    return target.hostname if isinstance(target, Node) else target.name


def _labels(target: Target) -> Mapping[str, str]:
    match target:
        case None:
            return {}
        case Service():
            return dict(target.spec.get("Labels") or {})
        case _:
            return dict(target.labels or {})
