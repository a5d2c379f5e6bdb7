"""The address plan: which organization has which subnet. A port, as it is kept beyond the Swarm."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

from reconcilers.port import Port, write


class AddressPlan(Port, name="subnet", fenced=True):
    """Subnets of the pool that the settings name."""

    @write
    @abstractmethod
    async def allocate(self, organization_id: str, prefix: int, taken: Sequence[str]) -> str | None:
        """The organization's subnet; a free one when it has none that is usable; None when the pool is used up.

        Args:
            organization_id: whose.
            prefix: length of the network's prefix.
            taken: subnets that something else uses, by the engine.
        """

    @write
    @abstractmethod
    async def adopt(self, organization_id: str, subnet: str, instead_of: str | None = None) -> str | None:
        """Have the plan say that ``subnet``, which a live network has, is this organization's.

        Args:
            organization_id: whose it is to be.
            subnet: as the network has it.
            instead_of: organization whose row gives way, as its own live network has other addresses.

        Returns:
            whose it is in the plan, when that is somebody else's and was left so; else None.
        """

    @write
    @abstractmethod
    async def release(self, organization_id: str) -> None:
        """Give the organization's subnet back; it rests for a while before somebody else gets it."""
