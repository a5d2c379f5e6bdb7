"""Listens for the database's notifications: hints that the change log has something new, or that the lease is free.

A connection of its own, outside the pool: waiting for notifications holds a connection's lock. It listens first and
then says "look", so that nothing falls between; a lost notification costs only the time until the next timer. A dead
peer that never says so is found by TCP keep-alives and by a question between two waits.
"""

from __future__ import annotations

import asyncio

import anyio
import psycopg
import structlog

from controller.kit.bell import Bell
from controller.postgres.connecting import connected
from controller.telemetry.metrics import HintStream

log = structlog.get_logger(__name__)

CHANNEL = "skypanel_changes"
LEASE_CHANNEL = "skypanel_lease"
WAIT_SECONDS = 5.0
DATABASE_HINTS = HintStream("database")
_FIRST_DELAY, _LONGEST_DELAY = 0.1, 5.0


async def listen(conninfo: str, changed: Bell, released: Bell) -> None:
    """Ring the bell of the channel after every notification, and ``changed`` after every (re)connection.

    It goes on until it is cancelled.

    Args:
        conninfo: of the database.
        changed: the change log may have something new.
        released: the lease may be free.
    """
    delay = _FIRST_DELAY
    while True:
        try:
            async with connected(conninfo) as connection:
                await connection.execute(f"LISTEN {CHANNEL}")
                await connection.execute(f"LISTEN {LEASE_CHANNEL}")
                DATABASE_HINTS.connected()
                log.debug("hints.listening", stream="database")
                delay = _FIRST_DELAY
                changed.ring()
                while True:
                    heard = False
                    async for notification in connection.notifies(timeout=WAIT_SECONDS, stop_after=1):
                        heard = True
                        DATABASE_HINTS.heard()
                        (released if notification.channel == LEASE_CHANNEL else changed).ring()
                    if heard:  # so it lives
                        continue
                    async with asyncio.timeout(10):
                        await connection.execute("SELECT 1")
        except (psycopg.Error, OSError, TimeoutError) as error:
            DATABASE_HINTS.lost()
            log.warning("hints.lost", stream="database", error=str(error), retry_in=round(delay, 2))
            await anyio.sleep(delay)
            delay = min(delay * 2, _LONGEST_DELAY)
