"""Which mirrors of registries the operator names: read from a setting, and where each has a repository. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from controller.registry.places import PORTS, Origin, Repository
from specs.images import parse_image
from specs.problems import RefusedError
from specs.registries import registry_of

_PATH = re.compile(r"(/[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*)*", re.ASCII)
_FORM = "docker.io=https://mirror.example.com"


@dataclass(frozen=True, slots=True)
class Mirror:
    """One of them.

    Args:
        origin: who answers.
        path: before each repository's own, such as ``dockerhub``; empty: none.
    """

    origin: Origin
    path: str = ""

    @classmethod
    def at(cls, url: str) -> Mirror:
        """By its address.

        Raises:
            ValueError: it is none.
        """
        parts = urlsplit(url)
        path = parts.path.rstrip("/")
        if parts.scheme not in PORTS or not parts.hostname or parts.query or parts.fragment or "@" in parts.netloc:
            raise ValueError
        if not _PATH.fullmatch(path):
            raise ValueError
        return cls(Origin(parts.scheme, parts.hostname, parts.port or PORTS[parts.scheme]), path.strip("/"))

    def repository(self, of: Repository) -> Repository:
        """Where it has what a repository has."""
        # A port is always said, as without one TLS is meant.
        host = f"[{self.origin.host}]" if ":" in self.origin.host else self.origin.host
        return Repository(f"{host}:{self.origin.port}", f"{self.path}/{of.path}" if self.path else of.path)


def read_mirrors(entries: Sequence[str]) -> dict[str, tuple[Mirror, ...]]:
    """Mirrors by registry, in their order, of entries as ``docker.io=https://mirror.example.com``.

    Raises:
        RefusedError: one of them is not so; says which by its number, as an address may have a secret anywhere.
    """
    found: dict[str, tuple[Mirror, ...]] = {}
    for number, entry in enumerate(entries, 1):
        registry, equals, url = (part.strip() for part in entry.partition("="))
        try:
            known = bool(equals) and parse_image(f"{registry}/image").domain == registry
            mirror = Mirror.at(url if known else "")
        except (RefusedError, ValueError):
            said = f"entry {number} names no registry and its mirror"
            raise RefusedError(said, f"write {_FORM}, without a user, a password or a query") from None
        named = registry_of(registry)
        found[named] = (*found.get(named, ()), mirror)
    return found
