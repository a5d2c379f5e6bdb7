"""The lease: at most one controller writes, and a statement of one that lost it writes nothing.

Every take-over raises the epoch. The database's clock decides in SQL; here a monotonic clock decides how long this
process may trust itself without having heard from the database (``trusted``), so that it stops before another one can
begin. Renewals touch no key column and so do not wait for writes that check the lease; a take-over does.
"""

from __future__ import annotations

import math
import os
import socket
import uuid
from typing import Any

from psycopg import errors

from controller.kit import clock
from controller.postgres.database import Database
from controller.postgres.statements import statement
from reconcilers.outcomes import FencedError

_LASTS_SHARE = 0.9
"""Of the lease's time a renewal lasts so long; the rest is for the stand-by to notice that it has run out."""
_MARGIN_SECONDS = 0.5
_SHORTEST_CALL_SECONDS = 0.1
_RELEASE_SECONDS = 2.0


class Lease:
    """One process's hold, or wish to hold, on the lease of an installation.

    Args:
        database: where it is.
        name: the installation.
        seconds: within that time after its holder died, another process leads.
    """

    def __init__(self, database: Database, name: str, seconds: float) -> None:
        self._database = database
        self.name = name
        self.seconds = seconds
        self.holder = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
        self.epoch = 0
        self._trusted_until = 0.0
        self._proven = (-math.inf, 0.0)
        self._told: tuple[float, float, float] | None = None

    @property
    def trusted(self) -> bool:
        """Whether this process may still believe that it leads."""
        return clock.monotonic() < self._trusted_until

    @property
    def trusted_seconds(self) -> float:
        """How long that will hold without another answer; not positive when it does not hold."""
        return self._trusted_until - clock.monotonic()

    def guard(self) -> None:
        """Raise when this process may not write any more: for calls that no statement can fence.

        Raises:
            FencedError: it does not lead, or cannot know.
        """
        if not self.trusted:
            raise FencedError

    @property
    def proven_seconds(self) -> float:
        """How long ago the database was last asked whether this process leads, and said so.

        By the clock that says more: a machine that was paused from outside knows it by its wall time alone, if at all.
        """
        since, wall = self._proven
        return max(clock.monotonic() - since, abs(clock.wall() - wall))

    def proved(self, asked: float) -> None:
        """The database has said that this process leads; it was asked at ``asked``, of the monotonic clock."""
        if asked > self._proven[0]:
            self._proven = (asked, clock.wall() - (clock.monotonic() - asked))

    @property
    def database_time(self) -> tuple[float, float]:
        """Seconds since the epoch by the database's clock, at least and at most, as its last answer told them.

        Whoever leads next has the same clock. Before it was asked, and that is before anybody leads, it is our own.
        """
        now, asked = clock.monotonic(), self._told
        if asked is None:
            return clock.wall(), clock.wall()
        sent, answered, time = asked
        return time + now - answered, time + now - sent

    @property
    def remaining_seconds(self) -> float:
        """How long it may still believe so."""
        return max(0.0, self._trusted_until - clock.monotonic())

    @property
    def parameters(self) -> dict[str, Any]:
        """What ``store/lease/leader`` checks."""
        return {"lease": self.name, "holder": self.holder, "epoch": self.epoch}

    async def acquire(self, silent: float | None = None) -> bool:
        """Take the lease if it is free or has run out.

        Args:
            silent: for how many seconds the engine has not answered, for those who read what is said; None: not known.
        """
        try:
            return await self._ask("acquire", silent)
        except errors.UniqueViolation:  # somebody else's first row came at the same moment
            return False

    async def renew(self, silent: float | None = None) -> bool:
        """Prolong it; False when it was lost. ``silent`` as in ``acquire``."""
        return await self._ask("renew", silent)

    async def leader(self) -> str | None:
        """Who holds the lease now: ``host:process:number``; None when nobody does."""
        rows = await self._database.fetch(statement("store/lease/read"), {"name": self.name}, apart=True)
        return str(rows[0][0]) if rows and rows[0][3] > 0 else None

    async def release(self) -> None:
        """Let it run out now, so that a stand-by need not wait."""
        self._trusted_until = 0.0  # before it is given back: nothing is written in between
        if self.epoch:
            await self._database.fetch(
                statement("store/lease/release"), self.parameters, seconds=_RELEASE_SECONDS, apart=True
            )

    async def _ask(self, name: str, silent: float | None) -> bool:
        started = clock.monotonic()
        lasts = self.seconds * _LASTS_SHARE
        longest = self.seconds / 2
        if self.trusted:  # one call that hangs must not outlive the lease
            longest = max(_SHORTEST_CALL_SECONDS, min(longest, self._trusted_until - started))
        sent = {**self.parameters, "seconds": lasts, "silent": silent}
        rows = await self._database.fetch(statement(f"store/lease/{name}"), sent, seconds=longest, apart=True)
        if not rows:  # an answer that says no is final; one that does not come leaves what was trusted before
            self._trusted_until = 0.0
            return False
        self.epoch, time = rows[0]
        self._told = started, clock.monotonic(), time
        # From before it was asked, so that this process stops before the database lets another one begin.
        self._trusted_until = started + lasts - min(_MARGIN_SECONDS, lasts / 4)
        self.proved(started)
        return True
