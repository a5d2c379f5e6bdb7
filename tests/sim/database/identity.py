"""The database's side of the identity, as ``controller.store.identity`` has it."""

from __future__ import annotations

from dataclasses import replace
from uuid import NAMESPACE_OID, uuid5

from controller.records import Claim
from reconcilers.outcomes import FencedError
from tests.sim.database.database import SimDatabase
from tests.sim.database.lease import SimLease
from tests.sim.database.link import Link, direct


class SimRegister:
    """The row, for one process."""

    def __init__(self, database: SimDatabase, lease: SimLease, *, link: Link = direct) -> None:
        self._database = database
        self._lease = lease
        self._link = link

    async def read(self) -> Claim:
        """What the database says."""
        return await self._link("identity_read", (), self._read)

    def _read(self) -> Claim:
        database = self._database
        epoch = max((held.epoch for held in database.leases.values()), default=0)
        row = database.identity or Claim("", None, None, None, None, None, 0)
        return replace(row, here=database.place, epoch=epoch)

    async def claim(self, place: str, cluster_id: str, installation: str) -> str:
        """Write the row if there is none; the database's id."""
        name, holder, epoch = self._lease.name, self._lease.holder, self._lease.epoch

        def effect() -> str:
            database = self._database
            n, leads, new = database.next_statement(), database.leads(name, holder, epoch), database.identity is None
            database.wrote(n, (holder, epoch), "identity_claim", (), accepted=leads, rows=int(leads and new))
            if not leads:
                raise FencedError
            if database.identity is None:
                database_id = str(uuid5(NAMESPACE_OID, place))
                database.identity = Claim(place, database_id, place, cluster_id, installation, None, 0)
            return database.identity.database_id or ""

        return await self._link("identity_claim", (), effect)
