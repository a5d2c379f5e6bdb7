"""Is the engine fit: version, Swarm, nodes, security options. Pure but for ``examine``, which asks it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from controller.actions.doctor import address_pool, config_mounts, edge, firewall, ipv6, limits, userns
from controller.actions.doctor.findings import Check, fail, ok, warn
from controller.actions.swarm_view import client
from controller.settings import Settings
from controller.swarm.errors import EngineError
from controller.swarm.usable import MINIMUM_API, swarm_trouble
from reconcilers.environment import service

Document = Mapping[str, Any]
_OLDEST_ENGINE = 25  # the first that speaks API 1.44
_OPEN_AT = re.compile(r"API is accessible on (\S+) without")
_INSTALL = "install docker.io 26 or newer (Debian 13), or docker-ce 25 or newer"


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
        yield open_check(info)
        yield logs_check(info)
        found = swarm_check(info)
        yield found
        if found.level == "fail":
            return
        nodes = engine.call("GET", "/nodes")
        yield from node_checks(nodes)
        yield userns.check(info, nodes, required=settings.skypanel_require_userns)
        networks = engine.call("GET", "/networks")
        routes = address_pool.host_routes() if settings.engine_host.startswith("unix://") else []
        yield from address_pool.pool_checks(settings, info, networks, routes)
        yield ipv6.check(networks, settings.skypanel_installation)
        yield from edge.examine(engine, networks, settings)
        local = settings.engine_host.startswith("unix://")
        yield from firewall.examine(engine, info, nodes, local=local)
        yield from config_mounts.examine(engine, local=local)
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


def open_check(info: Document) -> Check:
    """Who reaches the API over plain TCP is root on this machine; the engine itself says that it listens so."""
    open_at = sorted({at for said in info.get("Warnings") or () for at in _OPEN_AT.findall(str(said))})
    if open_at:
        return fail(
            "engine api",
            f"anybody who reaches {', '.join(open_at)} is root here: it asks for no client's certificate",
            'set "tlsverify" in daemon.json, or take the address out of "hosts" (or -H): the socket is enough',
        )
    return ok("engine api", "not open to whoever has no certificate")


def logs_check(info: Document) -> Check:
    """Every service asks for this driver: without it no task starts."""
    drivers = (info.get("Plugins") or {}).get("Log") or []
    driver = service.LOG_DRIVER
    if driver not in drivers:
        return fail("logs", f"the engine has no log driver {driver}", _INSTALL)
    size, files = service.LOG_OPTIONS["max-size"], service.LOG_OPTIONS["max-file"]
    return ok("logs", f"the output of each container is kept in at most {files} files of {size.upper()}B, by {driver}")


def security_checks(info: Document) -> Iterator[Check]:
    """What the daemon says of its isolation; each node has a daemon of its own."""
    options = [str(option) for option in info.get("SecurityOptions") or []]
    names = {part for option in options for part in option.split(",") if part.startswith("name=")}
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
