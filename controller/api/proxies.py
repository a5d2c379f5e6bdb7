"""Where a request comes from, behind proxies that are trusted to say it; what anybody else says of that is passed over.

Each proxy adds the address that it sees to the right of ``X-Forwarded-For``. So the right-most one that is no trusted
proxy's is the client's, and what stands left of it, the client may have written himself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


class ThroughProxies:
    """An application that is told the client's address and scheme, in the place of the proxy's.

    Who has no address came by the socket of the machine, which is there for a proxy.

    Args:
        app: the application.
        trusted: networks of the proxies.
    """

    def __init__(self, app: ASGIApp, trusted: Sequence[Network]) -> None:
        self._app = app
        self._trusted = trusted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http":
            peer = _address(scope["client"][0]) if scope.get("client") else None
            if peer is None or is_of(peer, self._trusted):
                headers = Headers(scope=scope)
                found = client(peer, headers.getlist("x-forwarded-for"), self._trusted)
                scheme = headers.getlist("x-forwarded-proto")[-1:]
                scope = {**scope, "client": (str(found), 0) if found else None}
                if scheme in (["http"], ["https"]):
                    scope["scheme"] = scheme[0]
        await self._app(scope, receive, send)


def client(peer: Address | None, forwarded: Iterable[str], trusted: Sequence[Network]) -> Address | None:
    """Whose request it is.

    Args:
        peer: a trusted proxy, from which it comes; None: it has no address.
        forwarded: ``X-Forwarded-For``, each header of it.
        trusted: networks of proxies.
    """
    found = peer
    for said in reversed(",".join(forwarded).split(",")):
        address = _address(said)
        if address is None:  # whoever is trusted has not written that: the one before is the last that is known
            return found
        found = address
        if not is_of(address, trusted):
            return found
    return found


def is_of(address: Address, networks: Iterable[Network]) -> bool:
    """Whether it is in one of the networks."""
    return any(address.version == network.version and address in network for network in networks)


def _address(said: str) -> Address | None:
    """As proxies write it: alone, with a port, in brackets; an IPv4 address that IPv6 carries is that address."""
    said = said.strip()
    if said.startswith("["):
        said = said[1:].partition("]")[0]
    elif said.count(":") == 1:
        said = said.partition(":")[0]
    try:
        found = ip_address(said)
    except ValueError:
        return None
    if isinstance(found, IPv6Address):
        return found.ipv4_mapped or IPv6Address(int(found))  # without the zone, which is of one machine
    return found
