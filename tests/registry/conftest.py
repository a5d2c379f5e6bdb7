"""Registries that run on this machine, and the client that asks them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from blockbuster import blockbuster_ctx

from tests.registry.internet import Authority, Internet, Server, authority, listening
from tests.registry.real import RealRegistry, running


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealRegistry]:
    """One that asks for nobody."""
    with running(tmp_path_factory.mktemp("registry")) as made:
        yield made


@pytest.fixture(scope="session")
def private(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealRegistry]:
    """One that asks for a user and a password."""
    with running(tmp_path_factory.mktemp("private"), private=True) as made:
        yield made


@pytest.fixture(scope="session")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Who signs the certificates of the small internet."""
    return authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def internet(signed: Authority) -> Iterator[Internet]:
    """Names, addresses, and a registry behind them."""
    server = Server()
    with listening(signed.serving, server) as port:
        yield Internet(port, signed.trust, server)


@pytest.fixture(autouse=True)
def _no_blocking() -> Iterator[None]:
    """A call of the controller that blocks the event loop fails its test."""
    with blockbuster_ctx("controller"):
        yield
