"""How documents get to an engine and back: bytes in, bytes out.

The ``docker`` SDK makes the connection (unix socket, TCP with mTLS, ssh); calls go straight to its urllib3 pool, which
costs less than half of a call through ``requests``, in worker threads under a limiter of their own; over a unix socket
they run in the event loop, which costs a third of that again. A call is never abandoned: one that writes goes on to its
end or its time-out, which is longer than a manager's own 20 s.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from functools import partial
from typing import Any, Protocol
from urllib.parse import urlencode

import anyio
import docker
import docker.errors
import orjson
import urllib3
from docker.tls import TLSConfig
from docker.transport.unixconn import UnixHTTPAdapter, UnixHTTPConnection, UnixHTTPConnectionPool

from controller.swarm.errors import EngineUnavailable
from controller.swarm.events import EventStream
from controller.swarm.unixhttp import UnixHttp

TIMEOUT_SECONDS = 30.0
_UNVERSIONED = "/version"

Query = Mapping[str, Any]
BeforeSend = Callable[[], None]
Headers = Mapping[str, str]


class Transport(Protocol):
    """One engine. ``DockerTransport`` is the real one; the simulator has another."""

    host: str
    """For messages."""
    api_version: str
    """Version that requests are made in, such as ``1.44``."""

    async def exchange(
        self,
        method: str,
        path: str,
        query: Query | None,
        payload: bytes | None,
        before_send: BeforeSend | None = None,
        *,
        headers: Headers | None = None,
    ) -> tuple[int, bytes]:
        """One request; the status and the body of its answer. Cancellation waits for the answer.

        Args:
            method: ``GET``, ``POST`` or ``DELETE``.
            path: without the version, such as ``/services/create``.
            query: values as the API has them; a mapping goes as JSON.
            payload: JSON, or None.
            before_send: called when a connection is there, right before the bytes leave; what it raises stops them.
            headers: beside those that every request has; in no message.

        Raises:
            EngineUnavailable: no answer; a write may or may not have happened.
        """

    async def follow(self, on_event: Callable[[dict[str, Any] | None], None]) -> None:
        """Call ``on_event`` with every event document, and with None after each (re)connection, until cancelled."""

    def close(self) -> None:
        """Close what is open."""


class DockerTransport:
    """A real engine.

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

    def close(self) -> None:
        """Close the pool's connections."""
        if self._socket is not None:
            self._socket.close()
        self._pool.close()
        self._sdk.close()

    async def exchange(
        self,
        method: str,
        path: str,
        query: Query | None,
        payload: bytes | None,
        before_send: BeforeSend | None = None,
        *,
        headers: Headers | None = None,
    ) -> tuple[int, bytes]:
        """One request; see ``Transport``."""
        if self._socket is None:
            blocking = partial(self.exchange_blocking, method, path, query, payload, before_send, headers=headers)
            return await anyio.to_thread.run_sync(blocking, abandon_on_cancel=False, limiter=self._limiter)
        with anyio.CancelScope(shield=True):
            try:
                answer = await self._socket.exchange(
                    method,
                    self._url(path, query),
                    payload,
                    timeout_seconds=TIMEOUT_SECONDS,
                    before_send=before_send,
                    headers=headers,
                )
            except OSError as error:  # TimeoutError too
                raise EngineUnavailable(0, f"{self.host}: {str(error) or 'no answer in time'}") from error
        return answer

    def exchange_blocking(
        self,
        method: str,
        path: str,
        query: Query | None,
        payload: bytes | None,
        before_send: BeforeSend | None = None,
        *,
        headers: Headers | None = None,
    ) -> tuple[int, bytes]:
        """``exchange`` in the calling thread."""
        if before_send is not None:
            before_send()
        answer = self._open(
            method, self._url(path, query), payload, preload_content=True, timeout=TIMEOUT_SECONDS, more=headers
        )
        return answer.status, answer.data

    async def follow(self, on_event: Callable[[dict[str, Any] | None], None]) -> None:
        """Follow the engine's events; see ``controller.swarm.events``."""
        await EventStream(self, on_event).run()

    def stream(self, path: str, query: Query, *, idle_seconds: float) -> tuple[int, Any, Iterator[bytes]]:
        """An endless answer, in the calling thread: its status, the response (for ``close``) and its chunks."""
        answer = self._open("GET", self._url(path, query), None, preload_content=False, timeout=idle_seconds)
        return answer.status, answer, answer.stream(amt=None)

    def _url(self, path: str, query: Query | None) -> str:
        url = path if path == _UNVERSIONED else f"/v{self.api_version}{path}"
        if query:
            url += "?" + urlencode(
                {k: orjson.dumps(v).decode() if isinstance(v, dict) else v for k, v in query.items()}
            )
        return url

    def _open(
        self,
        method: str,
        url: str,
        payload: bytes | None,
        *,
        preload_content: bool,
        timeout: float,
        more: Headers | None = None,
    ) -> Any:
        headers = {"Host": "docker", **(more or {})}
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


def _cause(error: BaseException) -> str:
    """What went wrong at the bottom: urllib3 wraps it, as a tuple."""
    inner = next((a for a in error.args if isinstance(a, BaseException)), None)
    return _cause(inner) if inner is not None else str(error)
