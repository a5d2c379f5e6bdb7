"""Vulnerability reports as the store keeps them."""

from __future__ import annotations

from collections.abc import Sequence

from controller.loop.ports import Store
from reconcilers.vulnerabilities import VulnerabilityReports
from specs.vulnerabilities import VulnerabilityReport


class StoredVulnerabilityReports(VulnerabilityReports):
    """What is in the database."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def of(self, digests: Sequence[str]) -> Sequence[VulnerabilityReport]:
        """See ``VulnerabilityReports``."""
        return await self._store.image_reports(digests)
