"""Images, as far as a render must know them: which content a reference means, and how it starts. A port."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reconcilers.logins import Login
from reconcilers.port import Port, read


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What an image says of itself, of the platform that runs here.

    Args:
        pinned: the reference that always means this content, ``name@sha256:...``; of an image that only the engine has,
            and no registry, the reference itself.
        architecture: as Go calls it, ``amd64`` or ``arm64``.
        entrypoint: its program and first arguments; empty when it has none.
        cmd: its further arguments; empty when it has none.
        healthcheck: as in the image's config (``Test``, ``Interval``, ... in nanoseconds), which is the engine's form;
            None: it has none.
        shell: what a check of the form ``CMD-SHELL`` is run by.
    """

    pinned: str
    architecture: str
    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    healthcheck: Mapping[str, Any] | None = None
    shell: tuple[str, ...] = ("/bin/sh", "-c")


class Images(Port, name="image"):
    """Registries, and what the engine has of its own."""

    @read
    @abstractmethod
    async def look_up(self, reference: str, organization_id: str, login: Login | None = None) -> ImageFacts:
        """What ``reference`` means now.

        Args:
            reference: an image reference.
            organization_id: who asks.
            login: its user of that registry; None: it has none.

        Raises:
            TransientError: ``RegistryUnavailable``: it did not answer, or answered that it cannot now.
            TerminalError: ``ImageNotFound``, ``ImageDenied``, ``ImageRefused`` (no image that runs here, or not of the
                form that images have); says what to do.
        """

    @read
    @abstractmethod
    async def sign_in(self, login: Login) -> bool:
        """Whether the registry asks for a user at all; if so, it takes this one.

        Raises:
            TransientError: ``RegistryUnavailable``: it did not answer, or answered that it cannot now.
            TerminalError: ``LoginRefused``: it does not take him; says what to do.
        """
