"""Is there an edge that works: a Traefik on this node, without the engine's socket, on the networks, with an API."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from controller.actions.doctor.findings import Check, fail, ok, warn
from controller.settings import Settings
from controller.swarm import routers
from controller.swarm.blocking import BlockingClient
from reconcilers import labels
from reconcilers.routes import SUSPENDED

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Edge:
    """The edge's services, their running tasks in the Swarm, their containers on this engine."""

    services: list[Document]
    tasks: list[Document]
    containers: list[Document]


def examine(engine: BlockingClient, networks: Iterable[Document], settings: Settings) -> Iterator[Check]:
    """Every check of the edge.

    Args:
        engine: is asked for the edge's services, tasks and containers.
        networks: all that it has.
        settings: the installation, and where the edge's API is.
    """
    found = _look(engine)
    yield from edge_checks(found, networks, settings.skypanel_installation)
    if found.services:
        query = {"filters": {"label": [f"traefik.http.services.{SUSPENDED}.loadbalancer.server.port"]}}
        yield page_check(engine.call("GET", "/services", query=query) or [])
        yield api_check(settings.skypanel_edge_api_url.get_secret_value())


def _look(engine: BlockingClient) -> Edge:
    services = engine.call("GET", "/services", query={"filters": {"label": [f"{labels.EDGE}=true"]}}) or []
    tasks: list[Document] = []
    containers: list[Document] = []
    for service in services:
        tasks += engine.call(
            "GET", "/tasks", query={"filters": {"service": [service["ID"]], "desired-state": ["running"]}}
        )
        wanted = {"label": [f"com.docker.swarm.service.id={service['ID']}"], "status": ["running"]}
        containers += engine.call("GET", "/containers/json", query={"filters": wanted})
    return Edge(services, tasks, containers)


def edge_checks(edge: Edge, networks: Iterable[Document], installation: str) -> Iterator[Check]:
    """Is there a Traefik that the controller can join to networks, without the engine's raw socket?"""
    if not edge.services:
        yield warn(
            "edge",
            "no service has the label io.skypanel.edge=true: domains are not routed",
            "deploy Traefik as a service with this label on a manager",
        )
        return
    names = ", ".join(service["Spec"]["Name"] for service in edge.services)
    running = sum(1 for task in edge.tasks if task["Status"]["State"] == "running")
    if not running:
        yield fail("edge", f"{names}: no task runs", f"see why: docker service ps {names}")
    elif running > len(edge.containers):
        yield warn(
            "edge",
            f"{names}: {running} task(s) run, {len(edge.containers) or 'none'} on this engine: the others cannot be "
            "joined to networks from here (EdgeElsewhere)",
            "run the edge on the manager that DOCKER_HOST names, or the controller where the edge is",
        )
    else:
        yield ok("edge", f"{names}: {running} task(s) run, {len(edge.containers)} on this engine")
    raw = [service["Spec"]["Name"] for service in edge.services if _has_socket(service)]
    if raw:
        yield fail(
            "edge socket",
            f"{', '.join(raw)} has the engine's raw socket: whoever takes it over controls the Swarm",
            "put a read-only proxy in between, as the endpoint of Traefik",
        )
    else:
        yield ok("edge socket", "the engine's socket is not mounted into it")
    forwarding = [service["Spec"]["Name"] for service in edge.services if not _keeps_networks_apart(service)]
    if forwarding:
        yield warn(
            "edge forwarding",
            f"{', '.join(forwarding)} may forward packets from one organization's network to another's",
            "deploy deploy/swarm/edge.yml again, or give your Traefik's service the sysctl net.ipv4.ip_forward=0",
        )
    else:
        yield ok("edge forwarding", "it forwards no packet from one network to another")
    yield from _joined(edge, networks, installation)


def api_check(url: str) -> Check:
    """Can the edge be asked whether it took a route?"""
    mend = "set SKYPANEL_EDGE_API_URL to Traefik's API, with user and password"
    if not url:
        return warn("edge api", "not set: a domain is RouteGiven at best", mend)
    try:
        found = routers.read_all(url)
    except routers.EdgeSilent as error:
        return fail("edge api", str(error), mend)
    bad = sorted(name for name, fault in found.items() if fault)
    if bad:
        return warn("edge api", f"{len(bad)} router(s) do not work: {', '.join(bad[:3])}", "see the edge's log")
    return ok("edge api", f"{len(found)} router(s), none with an error")


def page_check(services: Iterable[Document]) -> Check:
    """Is there a page for what is suspended?"""
    names = ", ".join(service["Spec"]["Name"] for service in services)
    if names:
        return ok("edge page", f"{names} has the page of what is suspended")
    return warn(
        "edge page",
        "no service has the page of what is suspended: visitors of it get 404",
        "deploy deploy/swarm/edge.yml again, or the service `page` of it beside your Traefik",
    )


def _joined(edge: Edge, networks: Iterable[Document], installation: str) -> Iterator[Check]:
    wanted = {
        network["Name"]
        for network in networks
        if (network.get("Labels") or {}).get(labels.INSTALLATION) == installation
    }
    missing = {
        name
        for container in edge.containers
        for name in wanted - set((container.get("NetworkSettings") or {}).get("Networks") or {})
    }
    if missing:
        yield warn(
            "edge networks",
            f"the edge is not on {', '.join(sorted(missing))}",
            "the controller joins it: see that one runs (`skypanel up`), and `skypanel describe organization`",
        )
    elif edge.containers:
        yield ok("edge networks", f"on all {len(wanted)} networks of organizations")


def _keeps_networks_apart(service: Document) -> bool:
    """A container's network starts with what the host has, and every host of an engine forwards."""
    container = service["Spec"]["TaskTemplate"].get("ContainerSpec") or {}
    return str((container.get("Sysctls") or {}).get("net.ipv4.ip_forward")) == "0"


def _has_socket(service: Document) -> bool:
    container = service["Spec"]["TaskTemplate"].get("ContainerSpec") or {}
    return any(str(mount.get("Source", "")).endswith("docker.sock") for mount in container.get("Mounts") or [])
