"""Releases as the store keeps them."""

from __future__ import annotations

from controller.loop.ports import Store
from reconcilers.outcomes import ConflictError
from reconcilers.releases import Releases
from specs.releases import Release
from specs.snapshots import ReleaseSnapshot


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
