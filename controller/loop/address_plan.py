"""The address plan as the store keeps it."""

from __future__ import annotations

from collections.abc import Sequence

from controller.loop.ports import Store
from reconcilers.address_plan import AddressPlan


class StoredAddressPlan(AddressPlan):
    """Subnets of one pool.

    Args:
        store: the database, which checks the lease with each write.
        pool: CIDR that subnets are cut from.
        quarantine_seconds: rest of a freed subnet.
    """

    def __init__(self, store: Store, *, pool: str, quarantine_seconds: float) -> None:
        self._store = store
        self._pool = pool
        self._quarantine_seconds = quarantine_seconds

    async def allocate(self, organization_id: str, prefix: int, taken: Sequence[str]) -> str | None:
        """See ``AddressPlan``."""
        return await self._store.allocate_subnet(organization_id, self._pool, prefix, taken, self._quarantine_seconds)

    async def adopt(self, organization_id: str, subnet: str, instead_of: str | None = None) -> str | None:
        """See ``AddressPlan``."""
        return await self._store.adopt_subnet(organization_id, subnet, instead_of)

    async def release(self, organization_id: str) -> None:
        """See ``AddressPlan``."""
        await self._store.release_subnet(organization_id)
