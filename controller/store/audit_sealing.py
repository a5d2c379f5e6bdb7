"""Gives entries of the audit their place in its chain, soon after they are committed.

Any process may do it, whoever leads: one row is locked, and a second one finds the work done. No writer waits for it.
"""

from __future__ import annotations

import anyio
import structlog

from controller.postgres.database import Database
from controller.postgres.statements import statement
from reconcilers.outcomes import TransientError

log = structlog.get_logger(__name__)

SECONDS, PIECE = 10.0, 250


async def keep_sealed(database: Database) -> None:
    """Seal again and again, until cancelled."""
    while True:
        done = 0
        try:
            ((done,),) = await database.fetch(statement("store/loop/seal_audit"), {"most": PIECE})
        except (
            TransientError
        ) as error:  # the database is away, or has a schema of before: whoever needs it more says so
            log.debug("audit.not_sealed", error=error.message)
        if done < PIECE:
            await anyio.sleep(SECONDS)
