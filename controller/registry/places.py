"""Where the registry of a reference is, by docker's rules.

nginx:1                        registry-1.docker.io, repository library/nginx
docker.io/team/app             registry-1.docker.io, repository team/app
registry.example.com/team/app  registry.example.com, port 443
localhost:5000/app             localhost, port 5000
"""

from __future__ import annotations

from dataclasses import dataclass

from specs.images import ImageReference
from specs.registries import HUB, registry_of

DEFAULT_TAG = "latest"
_HUB_HOST = "registry-1.docker.io"


@dataclass(frozen=True, slots=True)
class Repository:
    """One repository of one registry; equal for every spelling of a name that means it.

    Args:
        registry: as references have it, such as ``docker.io`` or ``registry.example.com:5000``.
        path: within it.
    """

    registry: str
    path: str

    @classmethod
    def of(cls, reference: ImageReference) -> Repository:
        """Which one a reference means."""
        registry = registry_of(reference.domain)
        bare = registry == HUB and "/" not in reference.path
        return cls(registry, f"library/{reference.path}" if bare else reference.path)

    @property
    def authority(self) -> str:
        """Who is asked: host, with its port where one is named."""
        return _HUB_HOST if self.registry == HUB else self.registry

    def __str__(self) -> str:
        return f"{self.registry}/{self.path}"


@dataclass(frozen=True, slots=True)
class Origin:
    """Who answers a request: what a scheme, a host and a port stand for.

    Args:
        scheme: ``https``; or ``http``, which is asked only where that may be.
        host: name or address, without brackets; lower case.
        port: of it.
    """

    scheme: str
    host: str
    port: int

    @property
    def authority(self) -> str:
        """As in a URL: without the port that is the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def spellings(self) -> tuple[str, ...]:
        """As an operator may list it: with its port, and without when that is the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return tuple(dict.fromkeys((self.authority, f"{host}:{self.port}")))


PORTS = {"https": 443, "http": 80}
