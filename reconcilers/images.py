"""Images, as far as a render must know them: which content a reference means, and how it starts. A port."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reconcilers.logins import Login
from reconcilers.port import Port, read


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What an image says of itself, of the platform that runs here.

    Args:
        pinned: the reference that always means this content, ``name@sha256:...``, of its index where that leaves an
            engine no choice, else of itself; of an image that only the engine has, and no registry, the reference.
        architecture: as Go calls it, ``amd64`` or ``arm64``.
        entrypoint: its program and first arguments; empty when it has none.
        cmd: its further arguments; empty when it has none.
        healthcheck: as in the image's config (``Test``, ``Interval``, ... in nanoseconds), which is the engine's form;
            None: it has none.
        shell: what a check of the form ``CMD-SHELL`` is run by.
        digests: all that this content goes by: what the reference means, which may be an index; its manifest; and its
            config, which scanners call its id.
        stop_signal: what it wants to be asked to stop with, ``SIGQUIT``; None: it does not say, or says ``SIGTERM``.
    """

    pinned: str
    architecture: str
    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    healthcheck: Mapping[str, Any] | None = None
    shell: tuple[str, ...] = ("/bin/sh", "-c")
    digests: tuple[str, ...] = ()
    stop_signal: str | None = None


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a tag means now.

    Args:
        pinned: the content, ``name@sha256:...``, of an index where it is one; as ``ImageFacts.pinned`` otherwise.
        second_hand: whether a mirror says so, which may be behind its registry.
    """

    pinned: str
    second_hand: bool = False


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
    async def newest(
        self,
        reference: str,
        organization_id: str,
        login: Login | None = None,
        *,
        within_seconds: float = 0.0,
        itself: bool = False,
    ) -> Meaning | None:
        """The content that ``reference`` means now, without looking into it.

        Args:
            reference: an image reference with a tag.
            organization_id: who asks.
            login: its user of that registry; None: it has none.
            within_seconds: an answer that is not older may be given again, also that there was none.
            itself: whether its registry has to say it, and no mirror.

        Returns:
            None: so many ask this registry now that this one has to ask another time.

        Raises:
            ReconcileError: as ``look_up``.
        """

    @read
    @abstractmethod
    async def signed_by(
        self, pinned: str, keys: Sequence[str], organization_id: str, login: Login | None = None
    ) -> Sequence[str]:
        """Which of ``keys`` have signed an image, as far as its registry knows.

        Args:
            pinned: a reference with a digest.
            keys: public keys, PEM.
            organization_id: who asks.
            login: its user of that registry; None: it has none.

        Raises:
            ReconcileError: as ``look_up``; that nobody has signed it is none.
        """

    @read
    @abstractmethod
    async def sign_in(self, login: Login) -> bool:
        """Whether the registry asks for a user at all; if so, it takes this one.

        Raises:
            TransientError: ``RegistryUnavailable``: it did not answer, or answered that it cannot now.
            TerminalError: ``LoginRefused``: it does not take him; says what to do.
        """
