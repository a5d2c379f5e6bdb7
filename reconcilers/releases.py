"""Releases: the record of what an environment runs, one for each other content. A port of the store's own."""

from __future__ import annotations

from abc import abstractmethod

from reconcilers.port import Port, write
from specs.releases import Release
from specs.snapshot_parts import ReleaseSnapshot


class Releases(Port, name="releases", fenced=True):
    """Releases of environments; a version counts up, and what is under it never changes."""

    @write
    @abstractmethod
    async def make(self, environment_id: str, generation: int, release: Release) -> ReleaseSnapshot:
        """The newest release when it has this content already, else a new one.

        Args:
            environment_id: whose.
            generation: of the environment, as it was read.
            release: the content.

        Raises:
            ConflictError: what is declared is something else by now.
            FencedError: this process does not lead.
        """

    @write
    @abstractmethod
    async def deployed(self, environment_id: str, version: int) -> None:
        """All tasks run it: what came to that can be gone back to. The first time counts."""

    @write
    @abstractmethod
    async def command_begins(self, environment_id: str, version: int, tries: int) -> None:
        """Its command is about to be run; asked right before the job is made. The same again does no harm.

        Raises:
            ConflictError: it was run already, was asked for anew since, or there is a newer release.
        """

    @write
    @abstractmethod
    async def command_ended(
        self, environment_id: str, version: int, tries: int, exit_code: int | None, failure: str
    ) -> None:
        """Its command has ended. What ended well stays so.

        Args:
            environment_id: whose.
            version: the release.
            tries: which try of it.
            exit_code: with what; None: it is not known, or nothing ran.
            failure: how it ended badly; empty: it ended well.
        """

    @write
    @abstractmethod
    async def command_again(self, environment_id: str, version: int, tries: int) -> None:
        """Its command, which has failed, may be run once more."""
