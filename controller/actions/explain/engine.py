"""What the engine has of one object now: services and their tasks, nodes, the tenant's network, the edge's routes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
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


def seen(settings: Settings, owner: str, tenant: str, role: str) -> tuple[Seen | None, list[str]]:
    """What it has, or None; and what of it is not known, and why.

    Args:
        settings: say where the engine and the edge's API are, and the installation.
        owner: as in the label of what is reconciled.
        tenant: id of whose it is; empty: nobody's.
        role: only services with this one, where there are any.
    """
    engine = client(settings)
    try:
        found = _look(engine, settings, owner, tenant, role)
    except UNREACHABLE as error:
        return None, [f"services, tasks, nodes and networks: {error}"]
    finally:
        engine.close()
    faults, silent = _faults(settings) if found.services else (None, "")
    return replace(found, faults=faults), [f"routes: {silent}"] if silent else []


def _look(engine: BlockingClient, settings: Settings, owner: str, tenant: str, role: str) -> Seen:
    ours = f"{labels.INSTALLATION}={settings.skypanel_installation}"
    filters = {"label": [ours, f"{labels.OWNER}={owner}"]}
    services = {s["ID"]: s["Spec"] for s in engine.call("GET", "/services", query={"filters": filters})}
    services = {i: spec for i, spec in services.items() if spec["Labels"].get(labels.PROCESS) == role} or services
    nodes = {n["ID"]: n for n in engine.call("GET", "/nodes")}
    tasks: Sequence[Document] = ()
    if services:
        tasks = engine.call("GET", "/tasks", query={"filters": {"service": sorted(services)}})
    return Seen(
        services={spec["Name"]: _replicas(spec) for spec in services.values()},
        tasks=_tasks(engine, tasks, services, nodes),
        nodes={_name(node): _takes(node) for node in nodes.values()},
        network=_network(engine, ours, tenant),
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


def _faults(settings: Settings) -> tuple[Mapping[str, str] | None, str]:
    """What the edge says of its routers; None, and why it says nothing where it should."""
    url = settings.skypanel_edge_api_url.get_secret_value()
    if not url:
        return None, ""
    try:
        return read_all(url), ""
    except EdgeSilent as error:
        return None, str(error)
