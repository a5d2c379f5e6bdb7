"""Is the engine fit: version, Swarm, security options, address pools, edge. Pure but for ``examine``, which asks it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, ip_network
from pathlib import Path
from typing import Any

from controller.actions.doctor import firewall, limits
from controller.actions.doctor.findings import Check, fail, ok, warn
from controller.actions.swarm_view import client
from controller.settings import Settings
from controller.swarm import routers
from controller.swarm.errors import EngineError
from controller.swarm.usable import MINIMUM_API, swarm_trouble
from reconcilers import labels

Document = Mapping[str, Any]
_OLDEST_ENGINE = 25  # the first that speaks API 1.44
_INSTALL = "install docker.io 26 or newer (Debian 13), or docker-ce 25 or newer"
_ROUTES = Path("/proc/net/route")


@dataclass(frozen=True, slots=True)
class Edge:
    """The edge's services, their running tasks in the Swarm, their containers on this engine."""

    services: list[Document]
    tasks: list[Document]
    containers: list[Document]


def examine(settings: Settings) -> Iterator[Check]:
    """Every check of the engine that the settings name."""
    engine = None
    try:
        engine = client(settings)
        version = engine.call("GET", "/version")
        yield ok("engine reachable", settings.engine_host)
        found = version_check(version)
        yield found
        if found.level == "fail":
            return
        info = engine.call("GET", "/info")
        yield from security_checks(info)
        found = swarm_check(info)
        yield found
        if found.level == "fail":
            return
        nodes = engine.call("GET", "/nodes")
        yield from node_checks(nodes)
        networks = engine.call("GET", "/networks")
        routes = host_routes() if settings.engine_host.startswith("unix://") else []
        yield from pool_checks(settings, info, networks, routes)
        edge = _edge(engine)
        yield from edge_checks(edge, networks, settings.skypanel_installation)
        if edge.services:
            yield api_check(settings.skypanel_edge_api_url.get_secret_value())
        local = settings.engine_host.startswith("unix://")
        yield from firewall.examine(engine, info, nodes, local=local)
        services = len(engine.call("GET", "/services") or ())
        yield from limits.examine(info, services, networks, settings.skypanel_installation)
    except EngineError as error:
        yield fail(
            "engine reachable",
            f"Docker Engine: {error.message}",
            "start it, or set DOCKER_HOST (unix://, tcp:// or ssh://) to a Swarm manager",
        )
    finally:
        if engine is not None:
            engine.close()


def _edge(engine: Any) -> Edge:
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


def version_check(version: Document) -> Check:
    """Older engines drop security fields silently."""
    engine, api = version.get("Version", "of unknown version"), str(version.get("ApiVersion", "0.0"))
    if tuple(int(part) for part in api.split(".") if part.isdigit()) < MINIMUM_API:
        return fail(
            "engine version",
            f"Docker Engine {engine} speaks API {api}; 1.44 is needed: it would silently drop NoNewPrivileges, "
            "Seccomp and AppArmor",
            _INSTALL,
        )
    return ok("engine version", f"Docker Engine {engine}, API {api}")


def swarm_check(info: Document) -> Check:
    """Only a manager can be worked with."""
    swarm = info.get("Swarm") or {}
    trouble = swarm_trouble(swarm)
    if trouble is not None:
        return fail("swarm manager", trouble.what, trouble.mend)
    managers = swarm.get("Managers", 0)
    if managers % 2 == 0:
        return warn("swarm manager", f"{managers} managers: losing one stops the Swarm", "have 1, 3 or 5 managers")
    return ok("swarm manager", f"{swarm.get('Nodes')} node(s), {managers} manager(s)")


def node_checks(nodes: Iterable[Document]) -> Iterator[Check]:
    """Every node runs containers, so every node's engine must know the security fields."""
    versions: dict[str, list[str]] = {}
    down: list[str] = []
    for node in nodes:
        description = node.get("Description") or {}
        name = description.get("Hostname") or node["ID"]
        versions.setdefault((description.get("Engine") or {}).get("EngineVersion") or "unknown", []).append(name)
        if (node.get("Status") or {}).get("State") != "ready":
            down.append(name)
    old = [name for version, names in versions.items() if _major(version) < _OLDEST_ENGINE for name in names]
    said = ", ".join(f"{version} on {', '.join(sorted(names))}" for version, names in sorted(versions.items()))
    if old:
        yield fail("node engines", f"too old on {', '.join(sorted(old))}: {said}", f"on these nodes {_INSTALL}")
    elif len(versions) > 1:
        yield warn("node engines", said, "bring all nodes to one version")
    else:
        yield ok("node engines", said)
    if down:
        yield warn("nodes ready", f"not ready: {', '.join(sorted(down))}", "start them, or remove them: docker node rm")
    else:
        yield ok("nodes ready", "all")


