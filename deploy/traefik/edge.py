"""Traefik as the Swarm service `skypanel-edge`, with as few rights as it can work with.

    host port 80 ──> skypanel-edge ──(overlay skypanel-edge-socket)──> skypanel-edge-socket ──> docker.sock
                          │
                          └── skypanel-edge and the organizations' overlays ──> tasks

Traefik runs as nobody, without a capability, on a read-only root, and never sees the engine's socket: the
Swarm provider needs five kinds of read, so HAProxy lets those through and nothing else. HAProxy runs as root
without a capability (only root may open the socket), reaches no network but the internal one, and publishes
nothing.

A third service, `skypanel-edge-page`, is the page of what is suspended: HAProxy again, which reaches nothing and asks
nobody. The controller leads host names to it by the name that it gives itself, SUSPENDED.

A fourth one, `skypanel-edge-api`, is there when asked: HAProxy before the socket of the HTTP API, for its host name.

The controller joins the running task to the organizations' networks, and adds them to the service's
specification later. Deploying again keeps those networks, and writes nothing when nothing has changed.
"""

import base64
import hashlib
import json
import time
from pathlib import Path
from typing import Any

from deploy.engine.api import EngineApi
from deploy.engine.errors import LabError
from deploy.engine.images import PREFIX

SERVICE = "skypanel-edge"
NETWORK = "skypanel-edge"
SOCKET_SERVICE = "skypanel-edge-socket"
PAGE_SERVICE = "skypanel-edge-page"
HTTP_API_SERVICE = "skypanel-edge-api"
SUSPENDED = "skypanel-suspended"
PAGE_PORT = 8080
EDGE_LABEL = "io.skypanel.edge"
HASH_LABEL = "io.skypanel.edge-hash"
NOBODY = "65534:65534"
API_PORT = 8079
SECOND = 1_000_000_000
MIB = 1024 * 1024


def deploy(
    api: EngineApi,
    *,
    port: int = 80,
    refresh_seconds: int = 1,
    read_timeout: str = "10m",
    api_password: str | None = None,
    traefik_image: str = f"{PREFIX}/traefik:3",
    proxy_image: str = f"{PREFIX}/socket-proxy:2",
) -> list[str]:
    """Make the edge as described here, and wait until it answers its health check.

    Args:
        api: a manager's engine.
        port: published in host mode on the edge's node.
        refresh_seconds: how often Traefik looks at the services; a change is routed within that time.
        read_timeout: how long a request may take to arrive, an upload included.
        api_password: of the user ``skypanel`` of Traefik's API, published on API_PORT; None: there is no API.
        traefik_image: Traefik 3.
        proxy_image: HAProxy 2 as the lab builds it (the program is its entrypoint).

    Returns:
        What was written, in words; empty when everything was as it should be.

    Raises:
        LabError: a task does not come up; the message has its state.
    """
    written: list[str] = []
    edge = _network(api, NETWORK, internal=False, written=written)
    door = _network(api, SOCKET_SERVICE, internal=True, written=written)
    config, page = (_config(api, name, written) for name in ("haproxy.cfg", "page.cfg"))
    _service(api, _proxy(proxy_image, config, door), written)
    _service(api, _page(proxy_image, page, edge), written)
    node = str(api.get("/info")["Swarm"]["NodeID"])
    traefik = _traefik(traefik_image, [edge, door], port, node, _arguments(refresh_seconds, read_timeout))
    if api_password is not None:
        _open_api(traefik, api_password)
    _service(api, traefik, written)
    for name in (SOCKET_SERVICE, PAGE_SERVICE, SERVICE):
        wait(api, name)
    return written


def lead_to_api(api: EngineApi, host: str, folder: Path, *, proxy_image: str = f"{PREFIX}/socket-proxy:2") -> list[str]:
    """Lead a host name to the HTTP API, without TLS, and wait until something answers it.

    Args:
        api: a manager's engine; the edge is there.
        host: the name.
        folder: of the manager's node, with the socket ``api.sock``.
        proxy_image: as in ``deploy``.

    Returns:
        What was written, in words.

    Raises:
        LabError: it does not come up.
    """
    written: list[str] = []
    network = _network(api, NETWORK, internal=False, written=written)
    spec = _haproxy(HTTP_API_SERVICE, proxy_image, NOBODY, _config(api, "api.cfg", written), network)
    spec["TaskTemplate"]["ContainerSpec"]["Mounts"] = [
        {"Type": "bind", "Source": str(folder), "Target": "/run/skypanel-api", "ReadOnly": True}
    ]
    router = "traefik.http.routers.skypanel-http-api"
    spec["Labels"] |= {
        "traefik.enable": "true",
        "traefik.swarm.network": NETWORK,
        f"{router}.rule": f"Host(`{host}`)",
        f"{router}.entrypoints": "web",
        f"{router}.priority": "1000000",
        "traefik.http.services.skypanel-http-api.loadbalancer.server.port": str(PAGE_PORT),
    }
    _service(api, spec, written)
    wait(api, HTTP_API_SERVICE)
    return written


