"""One engine with an edge, one PostgreSQL, for all end-to-end tests; a world of its own for each."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy import engine, traefik
from deploy.engine import Lab
from deploy.postgres import Server, ensure
from tests.e2e.world import World, free_port, world

NAME = "e2e"
IMAGES = ["web", "pause", "traefik", "socket-proxy"]
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def http_port() -> int:
    """The host's port that leads to the edge."""
    return free_port()


@pytest.fixture(scope="session")
def lab(http_port: int) -> Iterator[Lab]:
    """One node with the edge on it."""
    engine.down(NAME)
    lab = engine.up(NAME, images=IMAGES, forwards=[f"{http_port}:80"])
    traefik.deploy(lab.api())
    yield lab
    engine.down(NAME)


@pytest.fixture(scope="session")
def server() -> Server:
    """PostgreSQL."""
    return ensure(NAME, durable=False)


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
