"""Vulnerability reports, as whoever scans images has handed them in. A port of the store's own."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

from reconcilers.port import Port, read
from specs.vulnerabilities import VulnerabilityReport


class VulnerabilityReports(Port, name="reports", fenced=True):
    """Reports of all images, whoever runs them."""

    @read
    @abstractmethod
    async def of(self, digests: Sequence[str]) -> Sequence[VulnerabilityReport]:
        """Those that name one of ``digests``, the newest of each content; without what was scanned.

        Args:
            digests: of an index, a manifest or an image's config.
        """