def wait(api: EngineApi, service: str, *, seconds: float = 60.0) -> str:
    """Wait for a running, healthy task of the service's present specification; returns its container's id.

    Raises:
        LabError: there is none in time.
    """
    deadline = time.monotonic() + seconds
    while True:
        wanted = api.get(f"/services/{service}")["Spec"]["TaskTemplate"]
        wanted.pop("Runtime", None)  # which tasks do not repeat
        tasks = api.get("/tasks", filters={"service": [service], "desired-state": ["running"]})
        for task in tasks:  # just after a change the task of before is still one that should run
            if task["Status"]["State"] == "running" and task["Spec"] == wanted:
                return str(task["Status"]["ContainerStatus"]["ContainerID"])
        if time.monotonic() > deadline:
            states = [(task["Status"]["State"], task["Status"].get("Err", "")) for task in tasks]
            raise LabError(f"{service} does not run after {seconds:.0f} s: {states or 'no task'}")
        time.sleep(0.05)


def _arguments(refresh_seconds: int, read_timeout: str) -> list[str]:
    return [
        "--global.checkNewVersion=false",
        "--global.sendAnonymousUsage=false",
        "--serversTransport.forwardingTimeouts.dialTimeout=300ms",  # a task that has gone: the next is tried at once
        "--log.level=INFO",
        "--accessLog=true",
        "--ping=true",
        "--entryPoints.web.address=:80",
        "--entryPoints.web.transport.lifeCycle.graceTimeOut=3s",
        f"--entryPoints.web.transport.respondingTimeouts.readTimeout={read_timeout}",
        "--entryPoints.web.transport.respondingTimeouts.idleTimeout=3m",
        "--providers.swarm=true",
        f"--providers.swarm.endpoint=tcp://{SOCKET_SERVICE}:2375",
        "--providers.swarm.exposedByDefault=false",
        f"--providers.swarm.refreshSeconds={refresh_seconds}",
    ]


def _traefik(image: str, networks: list[str], port: int, node: str, arguments: list[str]) -> dict[str, Any]:
    check = ["CMD", "/usr/local/bin/traefik", "healthcheck", "--ping"]
    spec = _specification(SERVICE, image, NOBODY, arguments, networks)
    spec["TaskTemplate"]["ContainerSpec"]["HealthCheck"] = _healthcheck(check)
    # It is on every organization's network: no packet goes through it from one to another.
    spec["TaskTemplate"]["ContainerSpec"]["Sysctls"] = {"net.ipv4.ip_forward": "0"}
    spec["TaskTemplate"]["Resources"] = {"Limits": {"MemoryBytes": 512 * MIB, "Pids": 256}}
    spec["TaskTemplate"]["Placement"] = {"Constraints": [f"node.id == {node}"]}  # only there it can be joined
    published = {"Protocol": "tcp", "TargetPort": 80, "PublishedPort": port, "PublishMode": "host"}
    spec["EndpointSpec"] = {"Mode": "dnsrr", "Ports": [published]}
    spec["Labels"][EDGE_LABEL] = "true"
    return spec


def _open_api(spec: dict[str, Any], password: str) -> None:
    """Traefik's API, for whoever has the password: every tenant's container reaches every port of the edge."""
    digest = base64.b64encode(hashlib.sha1(password.encode(), usedforsecurity=False).digest()).decode()
    spec["TaskTemplate"]["ContainerSpec"]["Args"] += [
        "--api=true",
        "--api.dashboard=false",
        f"--entryPoints.api.address=:{API_PORT}",
    ]
    spec["EndpointSpec"]["Ports"].append(
        {"Protocol": "tcp", "TargetPort": API_PORT, "PublishedPort": API_PORT, "PublishMode": "host"}
    )
    spec["Labels"] |= {
        "traefik.enable": "true",
        "traefik.swarm.network": NETWORK,
        "traefik.http.routers.skypanel-api.rule": "PathPrefix(`/api`)",
        "traefik.http.routers.skypanel-api.entrypoints": "api",
        "traefik.http.routers.skypanel-api.service": "api@internal",
        "traefik.http.routers.skypanel-api.middlewares": "skypanel-api",
        "traefik.http.middlewares.skypanel-api.basicauth.users": f"skypanel:{{SHA}}{digest}",
        "traefik.http.services.skypanel-api.loadbalancer.server.port": str(API_PORT),
    }


def _proxy(image: str, config: tuple[str, str], door: str) -> dict[str, Any]:
    spec = _haproxy(SOCKET_SERVICE, image, "0:0", config, door)
    socket = "/var/run/docker.sock"
    spec["TaskTemplate"]["ContainerSpec"]["Mounts"] = [
        {"Type": "bind", "Source": socket, "Target": socket, "ReadOnly": True}
    ]
    return spec


