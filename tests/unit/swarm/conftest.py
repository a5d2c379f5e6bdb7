"""Asynchronous tests run on asyncio, as psycopg does."""

from __future__ import annotations

import pytest


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
