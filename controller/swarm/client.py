"""The Docker Engine API, as far as a controller needs it: raw documents in, raw documents out.

Every field is sent as it is: the docker SDK's service models lack NoNewPrivileges, Seccomp, AppArmor and Ulimits. How
the bytes travel is the transport's affair.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any
from urllib.parse import quote

import orjson
from docker.tls import TLSConfig

from controller.kit import clock
from controller.swarm.errors import EngineError, EngineUnavailable, NotFound, classify
from controller.swarm.transport import DockerTransport, Transport
from controller.swarm.usable import refuse_swarm, refuse_version, spoken_version
from controller.swarm.wire import decoded, message_of
from reconcilers import labels

Document = dict[str, Any]


class EngineClient:
    """One engine.

    Args:
        transport: the way to it.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self.guard: Callable[[], None] | None = None
        """Called right before the bytes of each write leave; what it raises stops them."""
        self.node_id = ""
        self._answered_at: float | None = None
        self._answers = False
        self.writes = 0

    @classmethod
    def at(cls, host: str, *, tls: TLSConfig | None = None, max_connections: int = 10) -> EngineClient:
        """The engine at ``host``: ``unix:///path``, ``tcp://host:port`` or ``ssh://user@host``."""
        return cls(DockerTransport(host, tls=tls, max_connections=max_connections))

    @property
    def host(self) -> str:
        """Where the engine is."""
        return self._transport.host

    @property
    def api_version(self) -> str:
        """Version of the API that is spoken."""
        return self._transport.api_version

    @property
    def silent_seconds(self) -> float | None:
        """For how long the engine has not answered; 0 while it does, None when it never has.

        It is asked every few seconds: a call that fails is what tells.
        """
        if self._answers or self._answered_at is None:
            return 0.0 if self._answers else None
        return clock.monotonic() - self._answered_at

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    async def request(
        self,
        method: str,
        path: str,
        body: object = None,
        query: Mapping[str, Any] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """One request; the decoded answer. Cancellation waits for it, so that no write is left in the air.

        Raises:
            EngineError: one of its subclasses, by what the engine said.
        """
        payload = None if body is None else orjson.dumps(body)
        with self._listening():
            if method == "GET":
                return decoded(*await self._transport.exchange(method, path, query, payload))
            self.writes += 1
            more: dict[str, Any] = {"headers": headers} if headers else {}
            return decoded(*await self._transport.exchange(method, path, query, payload, self.guard, **more))

    async def _answer(self, method: str, path: str, query: Mapping[str, Any]) -> bytes:
        """The body of an answer as it came."""
        with self._listening():
            status, data = await self._transport.exchange(method, path, query, None)
            if status >= 400:
                raise classify(status, message_of(data))
            return data

    @contextmanager
    def _listening(self) -> Iterator[None]:
        """Remember whether the engine answered; what stops a write before it is sent says nothing of that."""
        try:
            yield
        except EngineUnavailable:
            self._answers = False
            raise
        except EngineError:
            self._answers, self._answered_at = True, clock.monotonic()
            raise
        self._answers, self._answered_at = True, clock.monotonic()

    async def follow(self, on_event: Callable[[Document | None], None]) -> None:
        """Call ``on_event`` with every event, and with None after each (re)connection, until cancelled."""
        await self._transport.follow(on_event)

    # -- what a controller asks ----------------------------------------------------------------------------------

    async def check(self) -> Document:
        """Refuse an engine that would drop security fields silently; from then on speak the newest API that both know.

        Returns:
            the answer of ``/version``.

        Raises:
            UnsupportedEngine: with what is wrong and what to install.
            EngineUnavailable: no answer, or a Swarm that is locked or not there yet.
        """
        version = await self.request("GET", "/version")
        refuse_version(version, self.host)
        self._transport.api_version = spoken_version(version)
        info = await self.request("GET", "/info")
        swarm = info.get("Swarm") or {}
        refuse_swarm(swarm, version, self.host)
        self.node_id = str(swarm.get("NodeID") or "")
        return dict(version)

    async def time(self) -> datetime:
        """What the clock of its machine says."""
        return datetime.fromisoformat((await self.request("GET", "/info"))["SystemTime"])

    async def services(self, label: str, *, status: bool = False) -> bytes:
        """The list of services with ``label`` (``name=value``) as it came; with counts of tasks if asked for."""
        query: dict[str, Any] = {"filters": {"label": [label]}}
        if status:
            query["status"] = "true"
        return await self._answer("GET", "/services", query)

    async def services_by_id(self, ids: Sequence[str]) -> list[Document]:
        """Those of the services that exist."""
        return list(await self.request("GET", "/services", query={"filters": {"id": list(ids)}}) or [])

    async def service(self, id_or_name: str) -> Document:
        """One service."""
        return dict(await self.request("GET", f"/services/{quote(id_or_name)}"))

    async def create_service(self, spec: Document, *, pull: str | None = None) -> str:
        """Create; the id. No registry is asked and no tag is resolved here (engines from API 1.30).

        ``pull`` is what nodes ask the registry with.
        """
        created = await self.request("POST", "/services/create", spec, headers=_pulling(pull))
        return str(created["ID"])

    async def update_service(self, service_id: str, version: int, spec: Document, *, pull: str | None = None) -> None:
        """Replace the whole spec, if the service is still at ``version``; without ``pull`` that stays as it is."""
        query = {"version": version, "registryAuthFrom": "spec"}
        await self.request("POST", f"/services/{service_id}/update", spec, query, headers=_pulling(pull))

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

    async def contents(self, object_type: str, label: str) -> bytes:
        """The list of secrets or configs with ``label`` (``name=value``) as it came; never what is in a secret."""
        return await self._answer("GET", f"/{object_type}s", {"filters": {"label": [label]}})

    async def content(self, object_type: str, id_or_name: str) -> Document:
        """One secret or config."""
        return dict(await self.request("GET", f"/{object_type}s/{quote(id_or_name)}"))

    async def create_content(self, object_type: str, document: Document) -> str:
        """Create a secret or config; the id."""
        created = await self.request("POST", f"/{object_type}s/create", document)
        return str(created["ID"])

    async def update_content(self, object_type: str, content_id: str, version: int, document: Document) -> None:
        """Replace the labels of a secret or config, if it is still at ``version``."""
        await self.request("POST", f"/{object_type}s/{content_id}/update", document, {"version": version})

    async def remove_content(self, object_type: str, content_id: str) -> None:
        """Remove a secret or config, if no service's present spec refers to it."""
        await self.request("DELETE", f"/{object_type}s/{content_id}")

    async def tasks(self, filters: Mapping[str, list[str]]) -> list[Document]:
        """Tasks; the engine keeps some old ones for each slot."""
        return list(await self.request("GET", "/tasks", query={"filters": dict(filters)}) or [])

    async def container(self, container_id: str) -> Document:
        """One container of this engine, running or ended, inspected."""
        return dict(await self.request("GET", f"/containers/{quote(container_id)}/json"))

    async def architecture(self) -> str:
        """Of this engine's machine, such as ``amd64``."""
        return str((await self.request("GET", "/version"))["Arch"])

    async def image(self, name: str) -> Document:
        """An image of this engine, inspected."""
        return dict(await self.request("GET", f"/images/{quote(name)}/json"))

    async def nodes(self) -> list[Document]:
        """Nodes of the Swarm."""
        return list(await self.request("GET", "/nodes") or [])

    # -- the edge: containers of this engine, not of the Swarm ----------------------------------------------------

    async def edge_services(self) -> list[str]:
        """Ids of the services that are the edge."""
        query = {"filters": {"label": [f"{labels.EDGE}=true"]}}
        return [str(d["ID"]) for d in await self.request("GET", "/services", query=query) or []]

    async def service_containers(self, service_id: str) -> list[Document]:
        """Running containers of a service on this engine, each inspected: with the networks that it is on now.

        The list alone may be some ten milliseconds older than the event that had us look.
        """
        query = {"filters": {"label": [f"com.docker.swarm.service.id={service_id}"], "status": ["running"]}}
        found: list[Document] = []
        for listed in await self.request("GET", "/containers/json", query=query) or []:
            with suppress(NotFound):  # gone meanwhile
                found.append(await self.request("GET", f"/containers/{listed['Id']}/json"))
        return found

    async def connect(self, network_id: str, container_id: str, address: str) -> None:
        """Join a running container to a network, with an address that the network's range for tasks leaves out."""
        endpoint = {"IPAMConfig": {"IPv4Address": address}}
        await self.request(
            "POST", f"/networks/{network_id}/connect", {"Container": container_id, "EndpointConfig": endpoint}
        )

    async def disconnect(self, network_id: str, container_id: str) -> None:
        """Take a container off a network."""
        await self.request("POST", f"/networks/{network_id}/disconnect", {"Container": container_id, "Force": True})


def _pulling(pull: str | None) -> dict[str, str] | None:
    """The header that carries it: in no document, and so in no answer."""
    return None if pull is None else {"X-Registry-Auth": pull}
