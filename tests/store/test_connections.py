"""Connections of their own: whatever ends their block closes them."""

from __future__ import annotations

import time

import anyio
import anyio.lowlevel
import pytest

from controller.postgres.connecting import connected
from tests.store.conftest import Database

_LONG_FOR_A_LOOP = 0.1
"""Seconds after which psycopg lets others work before it answers even what needs no waiting."""


@pytest.mark.anyio
async def test_who_is_cancelled_leaves_no_connection_open(database: Database) -> None:
    with anyio.CancelScope() as scope:
        async with connected(database.dsn("controller")) as connection:
            await connection.execute("SELECT 1")
            ended = time.monotonic() + _LONG_FOR_A_LOOP
            while time.monotonic() < ended:  # a busy loop: leaving rolls back, which could be cancelled as well
                pass
            scope.cancel()
            await anyio.lowlevel.checkpoint()
    assert connection.closed
