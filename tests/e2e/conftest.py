"""A PostgreSQL of their own for the end-to-end tests, which restart it; a world of its own for each test."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy.engine import Lab
from deploy.postgres import Server, ensure
from tests.collector import Collector, collecting
from tests.conftest import LAB
from tests.e2e.world import World, world
from tests.labs import kept

NAME = f"e2e-{LAB}"
"""Of the part of the suite that runs it."""
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """PostgreSQL."""
    server = ensure(NAME, durable=False)
    yield server
    if not kept():
        server.destroy()


@pytest.fixture
def collector() -> Iterator[Collector]:
    """Takes the spans of controllers that are told so."""
    with collecting() as found:
        yield found


@pytest.fixture
def worlds(lab: Lab, server: Server, http_port: int, tmp_path: Path) -> Iterator[Callable[[], World]]:
    """Makes worlds; all are cleaned at the end of the test."""
    open_worlds = []

    def make() -> World:
        manager = world(lab, server, f"t{next(_numbers)}", tmp_path, http_port=http_port)
        open_worlds.append(manager)
        return manager.__enter__()

    yield make
    for manager in open_worlds:
        manager.__exit__(None, None, None)


@pytest.fixture
def here(worlds: Callable[[], World]) -> World:
    """A world with no controller yet."""
    return worlds()