def _page(image: str, config: tuple[str, str], network: str) -> dict[str, Any]:
    spec = _haproxy(PAGE_SERVICE, image, NOBODY, config, network)
    spec["Labels"] |= {
        "traefik.enable": "true",
        f"traefik.http.services.{SUSPENDED}.loadbalancer.server.port": str(PAGE_PORT),
    }
    return spec


def _haproxy(name: str, image: str, user: str, config: tuple[str, str], network: str) -> dict[str, Any]:
    spec = _specification(name, image, user, [], [network])
    file = {"Name": "/etc/haproxy/haproxy.cfg", "UID": "0", "GID": "0", "Mode": 0o444}
    spec["TaskTemplate"]["ContainerSpec"]["Configs"] = [{"ConfigID": config[0], "ConfigName": config[1], "File": file}]
    spec["TaskTemplate"]["Resources"] = {"Limits": {"MemoryBytes": 128 * MIB, "Pids": 64}}
    spec["EndpointSpec"] = {"Mode": "dnsrr"}
    return spec


def _specification(name: str, image: str, user: str, arguments: list[str], networks: list[str]) -> dict[str, Any]:
    """What the services have in common."""
    return {
        "Name": name,
        "Labels": {},
        "Mode": {"Replicated": {"Replicas": 1}},
        "UpdateConfig": {"Parallelism": 1, "Order": "stop-first", "FailureAction": "pause"},
        "TaskTemplate": {
            "ContainerSpec": {
                "Image": image,
                "Args": arguments,
                "User": user,
                "ReadOnly": True,
                "CapabilityDrop": ["ALL"],
                "Privileges": {"NoNewPrivileges": True, "Seccomp": {"Mode": "default"}},
                "StopGracePeriod": 5 * SECOND,
            },
            "Networks": [{"Target": target} for target in networks],
            "Placement": {"Constraints": ["node.role == manager"]},
            "RestartPolicy": {"Condition": "any", "Delay": SECOND // 10},
        },
    }


def _healthcheck(command: list[str]) -> dict[str, Any]:
    """Patient: one that ends is replaced at once, and one that is slow on a busy node serves everybody meanwhile."""
    return {
        "Test": command,
        "Interval": 5 * SECOND,
        "Timeout": 15 * SECOND,
        "Retries": 6,
        "StartPeriod": 10 * SECOND,
        "StartInterval": SECOND // 4,
    }


def _network(api: EngineApi, name: str, *, internal: bool, written: list[str]) -> str:
    found = [network for network in api.get("/networks", filters={"name": [name]}) if network["Name"] == name]
    if found:
        return str(found[0]["Id"])
    document = {"Name": name, "Driver": "overlay", "Scope": "swarm", "Internal": internal}
    identity = api.post("/networks/create", document)["Id"]
    written.append(f"created network {name}")
    return str(identity)


def _config(api: EngineApi, file: str, written: list[str]) -> tuple[str, str]:
    """The id and name of the Swarm config with a file of this folder; it never changes, so its name has the hash."""
    content = (Path(__file__).parent / file).read_bytes()
    name = f"{SOCKET_SERVICE}-{hashlib.sha256(content).hexdigest()[:12]}"
    if found := _named(api, "/configs", name):
        return str(found["ID"]), name
    document = {"Name": name, "Data": base64.b64encode(content).decode()}
    identity = api.post("/configs/create", document)["ID"]
    written.append(f"created config {name}")
    return str(identity), name


def _service(api: EngineApi, spec: dict[str, Any], written: list[str]) -> None:
    """Create or update one service; networks that were added to it by others stay."""
    name = spec["Name"]
    digest = hashlib.sha256(json.dumps(spec, sort_keys=True).encode()).hexdigest()[:16]
    spec["Labels"][HASH_LABEL] = digest
    present = _named(api, "/services", name)
    if present is None:
        api.post("/services/create", spec)
        written.append(f"created service {name}")
        return
    if present["Spec"]["Labels"].get(HASH_LABEL) == digest:
        return
    own = {network["Target"] for network in spec["TaskTemplate"]["Networks"]}
    others = [n for n in present["Spec"]["TaskTemplate"].get("Networks", []) if n["Target"] not in own]
    spec["TaskTemplate"]["Networks"] += others
    api.post(f"/services/{present['ID']}/update", spec, version=present["Version"]["Index"])
    written.append(f"updated service {name}")


def _named(api: EngineApi, kind: str, name: str) -> dict[str, Any] | None:
    """The one object of that exact name; the engine's filter matches prefixes."""
    for found in api.get(kind, filters={"name": [name]}):
        if found["Spec"]["Name"] == name:
            return dict(found)
    return None
