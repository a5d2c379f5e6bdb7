"""Mirrors of registries, which the operator names: asked first, as nobody, and believed about a digest as any registry.

    mirrors = Mirrors(Reach(), {"docker.io": (Mirror.at("https://mirror.example.com"),)})
    mirrors.of(repository)          where to ask before its registry, and as which repository

What a user of an organization may see, only the registry itself knows: it is asked without them, and nobody's password
goes to one of them. Each has connections, tokens and patience of its own, so that one that is away costs little; that
it may be asked, on whatever host, is so for it alone, and not for an image reference that names the same host.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import anyio

from controller.registry.addresses import Gate, Reach, Resolve
from controller.registry.client import RegistryClient
from controller.registry.mirror_settings import Mirror
from controller.registry.places import Repository
from controller.registry.wire import Dial

LOOK_SECONDS, HELD_SECONDS = 5.0, 60.0
"""For all that one of them is asked of an image, and for how long one that did not answer in time is passed over."""


class Mirrors:
    """Those that are named, each with a client of its own.

    Args:
        reach: what registries may be asked.
        by_registry: see ``read_mirrors``.
        resolve, trust, dial: as of ``Gate`` and ``RegistryClient``.
    """

    def __init__(
        self,
        reach: Reach,
        by_registry: Mapping[str, Sequence[Mirror]],
        *,
        resolve: Resolve | None = None,
        trust: ssl.SSLContext | None = None,
        dial: Dial = anyio.connect_tcp,
    ) -> None:
        self._clients: dict[str, list[tuple[Mirror, RegistryClient]]] = {}
        for registry, mirrors in by_registry.items():
            for mirror in mirrors:
                gate = Gate(_reach_of(mirror, reach), resolve)
                client = RegistryClient(
                    gate, trust=trust, dial=dial, look_seconds=LOOK_SECONDS, held_seconds=HELD_SECONDS
                )
                self._clients.setdefault(registry, []).append((mirror, client))

    def of(self, repository: Repository) -> Iterator[tuple[RegistryClient, Repository]]:
        """Who is asked before its registry, and for which repository."""
        for mirror, client in self._clients.get(repository.registry, ()):
            yield client, mirror.repository(repository)


def _reach_of(mirror: Mirror, reach: Reach) -> Reach:
    """What may be asked, and the mirror whatever host it is on; without TLS where its address says so."""
    own = mirror.origin.spellings
    insecure = (*reach.insecure, *own) if mirror.origin.scheme == "http" else reach.insecure
    return replace(reach, allowed=(*reach.allowed, *own), insecure=insecure)
