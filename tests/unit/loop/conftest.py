"""Asynchronous tests run on asyncio, as psycopg does; a call that blocks the event loop fails its test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from blockbuster import blockbuster_ctx


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def blocking_calls_fail() -> Iterator[None]:
    with blockbuster_ctx("controller"):
        yield
