"""Which hosts git may speak to: each is resolved here, each address looked at, and git goes to one of those.

A name that is resolved again when the connection is made may lead elsewhere by then. What an operator lists may be
private, or without TLS.
"""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable, Sequence

import anyio

from controller.registry.addresses import Resolver
from reconcilers.sources import SourceError
from specs.problems import RefusedError
from specs.registries import is_listed, private_address, private_host
from specs.sources import SETTING, check_source_url, place_of

_MOST_ADDRESSES = 4
_RESOLVE_SECONDS = 5.0

Resolve = Callable[[str], Awaitable[Sequence[str]]]


class Hosts:
    """Says where a repository may be asked for.

    Args:
        allowed: ``host:port`` patterns of those that may be private, or without TLS.
        resolve: addresses of a host.
    """

    def __init__(self, allowed: Sequence[str], resolve: Resolve | None = None) -> None:
        self._allowed = tuple(allowed)
        self._resolve = resolve or Resolver()

    async def addresses(self, url: str) -> tuple[str, ...]:
        """Addresses of its host, checked.

        Raises:
            SourceError: ``SourceRefused``: it may not be asked; ``FetchFailed``: it has none now.
        """
        try:
            place = place_of(check_source_url(url))  # a row may have come here without its spec
        except RefusedError as error:
            raise SourceError("SourceRefused", f"{error.message}: {error.hint}") from None
        host, port = place.host, place.port
        bracketed = f"[{host}]" if ":" in host else host
        listed = any(is_listed(name, self._allowed) for name in (f"{bracketed}:{port}", bracketed))
        if not listed:
            if place.scheme == "http":
                raise _refused(host, "it is asked without TLS")
            _check(host, private_host(bracketed))
        try:
            with anyio.fail_after(_RESOLVE_SECONDS):
                found = await self._resolve(host)
        except (TimeoutError, OSError, UnicodeError) as error:
            absent = isinstance(error, socket.gaierror) and error.errno == socket.EAI_NONAME
            why = "there is no such name" if absent else "its name cannot be resolved now"
            raise SourceError("FetchFailed", f"{host} cannot be asked: {why}", passes=True) from None
        if not listed:
            for address in found:
                _check(host, private_address(address))
        return tuple(address.partition("%")[0] for address in found[:_MOST_ADDRESSES])


def _check(host: str, why: str) -> None:
    if why:
        raise _refused(host, why)


def _refused(host: str, why: str) -> SourceError:
    return SourceError(
        "SourceRefused", f"{host} is not a host that may be asked: {why}, and {SETTING} does not list it"
    )
