"""The engine, as actions see it: one look at everything, and the tasks of some services. Nothing here writes to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import anyio

from controller.settings import Settings
from controller.swarm.adapter import SwarmAdapter
from controller.swarm.blocking import BlockingClient
from controller.swarm.client import EngineClient
from controller.swarm.errors import EngineError, UnsupportedEngine
from controller.swarm.liveview import LiveView
from controller.swarm.transport import DockerTransport
from reconcilers import labels
from reconcilers.outcomes import ReconcileError

UNREACHABLE = (EngineError, ReconcileError, UnsupportedEngine)
"""What looking at the engine may raise."""


@dataclass(frozen=True, slots=True)
class Task:
    """One task of a service."""

    service: str
    slot: str
    node: str
    desired: str
    state: str
    since: str
    image: str
    error: str


def transport(settings: Settings) -> DockerTransport:
    """The way to the engine that the settings name; nothing is sent yet."""
    return DockerTransport(settings.engine_host, tls=settings.tls, max_connections=4)


def client(settings: Settings) -> BlockingClient:
    """A client of that engine."""
    return BlockingClient(transport(settings))


def live_view(settings: Settings) -> LiveView:
    """All that the engine has now.

    Raises:
        EngineError, ReconcileError: it does not answer.
        UnsupportedEngine: it is too old, or not a manager.
    """

    async def look() -> LiveView:
        engine = EngineClient(transport(settings))
        try:
            await engine.check()
            cluster = SwarmAdapter(engine, settings.skypanel_installation)
            await cluster.refresh_all()
            return cluster.live
        finally:
            engine.close()

    return anyio.run(look)


def look(settings: Settings) -> tuple[LiveView | None, str]:
    """All that the engine has now, or None and why that is not known."""
    try:
        return live_view(settings), ""
    except UNREACHABLE as error:
        return None, str(error)


def tasks(settings: Settings, owner: str) -> list[Task]:
    """Tasks of the services whose owner label is ``owner``, as far as the engine remembers them; the newest first.

    Raises:
        EngineError: it does not answer.
    """
    engine = client(settings)
    try:
        filters = {"label": [f"{labels.INSTALLATION}={settings.skypanel_installation}", f"{labels.OWNER}={owner}"]}
        services = {s["ID"]: s["Spec"]["Name"] for s in engine.call("GET", "/services", query={"filters": filters})}
        if not services:
            return []
        found = engine.call("GET", "/tasks", query={"filters": {"service": sorted(services)}})
        nodes = {n["ID"]: n["Description"]["Hostname"] for n in engine.call("GET", "/nodes")}
    finally:
        engine.close()
    known = [_task(document, services, nodes) for document in found if document.get("ServiceID") in services]
    known.sort(key=lambda t: t.since, reverse=True)
    return sorted(known, key=lambda t: (t.service, t.desired != "running"))


def _task(document: dict[str, Any], services: dict[str, str], nodes: dict[str, str]) -> Task:
    status = document["Status"]
    node = document.get("NodeID") or ""
    return Task(
        service=services[document["ServiceID"]],
        slot=str(document.get("Slot") or ""),
        node=nodes.get(node, node),
        desired=document.get("DesiredState") or "",
        state=status["State"],
        since=status.get("Timestamp") or "",
        image=str(document["Spec"].get("ContainerSpec", {}).get("Image") or "").partition("@")[0],
        error=" ".join(str(status.get("Err") or "").split()),
    )
