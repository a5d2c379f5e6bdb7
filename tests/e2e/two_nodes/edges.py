"""More edges than the lab's: Traefik over TLS, with a certificate that it is given, or gets for itself."""

from __future__ import annotations

import base64
import copy
import http.client
import json
import socket
import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from typing import Any

from deploy import traefik
from deploy.engine import Lab, Node
from tests.e2e.two_nodes.acme import Authority
from tests.e2e.two_nodes.certificates import Certificate
from tests.e2e.two_nodes.nodes import identity

ENTRY_POINT = "websecure"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came over TLS; header names in lower case."""

    status: int
    headers: dict[str, str]
    text: str


@dataclass(frozen=True, slots=True)
class Edge:
    """One edge that runs: where it listens, and whom its visitors trust."""

    node: Node
    port: int
    trust: ssl.SSLContext

    def ask(self, host: str, method: str = "GET", path: str = "/") -> Answer:
        """What it answers to a visitor of ``host``, whose certificate it has; 0: it does not."""
        try:
            with self.node.network():
                plain = socket.create_connection((self.node.address, self.port), timeout=5)
            with closing(http.client.HTTPConnection(host)) as connection:
                connection.sock = self.trust.wrap_socket(plain, server_hostname=host)
                connection.request(method, path, body=b"x" * 200 if method == "POST" else None)
                got = connection.getresponse()
                headers = {name.lower(): value for name, value in got.getheaders()}
                return Answer(got.status, headers, got.read().decode(errors="replace"))
        except (OSError, http.client.HTTPException) as error:
            return Answer(0, {}, f"{type(error).__name__}: {error}")


@dataclass(frozen=True, slots=True)
class Has:
    """What an edge has beyond that of the lab.

    Args:
        arguments: Traefik's.
        files: in /run/secrets.
        env: variables.
        plain: port of its node for visitors without TLS; 0: none.
    """

    arguments: tuple[str, ...]
    files: Mapping[str, bytes]
    env: tuple[str, ...] = ()
    plain: int = 0


def with_certificate(own: Certificate) -> Has:
    """It shows this one to everybody."""
    pair = {"certFile": own.chain.decode(), "keyFile": own.key.decode()}
    document = json.dumps({"tls": {"certificates": [pair]}}).encode()
    tls = f"--entryPoints.{ENTRY_POINT}.http.tls=true"
    return Has((tls, "--providers.file.filename=/run/secrets/tls.yml"), {"tls.yml": document})


def with_resolver(name: str, by: Authority, *, plain: int) -> Has:
    """It gets them by ACME where a route asks for that; what it gets is gone with it."""
    resolver = {
        "email": "tests@example.com",
        "storage": "/data/acme.json",
        "caServer": by.directory,
        "keyType": "EC256",
        "httpChallenge.entryPoint": "web",
    }
    arguments = (f"--certificatesResolvers.{name}.acme.{key}={value}" for key, value in resolver.items())
    return Has(tuple(arguments), {"ca.pem": by.own}, ("LEGO_CA_CERTIFICATES=/run/secrets/ca.pem",), plain)


@contextmanager
def edges(lab: Lab, has: Has, trust: ssl.SSLContext, places: Sequence[tuple[Node, int]]) -> Iterator[list[Edge]]:
    """One edge in each of the places; the node of a place, and the port that visitors come to."""
    with ExitStack() as stack:
        yield [stack.enter_context(_edge(lab, has, trust, node, port)) for node, port in places]


@contextmanager
def _edge(lab: Lab, has: Has, trust: ssl.SSLContext, node: Node, port: int) -> Iterator[Edge]:
    api, name = lab.api(), f"edge-{node.index}-{port}"
    for kind in ("services", "secrets"):
        for found in api.get(f"/{kind}", filters={"name": [name]}):  # of a run that was killed
            api.delete(f"/{kind}/{found['ID']}")
    secrets = []
    for file, content in has.files.items():
        called = f"{name}-{file}"
        identity_of = api.post("/secrets/create", {"Name": called, "Data": base64.b64encode(content).decode()})["ID"]
        target = {"Name": file, "UID": "65534", "GID": "65534", "Mode": 0o400}
        secrets.append({"SecretID": identity_of, "SecretName": called, "File": target})
    ports = {443: port} | ({80: has.plain} if has.plain else {})
    spec: dict[str, Any] = copy.deepcopy(api.get(f"/services/{traefik.SERVICE}")["Spec"])
    spec |= {"Name": name, "Labels": {traefik.EDGE_LABEL: "true"}}
    container = spec["TaskTemplate"]["ContainerSpec"]
    container["Args"] += [f"--entryPoints.{ENTRY_POINT}.address=:443", *has.arguments]
    container |= {"Secrets": secrets, "Env": list(has.env), "Mounts": [{"Type": "tmpfs", "Target": "/data"}]}
    spec["TaskTemplate"]["Placement"] = {"Constraints": [f"node.id == {identity(node)}"]}
    published = [
        {"Protocol": "tcp", "TargetPort": inner, "PublishedPort": outer, "PublishMode": "host"}
        for inner, outer in ports.items()
    ]
    spec["EndpointSpec"] = {"Mode": "dnsrr", "Ports": published}
    service = api.post("/services/create", spec)["ID"]
    try:
        traefik.wait(api, name)
        yield Edge(node, port, trust)
    finally:
        api.delete(f"/services/{service}")
        for secret in secrets:
            api.delete(f"/secrets/{secret['SecretID']}")