def _major(version: str) -> int:
    head = version.partition(".")[0]
    return int(head) if head.isdigit() else 0


def security_checks(info: Document) -> Iterator[Check]:
    """What the daemon says of its isolation; each node has a daemon of its own."""
    options = [str(option) for option in info.get("SecurityOptions") or []]
    names = {part for option in options for part in option.split(",") if part.startswith("name=")}
    if "name=userns" in names:
        yield ok("userns-remap", "on")
    else:
        yield warn(
            "userns-remap",
            "off: root that breaks out of a container is root on the host",
            'set "userns-remap": "default" in daemon.json of each node and restart it (its images are pulled again)',
        )
    seccomp = next((option for option in options if option.startswith("name=seccomp")), "")
    if not seccomp or "unconfined" in seccomp:
        yield fail(
            "seccomp",
            "no default profile: every system call is allowed",
            'use a kernel with CONFIG_SECCOMP, and remove "seccomp-profile": "unconfined" from daemon.json',
        )
    else:
        yield ok("seccomp", seccomp.removeprefix("name=seccomp,") or "on")
    if names & {"name=apparmor", "name=selinux"}:
        yield ok("apparmor", "on")
    else:
        yield warn("apparmor", "neither AppArmor nor SELinux", "start the kernel with AppArmor: apt install apparmor")


def pool_checks(
    settings: Settings, info: Document, networks: Iterable[Document], routes: Iterable[IPv4Network]
) -> Iterator[Check]:
    """Do organizations' subnets come from addresses that nothing else uses?"""
    pool = settings.skypanel_subnet_pool
    mend = "set SKYPANEL_SUBNET_POOL to a range that is free"
    cluster = (info.get("Swarm") or {}).get("Cluster") or {}
    swarm_pools = [cidr for cidr in cluster.get("DefaultAddrPool") or [] if pool.overlaps(_ipv4(cidr))]
    used = sorted(
        f"{network['Name']} ({cidr})"
        for network in networks
        if (network.get("Labels") or {}).get(labels.INSTALLATION) != settings.skypanel_installation
        for cidr in _subnets(network)
        if pool.overlaps(_ipv4(cidr))
    )
    routed = sorted(str(route) for route in routes if pool.overlaps(route))
    if swarm_pools:
        yield warn(
            "address pool",
            f"{pool} overlaps the Swarm's default pool {', '.join(swarm_pools)}: networks without a subnet of their "
            "own may take our addresses",
            f"{mend}, or create the Swarm with another --default-addr-pool",
        )
    if used:
        yield warn("address pool", f"{pool} overlaps networks: {', '.join(used)}; these ranges are skipped", mend)
    if routed:
        yield warn("address pool", f"{pool} overlaps routes of this host: {', '.join(routed)}", mend)
    if not (swarm_pools or used or routed):
        yield ok("address pool", f"{pool}, used by nothing else")


def _subnets(network: Document) -> list[str]:
    pools = (network.get("IPAM") or {}).get("Config") or []
    return [pool["Subnet"] for pool in pools if pool.get("Subnet") and ":" not in pool["Subnet"]]


def _ipv4(cidr: str) -> IPv4Network:
    network = ip_network(cidr, strict=False)
    return network if isinstance(network, IPv4Network) else IPv4Network("0.0.0.0/32")


def host_routes(text: str | None = None) -> list[IPv4Network]:
    """IPv4 routes of this host but the default one, from the form of ``/proc/net/route``."""
    if text is None:
        text = _ROUTES.read_text(encoding="ascii") if _ROUTES.exists() else ""
    found = []
    for line in text.splitlines()[1:]:
        fields = line.split()
        if len(fields) > 7 and fields[7] != "00000000":
            address, mask = (int.from_bytes(bytes.fromhex(fields[i]), "little") for i in (1, 7))
            found.append(IPv4Network((address, mask.bit_count())))
    return found


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


def _has_socket(service: Document) -> bool:
    container = service["Spec"]["TaskTemplate"].get("ContainerSpec") or {}
    return any(str(mount.get("Source", "")).endswith("docker.sock") for mount in container.get("Mounts") or [])
