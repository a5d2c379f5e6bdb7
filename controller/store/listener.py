"""Listens for the database's notifications: hints that the change log has something new.

A connection of its own, outside the pool: waiting for notifications holds a connection's lock. It listens first and
then says "look", so that nothing falls between; a lost notification costs only the time until the next timer. A dead
peer that never says so is found by TCP keep-alives and by a question between two waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import anyio
import psycopg
import structlog

from controller.metrics import HINT_STREAM_UP

log = structlog.get_logger(__name__)

CHANNEL = "skypanel_changes"
WAIT_SECONDS = 5.0
_FIRST_DELAY, _LONGEST_DELAY = 0.1, 5.0


async def listen(conninfo: str, on_hint: Callable[[], None]) -> None:
    """Call ``on_hint`` after every notification and every (re)connection, until cancelled."""
    delay = _FIRST_DELAY
    while True:
        try:
            async with asyncio.timeout(10):
                connection = await psycopg.AsyncConnection.connect(conninfo, autocommit=True)
            async with connection:
                await connection.execute(f"LISTEN {CHANNEL}")
                HINT_STREAM_UP.labels(stream="database").set(1)
                log.debug("hints.listening", stream="database")
                delay = _FIRST_DELAY
                on_hint()
                while True:
                    async for _ in connection.notifies(timeout=WAIT_SECONDS, stop_after=1):
                        on_hint()
                    async with asyncio.timeout(10):
                        await connection.execute("SELECT 1")
        except (psycopg.Error, OSError, TimeoutError) as error:
            HINT_STREAM_UP.labels(stream="database").set(0)
            log.warning("hints.lost", stream="database", error=str(error), retry_in=round(delay, 2))
            await anyio.sleep(delay)
            delay = min(delay * 2, _LONGEST_DELAY)
