"""The database's side of the identity; see ``controller.loop.identity``."""

from __future__ import annotations

from controller.postgres.database import Database
from controller.postgres.statements import fenced, statement
from controller.records import Claim
from controller.store.lease import Lease
from reconcilers.outcomes import FencedError


class Register:
    """The row of ``skypanel.identity``, for one process."""

    def __init__(self, database: Database, lease: Lease) -> None:
        self._database = database
        self._lease = lease

    async def read(self) -> Claim:
        """What the database says."""
        rows = await self._database.fetch(statement("store/identity/read"))
        return Claim(*rows[0])

    async def claim(self, place: str, cluster_id: str, installation: str) -> str:
        """Write the row if there is none; the database's id.

        Raises:
            FencedError: this process does not lead; nothing was written.
        """
        parameters = {"place": place, "cluster": cluster_id, "installation": installation}
        rows = await self._database.fetch(fenced("store/identity/claim"), {**self._lease.parameters, **parameters})
        if not rows:
            raise FencedError
        return str(rows[0][0])
