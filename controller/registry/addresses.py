"""Who may be asked: each host is resolved here, each address looked at, and the connection goes to one of those.

A name that is looked up again when the connection is made may lead elsewhere by then. What an operator lists may be
private; all else has public addresses only, by the rule of ``specs.registries``. The same holds for every host that a
registry sends us on to.
"""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from itertools import zip_longest

import anyio
import anyio.to_thread

from controller.registry.errors import RegistryUnavailable
from controller.registry.places import Origin
from specs.registries import SETTING, is_listed, private_address, private_host

_MOST_ADDRESSES = 4
_RESOLVERS = 8
_RESOLVE_SECONDS = 8.0
_NO_SUCH_NAME = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}

Resolve = Callable[[str], Awaitable[Sequence[str]]]


class PrivateError(Exception):
    """The host is private, and not listed; the message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Reach:
    """What may be asked.

    Args:
        allowed: hosts that may be private, as ``SKYPANEL_ALLOWED_REGISTRIES`` has them.
        insecure: hosts that may be asked without TLS, or with a certificate that nobody vouches for.
    """

    allowed: tuple[str, ...] = ()
    insecure: tuple[str, ...] = ()


class Gate:
    """Says to which addresses a connection may go.

    Args:
        reach: what may be asked.
        resolve: the addresses of a host.
    """

    def __init__(self, reach: Reach, resolve: Resolve | None = None) -> None:
        self._reach = reach
        self._resolve = resolve or Resolver()

    async def addresses(self, origin: Origin) -> Sequence[str]:
        """Addresses of the host, checked; the first few.

        Raises:
            PrivateError: it must not be asked.
            RegistryUnavailable: it has none now.
        """
        listed = any(is_listed(spelling, self._reach.allowed) for spelling in origin.spellings)
        if not listed:
            self._refuse(origin, private_host(origin.authority))
        try:
            with anyio.fail_after(_RESOLVE_SECONDS):
                found = await self._resolve(origin.host)
        except TimeoutError:
            raise RegistryUnavailable(origin.authority, "cannot be resolved: no answer in time") from None
        except (OSError, UnicodeError) as error:
            absent = isinstance(error, socket.gaierror) and error.errno in _NO_SUCH_NAME
            why = "does not exist: no such name" if absent else "cannot be resolved now"
            raise RegistryUnavailable(origin.authority, why, absent=absent) from None
        if not listed:
            for address in found:
                self._refuse(origin, private_address(address))
        return _alternating(found)[:_MOST_ADDRESSES]

    def insecure(self, origin: Origin, addresses: Sequence[str]) -> bool:
        """Whether it may be asked without TLS: listed, or on this host itself, as engines have it."""
        if any(is_listed(spelling, self._reach.insecure) for spelling in origin.spellings):
            return True
        return bool(addresses) and all(ip_address(address.partition("%")[0]).is_loopback for address in addresses)

    @staticmethod
    def _refuse(origin: Origin, why: str) -> None:
        if why:
            raise PrivateError(
                f"{origin.authority} is not a host that may be asked: {why}, and {SETTING} does not list it"
            )


class Resolver:
    """The system's resolver, in a few threads of its own: a slow one takes none of the others."""

    def __init__(self) -> None:
        self._limiter: anyio.CapacityLimiter | None = None

    async def __call__(self, host: str) -> Sequence[str]:
        """Addresses of ``host``, which may be one.

        Raises:
            OSError: there are none.
        """
        self._limiter = self._limiter or anyio.CapacityLimiter(_RESOLVERS)
        found = await anyio.to_thread.run_sync(_addresses, host, abandon_on_cancel=True, limiter=self._limiter)
        return list(dict.fromkeys(found))


def _alternating(addresses: Sequence[str]) -> list[str]:
    """One of each family in turn: where one of them leads nowhere, the other is not far."""
    first = [address for address in addresses if (":" in address) == (":" in addresses[0])]
    rest = [address for address in addresses if address not in first]
    return [address for pair in zip_longest(first, rest) for address in pair if address]


def _addresses(host: str) -> list[str]:
    return [str(found[4][0]) for found in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)]
