"""Releases as the store keeps them."""

from __future__ import annotations

from controller.loop.ports import Store
from reconcilers.outcomes import ConflictError
from reconcilers.releases import Releases
from specs.releases import Release
from specs.snapshot_parts import ReleaseSnapshot


class StoredReleases(Releases):
    """What is in the database."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def make(self, environment_id: str, generation: int, release: Release) -> ReleaseSnapshot:
        """See ``Releases``."""
        version = await self._store.make_release(environment_id, generation, release)
        if version is None:
            raise ConflictError("ReleaseChanged", "what is declared has changed since it was read; it is read again")
        return ReleaseSnapshot(version=version, digest=release.digest)

    async def deployed(self, environment_id: str, version: int) -> None:
        """See ``Releases``."""
        await self._store.release_deployed(environment_id, version)

    async def command_begins(self, environment_id: str, version: int, tries: int) -> None:
        """See ``Releases``."""
        if not await self._store.release_command_begins(environment_id, version, tries):
            raise ConflictError("ReleaseChanged", "the release is another one by now; it is read again")

    async def command_ended(
        self, environment_id: str, version: int, tries: int, exit_code: int | None, failure: str
    ) -> None:
        """See ``Releases``."""
        await self._store.release_command_ended(environment_id, version, tries, exit_code, failure)

    async def command_again(self, environment_id: str, version: int, tries: int) -> None:
        """See ``Releases``."""
        await self._store.release_command_again(environment_id, version, tries)
