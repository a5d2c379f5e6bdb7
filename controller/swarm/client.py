"""The Docker Engine API, as far as a controller needs it: raw documents in, raw documents out.

The ``docker`` SDK makes the connection (unix socket, TCP with mTLS, ssh); calls go straight to its urllib3 pool, which
costs less than half of a call through ``requests``, and sends every field: the SDK's service models lack
NoNewPrivileges, Seccomp, AppArmor and Ulimits. They run in worker threads under a limiter of their own; over a unix
socket they run in the event loop, which costs a third of that again. A call is never abandoned: one that writes goes on
to its end or its time-out, which is longer than a manager's own 20 s.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any
from urllib.parse import quote, urlencode

import anyio
import docker
import docker.errors
import orjson
import urllib3
from docker.tls import TLSConfig
from docker.transport.unixconn import UnixHTTPAdapter, UnixHTTPConnection, UnixHTTPConnectionPool

from controller.swarm.errors import EngineUnavailable, classify
from controller.swarm.unixhttp import UnixHttp
from reconcilers import labels

MINIMUM_API = (1, 44)
TIMEOUT_SECONDS = 30.0

Document = dict[str, Any]


class UnsupportedEngine(Exception):  # noqa: N818 - it is refused, not broken
    """The engine is too old, or is not a Swarm manager."""


class EngineClient:
    """One engine.

    Args:
        host: ``unix:///path``, ``tcp://host:port`` or ``ssh://user@host``.
        tls: client certificate and CA for ``tcp://``.
        max_connections: calls at once.
    """

    def __init__(self, host: str, *, tls: TLSConfig | None = None, max_connections: int = 10) -> None:
        self.host = host
        self.api_version = "1.44"
        try:
            self._sdk = docker.APIClient(
                base_url=host,
                version=self.api_version,
                timeout=int(TIMEOUT_SECONDS),
                tls=tls or False,
                max_pool_size=max_connections,
            )
        except docker.errors.DockerException as error:
            raise EngineUnavailable(0, f"{host}: {error}") from error
        self._pool = _pool(self._sdk, tls, max_connections)
        self._limiter = anyio.CapacityLimiter(max_connections)
        scheme, _, path = host.partition("://")
        self._socket = UnixHttp(path, connections=max_connections) if scheme == "unix" else None
        self.node_id = ""
        self.writes = 0

    def close(self) -> None:
        """Close the pool's connections."""
        if self._socket is not None:
            self._socket.close()
        self._pool.close()
        self._sdk.close()

    # -- calls ---------------------------------------------------------------------------------------------------

    def call(self, method: str, path: str, body: object = None, query: Mapping[str, Any] | None = None) -> Any:
        """One request, in the calling thread; the decoded answer.

        Raises:
            EngineError: one of its subclasses, by what the engine said.
        """
        answer = self._open(method, self._url(path, query), body, preload_content=True, timeout=TIMEOUT_SECONDS)
        return _decoded(answer.status, answer.data)

    async def request(self, method: str, path: str, body: object = None, query: Mapping[str, Any] | None = None) -> Any:
        """``call``, not in this thread. Cancellation waits for the answer, so that no write is left in the air."""
        if method != "GET":
            self.writes += 1
        if self._socket is not None:
            with anyio.CancelScope(shield=True):
                try:
                    status, data = await self._socket.exchange(
                        method, self._url(path, query), _encoded(body), timeout_seconds=TIMEOUT_SECONDS
                    )
                except OSError as error:  # TimeoutError too
                    raise EngineUnavailable(0, f"{self.host}: {str(error) or 'no answer in time'}") from error
            return _decoded(status, data)
        return await anyio.to_thread.run_sync(
            partial(self.call, method, path, body, query), abandon_on_cancel=False, limiter=self._limiter
        )

    def stream(self, path: str, query: Mapping[str, Any], *, idle_seconds: float) -> tuple[Any, Iterator[bytes]]:
        """An endless answer, in the calling thread: the response (for ``close``) and its chunks."""
        answer = self._open("GET", self._url(path, query), None, preload_content=False, timeout=idle_seconds)
        if answer.status >= 400:
            raise classify(answer.status, _message(answer.read()))
        return answer, answer.stream(amt=None)

    def _url(self, path: str, query: Mapping[str, Any] | None) -> str:
        url = f"/v{self.api_version}{path}"
        if query:
            url += "?" + urlencode(
                {k: orjson.dumps(v).decode() if isinstance(v, dict) else v for k, v in query.items()}
            )
        return url

    def _open(self, method: str, url: str, body: object, *, preload_content: bool, timeout: float) -> Any:
        payload = _encoded(body)
        headers = {"Host": "docker"}
        if payload is not None:
            headers["Content-Type"] = "application/json"
        try:
            return self._pool.urlopen(
                method,
                url,
                body=payload,
                headers=headers,
                retries=False,
                redirect=False,
                timeout=urllib3.Timeout(connect=5.0, read=timeout),
                preload_content=preload_content,
            )
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise EngineUnavailable(0, f"{self.host}: {_cause(error)}") from error

    # -- what a controller asks ----------------------------------------------------------------------------------

    async def check(self) -> Document:
        """Refuse an engine that would drop security fields silently; speak its newest API version from then on.

        Returns:
            the answer of ``/version``.

        Raises:
            UnsupportedEngine: with what is wrong and what to install.
            EngineUnavailable: no answer.
        """
        version = await anyio.to_thread.run_sync(self._version, limiter=self._limiter)
        api = str(version.get("ApiVersion", "0.0"))
        engine = version.get("Version", "of unknown version")
        if _parts(api) < MINIMUM_API:
            raise UnsupportedEngine(
                f"Docker Engine {engine} at {self.host} speaks API {api}; API 1.44 (Docker Engine 25.0) or newer is "
                "needed: older engines accept NoNewPrivileges, Seccomp and AppArmor settings and drop them without a "
                "word, so containers would run without the security baseline. Install docker.io 26 or newer (Debian "
                "13), or docker-ce 25 or newer."
            )
        self.api_version = api
        info = await self.request("GET", "/info")
        swarm = info.get("Swarm") or {}
        if swarm.get("LocalNodeState") != "active" or not swarm.get("ControlAvailable"):
            raise UnsupportedEngine(
                f"Docker Engine {engine} at {self.host} is not a Swarm manager (node state "
                f"{swarm.get('LocalNodeState') or 'unknown'}): run `docker swarm init` there, or point DOCKER_HOST at "
                "a manager."
            )
        self.node_id = str(swarm.get("NodeID") or "")
        return dict(version)

    def _version(self) -> Document:
        answer = self._open("GET", "/version", None, preload_content=True, timeout=TIMEOUT_SECONDS)
        if answer.status >= 400:
            raise classify(answer.status, _message(answer.data))
        return dict(orjson.loads(answer.data))

    async def services(self, label: str, *, status: bool = False) -> list[Document]:
        """Services with ``label`` (``name=value``), with counts of their tasks when ``status`` is asked for."""
        query: dict[str, Any] = {"filters": {"label": [label]}}
        if status:
            query["status"] = "true"
        return list(await self.request("GET", "/services", query=query) or [])

    async def services_by_id(self, ids: Sequence[str]) -> list[Document]:
        """Those of the services that exist."""
        return list(await self.request("GET", "/services", query={"filters": {"id": list(ids)}}) or [])

    async def service(self, id_or_name: str) -> Document:
        """One service."""
        return dict(await self.request("GET", f"/services/{quote(id_or_name)}"))

    async def create_service(self, spec: Document) -> str:
        """Create; the id. No registry is asked and no tag is resolved here (engines from API 1.30)."""
        created = await self.request("POST", "/services/create", spec)
        return str(created["ID"])

    async def update_service(self, service_id: str, version: int, spec: Document) -> None:
        """Replace the whole spec, if the service is still at ``version``."""
        await self.request(
            "POST", f"/services/{service_id}/update", spec, {"version": version, "registryAuthFrom": "spec"}
        )

    async def remove_service(self, service_id: str) -> None:
        """Remove; its tasks go after the answer."""
        await self.request("DELETE", f"/services/{service_id}")

    async def networks(self) -> list[Document]:
        """All networks that the engine knows."""
        return list(await self.request("GET", "/networks") or [])

    async def network(self, id_or_name: str) -> Document:
        """One network."""
        return dict(await self.request("GET", f"/networks/{quote(id_or_name)}"))

    async def create_network(self, document: Document) -> str:
        """Create; the id. The engine answers before it has allocated anything."""
        created = await self.request("POST", "/networks/create", document)
        return str(created["Id"])

    async def remove_network(self, network_id: str) -> None:
        """Remove, if nothing uses it."""
        await self.request("DELETE", f"/networks/{network_id}")

    async def tasks(self, filters: Mapping[str, list[str]]) -> list[Document]:
        """Tasks; the engine keeps some old ones for each slot."""
        return list(await self.request("GET", "/tasks", query={"filters": dict(filters)}) or [])

    # -- the edge: containers of this engine, not of the Swarm ----------------------------------------------------

    async def edge_services(self) -> list[str]:
        """Ids of the services that are the edge."""
        return [str(d["ID"]) for d in await self.services(f"{labels.EDGE}=true")]

    async def service_containers(self, service_id: str) -> list[Document]:
        """Running containers of a service on this engine, with the networks they are on."""
        query = {"filters": {"label": [f"com.docker.swarm.service.id={service_id}"], "status": ["running"]}}
        return list(await self.request("GET", "/containers/json", query=query) or [])

    async def connect(self, network_id: str, container_id: str, address: str) -> None:
        """Join a running container to a network, with an address that the network's range for tasks leaves out."""
        endpoint = {"IPAMConfig": {"IPv4Address": address}}
        await self.request(
            "POST", f"/networks/{network_id}/connect", {"Container": container_id, "EndpointConfig": endpoint}
        )

    async def disconnect(self, network_id: str, container_id: str) -> None:
        """Take a container off a network."""
        await self.request("POST", f"/networks/{network_id}/disconnect", {"Container": container_id, "Force": True})


