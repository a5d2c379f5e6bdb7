"""Documents that a registry has, and what they are called."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

MANIFESTS = ("application/vnd.docker.distribution.manifest.v2+json", "application/vnd.oci.image.manifest.v1+json")
INDEXES = ("application/vnd.docker.distribution.manifest.list.v2+json", "application/vnd.oci.image.index.v1+json")
CONFIGS = ("application/vnd.docker.container.image.v1+json", "application/vnd.oci.image.config.v1+json")
DIGEST = re.compile(r"sha256:[a-f0-9]{64}|sha384:[a-f0-9]{96}|sha512:[a-f0-9]{128}")


@dataclass(frozen=True, slots=True)
class Document:
    """What a registry has under a digest; ``media_type`` as its answer says."""

    digest: str
    media_type: str
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Descriptor:
    """What refers to another document; ``size`` in bytes."""

    media_type: str
    digest: str
    size: int
