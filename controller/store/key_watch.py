"""Looks whether this process has the keys of all data keys: one that is lost is said at the start, not at a deploy."""

from __future__ import annotations

import anyio
import structlog

from controller.postgres.database import Database
from controller.postgres.statements import statement
from controller.telemetry.metrics import DATA_KEYS_UNAVAILABLE
from controller.vault.keyring import FILE_VARIABLE, VARIABLE, KeyFileError
from controller.vault.vault import Vault
from reconcilers.outcomes import TransientError
from specs.kinds import KINDS, LOGIN

log = structlog.get_logger(__name__)

SECONDS, AGAIN_SECONDS = 300.0, 5.0
_NEEDED = statement("store/keys/needed").replace("{logins}", f"public.{KINDS[LOGIN].binding.table}")


class KeyWatch:
    """Compares the keys that are needed with those that are here.

    Args:
        database: says what is needed.
        vault: of this process.
    """

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault
        self._said = ""

    async def run(self) -> None:
        """Look now and then; what is new is said once, as an error. Nothing stops for it: what runs keeps running."""
        while True:
            try:
                await self.look()
            except TransientError:  # said by whoever needs the database more
                await anyio.sleep(AGAIN_SECONDS)
            else:
                await anyio.sleep(SECONDS)

    async def look(self) -> str:
        """What is missing, with the way to mend it; empty when nothing is.

        Raises:
            TransientError: the database does not answer.
        """
        (row,) = await self._database.fetch(_NEEDED)
        keys, of_panel = row[0] or {}, row[1]
        missing, why = self._missing(keys)
        if of_panel and not self._vault.opens_the_panels:
            why = "; ".join(
                filter(
                    None,
                    [why, "the panel sealed config vars or passwords of registries: set SSH_CRED_SECRET as it has it"],
                )
            )
        DATA_KEYS_UNAVAILABLE.set(missing)
        if why and why != self._said:
            log.error("keys.missing", organizations=missing, mend=why)
        self._said = why
        return why

    def _missing(self, needed: dict[str, int]) -> tuple[int, str]:
        """Of how many organizations the key is missing, and what to do."""
        try:
            lost = {key: count for key, count in sorted(needed.items()) if self._vault.keyring.find(key) is None}
        except KeyFileError as error:
            return sum(needed.values()), str(error)
        if not lost:
            return 0, ""
        if not self._vault.keyring.given:
            why = f"config vars are set, and no key is: set {VARIABLE} or {FILE_VARIABLE}, with {', '.join(lost)}"
        else:
            why = f"add to {FILE_VARIABLE} or {VARIABLE} the lines of {', '.join(lost)}, from a backup"
        return sum(lost.values()), f"{why}; nothing that has config vars can be deployed until then, what runs goes on"
