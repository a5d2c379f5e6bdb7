"""What the engine has of one object now: services and their tasks, nodes, the tenant's network, the edge's routes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from controller.actions.swarm_view import UNREACHABLE, client
from controller.settings import Settings
from controller.swarm.blocking import BlockingClient
from controller.swarm.endings import describe, exit_code
from controller.swarm.errors import EngineError
from controller.swarm.routers import EdgeSilent, read_all
from reconcilers import labels
from reconcilers.chain import Seen, TaskSeen

Document = Mapping[str, Any]
_KILLED = 137
_ENDED = {"failed", "rejected", "orphaned", "complete"}


def seen(settings: Settings, kind: str, object_id: str, tenant: str) -> tuple[Seen | None, str]:
    """What it has, or None and why that is not known.

    Args:
        settings: say where the engine and the edge's API are, and the installation.
        kind: word of the kind that is reconciled.
        object_id: of it.
        tenant: id of whose it is; empty: nobody's.
    """
    engine = client(settings)
    try:
        return _look(engine, settings, labels.owner_key(kind, object_id), tenant), ""
    except UNREACHABLE as error:
        return None, str(error)
    finally:
        engine.close()


def _look(engine: BlockingClient, settings: Settings, owner: str, tenant: str) -> Seen:
    ours = f"{labels.INSTALLATION}={settings.skypanel_installation}"
    filters = {"label": [ours, f"{labels.OWNER}={owner}"]}
    services = {s["ID"]: s["Spec"] for s in engine.call("GET", "/services", query={"filters": filters})}
    nodes = {n["ID"]: n for n in engine.call("GET", "/nodes")}
    tasks: Sequence[Document] = ()
    if services:
        tasks = engine.call("GET", "/tasks", query={"filters": {"service": sorted(services)}})
    return Seen(
        services={spec["Name"]: _replicas(spec) for spec in services.values()},
        tasks=_tasks(engine, tasks, services, nodes),
        nodes={_name(node): _takes(node) for node in nodes.values()},
        network=_network(engine, ours, tenant),
        faults=_faults(settings),
    )


def _replicas(spec: Document) -> int:
    return int(((spec.get("Mode") or {}).get("Replicated") or {}).get("Replicas") or 0)


def _network(engine: BlockingClient, ours: str, tenant: str) -> str:
    if not tenant:
        return ""
    filters = {"label": [ours, f"{labels.ORGANIZATION}={tenant}"], "driver": ["overlay"]}
    found = engine.call("GET", "/networks", query={"filters": filters})
    return next((str(network["Name"]) for network in found), "")


def _tasks(
    engine: BlockingClient, tasks: Sequence[Document], services: Mapping[str, Document], nodes: Mapping[str, Document]
) -> list[TaskSeen]:
    """The newest first; of the newest that was killed, the engine is asked whether memory ran out."""
    known = sorted(
        (task for task in tasks if task.get("ServiceID") in services),
        key=lambda task: str(task["Status"].get("Timestamp") or ""),
        reverse=True,
    )
    ended = next((task for task in known if task["Status"]["State"] in _ENDED), None)
    memory = ended is not None and exit_code(ended) == _KILLED and _out_of_memory(engine, ended)
    return [
        TaskSeen(
            service=services[task["ServiceID"]]["Name"],
            node=_name(nodes.get(task.get("NodeID") or "", {})),
            desired=str(task.get("DesiredState") or ""),
            state=str(task["Status"]["State"]),
            error=_error(task),
            since=str(task["Status"].get("Timestamp") or ""),
            memory=memory and task is ended,
        )
        for task in known
    ]


def _error(task: Document) -> str:
    """How it ended, or what it waits for; empty when all is well."""
    bad = task["Status"]["State"] in _ENDED or task["Status"].get("Err")
    return describe(task) if bad else ""


def _out_of_memory(engine: BlockingClient, task: Document) -> bool:
    """Whether its container, if it is on this node and still there, ended as memory ran out."""
    container = (task["Status"].get("ContainerStatus") or {}).get("ContainerID")
    if not container:
        return False
    try:
        found = engine.call("GET", f"/containers/{container}/json")
    except EngineError:
        return False
    return bool((found.get("State") or {}).get("OOMKilled"))


def _name(node: Document) -> str:
    return str((node.get("Description") or {}).get("Hostname") or node.get("ID") or "")


def _takes(node: Document) -> bool:
    """Whether it is up, and tasks may be put there."""
    up = (node.get("Status") or {}).get("State") == "ready"
    return up and (node.get("Spec") or {}).get("Availability") == "active"


def _faults(settings: Settings) -> Mapping[str, str] | None:
    url = settings.skypanel_edge_api_url.get_secret_value()
    if not url:
        return None
    try:
        return read_all(url)
    except EdgeSilent:
        return None
