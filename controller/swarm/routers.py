"""What routers the edge has, asked of Traefik's own API: one answer for all domains, a second old at most.

A route on a service is a wish: an entry point or a certificate resolver that Traefik does not know, or an engine that
it cannot read, leaves it without the router, and nothing but Traefik's log says so. Whoever asked is told when the
answer for one of its routers changes, so that nobody has to ask again and again.
"""

from __future__ import annotations

import base64
import http.client
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import unquote, urlsplit

import anyio
import anyio.to_thread
import orjson
import structlog

from controller.kit import clock
from controller.swarm.object_cache import OwnerKey
from reconcilers.ports import Routers

log = structlog.get_logger(__name__)

Read = Callable[[], Awaitable[Mapping[str, str]]]
"""Gives what is wrong with each router that the edge has, by name; raises ``EdgeSilent``."""

_FRESH_SECONDS = 1.0
_QUIET_SECONDS = 5.0
_KEPT_SECONDS = 15.0
"""So long the last answer counts when a later one does not come: a restarting edge is no news of each domain."""
_SHARE = 10
"""Reading takes at most so small a part of the time, however many routers there are."""
_CALL_SECONDS, _READ_SECONDS = 3.0, 15.0
_MOST_BYTES, _CHUNK, _PAGE = 64 * 1024 * 1024, 64 * 1024, 5000
_UNAUTHORIZED = 401


class EdgeSilent(Exception):  # noqa: N818 - it is not asked again and again, and never raised to anybody
    """The edge's API gave no answer that can be used; the message says why, without the address's password."""


class EdgeRouters:
    """The edge's routers, and who wants to hear of them.

    Args:
        read: asks the edge; None when there is no API to ask.
        on_change: called with the owners of routers that came, went, or became good or bad.
    """

    def __init__(self, read: Read | None, on_change: Callable[[Iterable[OwnerKey]], None]) -> None:
        self._read = read
        self._on_change = on_change
        self._lock = anyio.Lock()
        self._faults: Mapping[str, str] = {}
        self._problem = ""
        self._asked_at = self._good_at = float("-inf")
        self._seconds = 0.0
        self._watching: dict[OwnerKey, frozenset[str]] = {}

    @property
    def watched(self) -> bool:
        """Whether anybody asked for routers."""
        return self._read is not None and bool(self._watching)

    async def routers(self, owner: OwnerKey, names: Sequence[str]) -> Routers:
        """What the edge has now; ``owner`` is told when that changes for one of ``names``."""
        if self._read is None:
            return Routers()
        self._watching.pop(owner, None)  # what it hears now is no news
        if names:
            if not self._lock.locked() or not self._faults:  # nobody waits for an edge that is slow
                await self._refresh(max(_FRESH_SECONDS, _SHARE * self._seconds))
            self._watching[owner] = frozenset(names)
        return Routers(asked=True, problem=self._problem, faults=self._faults)

    def fingerprint(self, owner: OwnerKey) -> tuple[str | None, ...]:
        """Changes when the answer for one of the routers of ``owner`` does."""
        return tuple(self._faults.get(name) for name in sorted(self._watching.get(owner, ())))

    @property
    def period(self) -> float:
        """Seconds until the next look: soon when somebody waits for a router."""
        waited = any(self._faults.get(name) != "" for names in self._watching.values() for name in names)
        return max(_FRESH_SECONDS if waited else _QUIET_SECONDS, _SHARE * self._seconds)

    async def look(self) -> None:
        """Ask anew, if anybody is to be told."""
        if self.watched:
            await self._refresh(_FRESH_SECONDS / 2)

    async def _refresh(self, age: float) -> None:
        async with self._lock:
            now = clock.monotonic()
            if self._read is None or now - self._asked_at < age:
                return
            before = self._faults, self._problem
            try:
                self._faults, self._problem = await self._read(), ""
                self._good_at = clock.monotonic()
            except EdgeSilent as error:
                if clock.monotonic() - self._good_at > _KEPT_SECONDS:
                    self._problem = str(error)
                log.warning("edge.silent", error=str(error))
            self._asked_at = clock.monotonic()
            self._seconds = self._asked_at - now
        self._tell(*before)

    def _tell(self, faults: Mapping[str, str], problem: str) -> None:
        if self._faults is faults and self._problem == problem:
            return
        other = self._problem != problem
        concerned = {
            owner
            for owner, names in self._watching.items()
            if other or any(faults.get(name) != self._faults.get(name) for name in names)
        }
        for owner in concerned:
            del self._watching[owner]  # it asks again when it looks, if it still is
        if concerned:
            self._on_change(concerned)


def traefik(url: str) -> Read:
    """Ask the API of Traefik at ``url`` (``http://user:password@host:port``)."""

    async def read() -> Mapping[str, str]:
        return await anyio.to_thread.run_sync(read_all, url, abandon_on_cancel=True)

    return read


def read_all(url: str) -> Mapping[str, str]:
    """What is wrong with each router of the Traefik whose API is at ``url``, by name; blocks.

    Raises:
        EdgeSilent: no answer, or none that can be used.
    """
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=_CALL_SECONDS)
    headers = {"Accept": "application/json"}
    if parts.username is not None:
        user = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
        headers["Authorization"] = f"Basic {base64.b64encode(user).decode()}"
    found: dict[str, str] = {}
    deadline = clock.monotonic() + _READ_SECONDS
    page, left = 1, _MOST_BYTES
    try:
        while page:
            path = f"{parts.path.rstrip('/')}/api/http/routers?per_page={_PAGE}&page={page}"
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            data = _body(answer, left, deadline)
            left -= len(data)
            if answer.status != http.client.OK:
                raise EdgeSilent(_refusal(answer.status))
            found |= {str(router["name"]): _fault(router) for router in orjson.loads(data)}
            following = int(answer.headers.get("X-Next-Page") or 0)
            page = following if following > page else 0
    except (OSError, http.client.HTTPException) as error:
        raise EdgeSilent(f"the edge's API does not answer: {type(error).__name__}: {error}") from None
    except (ValueError, TypeError, KeyError):
        raise EdgeSilent("what answers as the edge's API is not Traefik's: see SKYPANEL_EDGE_API_URL") from None
    finally:
        connection.close()
    return found


def _body(answer: http.client.HTTPResponse, most: int, deadline: float) -> bytes:
    data = bytearray()
    while chunk := answer.read(_CHUNK):
        data += chunk
        if len(data) > most:
            raise EdgeSilent("the edge's API sends more than 64 MiB")
        if clock.monotonic() > deadline:
            raise EdgeSilent(f"the edge's API takes longer than {_READ_SECONDS:.0f} s")
    return bytes(data)


def _refusal(status: int) -> str:
    if status == _UNAUTHORIZED:
        return "the edge's API refuses user or password of SKYPANEL_EDGE_API_URL (401)"
    return f"the edge's API answers {status}: see SKYPANEL_EDGE_API_URL, and whether Traefik reads the engine"


def _fault(router: Mapping[str, Any]) -> str:
    """What is wrong with a router; empty when it works."""
    errors = router.get("error") or []
    status = str(router.get("status") or "unknown")
    said = "; ".join(map(str, errors)) if isinstance(errors, list) else str(errors)
    return "" if status == "enabled" else said or f"its status is {status}"
