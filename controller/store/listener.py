"""Listens for the database's notifications: hints that the change log has something new, or that the lease is free.

A connection of its own, outside the pool: waiting for notifications holds a connection's lock. It listens first and
then says "look", so that nothing falls between; a lost notification costs only the time until the next timer. A dead
peer that never says so is found by TCP keep-alives and by a question between two waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Literal

import anyio
import psycopg
import structlog

from controller.telemetry.metrics import HintStream

log = structlog.get_logger(__name__)

CHANNEL = "skypanel_changes"
LEASE_CHANNEL = "skypanel_lease"
WAIT_SECONDS = 5.0
DATABASE_HINTS = HintStream("database")
_FIRST_DELAY, _LONGEST_DELAY = 0.1, 5.0


async def listen(conninfo: str, on_hint: Callable[[Literal["changes", "lease"]], None]) -> None:
    """Call ``on_hint`` with the channel after every notification, and after every (re)connection, until cancelled."""
    delay = _FIRST_DELAY
    while True:
        try:
            async with asyncio.timeout(10):
                connection = await psycopg.AsyncConnection.connect(conninfo, autocommit=True)
            async with connection:
                await connection.execute(f"LISTEN {CHANNEL}")
                await connection.execute(f"LISTEN {LEASE_CHANNEL}")
                DATABASE_HINTS.connected()
                log.debug("hints.listening", stream="database")
                delay = _FIRST_DELAY
                on_hint("changes")
                while True:
                    heard = False
                    async for notification in connection.notifies(timeout=WAIT_SECONDS, stop_after=1):
                        heard = True
                        DATABASE_HINTS.heard()
                        on_hint("lease" if notification.channel == LEASE_CHANNEL else "changes")
                    if heard:  # so it lives
                        continue
                    async with asyncio.timeout(10):
                        await connection.execute("SELECT 1")
        except (psycopg.Error, OSError, TimeoutError) as error:
            DATABASE_HINTS.lost()
            log.warning("hints.lost", stream="database", error=str(error), retry_in=round(delay, 2))
            await anyio.sleep(delay)
            delay = min(delay * 2, _LONGEST_DELAY)