def _pool(sdk: docker.APIClient, tls: TLSConfig | None, max_connections: int) -> urllib3.HTTPConnectionPool:
    adapter: Any = sdk.get_adapter(sdk.base_url)
    if isinstance(adapter, UnixHTTPAdapter):
        return _UnixPool(sdk.base_url, adapter.socket_path, int(TIMEOUT_SECONDS), max_connections)
    if hasattr(adapter, "pools"):  # ssh: the SDK's own pool class
        return adapter.get_connection(sdk.base_url)  # type: ignore[no-any-return]
    url = urllib3.util.parse_url(sdk.base_url)
    host, port = url.host or "localhost", url.port
    if tls is None:
        return urllib3.HTTPConnectionPool(host, port, maxsize=max_connections, block=True)
    certificate, key = tls.cert or (None, None)
    return urllib3.HTTPSConnectionPool(
        host,
        port,
        maxsize=max_connections,
        block=True,
        cert_file=certificate,
        key_file=key,
        ca_certs=tls.ca_cert,
        cert_reqs="CERT_REQUIRED" if tls.verify else "CERT_NONE",
    )


class _UnixConnection(UnixHTTPConnection):
    """The SDK's, without the socket that it leaves open when nobody listens."""

    def connect(self) -> None:
        with ExitStack() as on_error:
            sock = on_error.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            sock.settimeout(self.timeout)
            sock.connect(self.unix_socket)
            on_error.pop_all()
        self.sock = sock


class _UnixPool(UnixHTTPConnectionPool):
    def _new_conn(self) -> Any:
        return _UnixConnection(self.base_url, self.socket_path, int(TIMEOUT_SECONDS))


def _encoded(body: object) -> bytes | None:
    return None if body is None else orjson.dumps(body)


def _decoded(status: int, data: bytes) -> Any:
    if status >= 400:
        raise classify(status, _message(data))
    if not data:
        return None
    try:
        return orjson.loads(data)
    except ValueError:
        return data.decode(errors="replace")


def _message(data: bytes) -> str:
    try:
        return str(orjson.loads(data)["message"])
    except (ValueError, KeyError, TypeError):
        return data.decode(errors="replace")[:500]


def _parts(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


def _cause(error: BaseException) -> str:
    """What went wrong at the bottom: urllib3 wraps it, as a tuple."""
    inner = next((a for a in error.args if isinstance(a, BaseException)), None)
    return _cause(inner) if inner is not None else str(error)
