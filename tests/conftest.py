"""Fixtures of all tests that need a real engine or database; see `tests.labs` for how runs are kept apart."""

from __future__ import annotations

import contextlib
import gc
import os
from collections.abc import Iterator
from fcntl import LOCK_EX, LOCK_NB, LOCK_SH, flock
from pathlib import Path
from typing import IO

import pytest
from hypothesis import settings

from deploy import engine, traefik
from deploy.engine import Lab
from deploy.engine.forward import Forward
from deploy.postgres import Server, ensure
from deploy.postgres.server import lab_root, named
from tests.labs import exclusive_lab, free_port, kept

settings.register_profile("here", deadline=None)  # a busy machine is no defect; tests have a time-out of their own
settings.load_profile("here")

os.environ["SKYPANEL_ENV_FILE"] = os.devnull  # a test takes no setting of an installation on this machine

# A command freezes what it imported, as its process ends soon. Here one process runs hundreds, and whoever asks the
# collector who refers to an object (hypothesis does) would not be told of those that are frozen.
gc.freeze = lambda: None

NAME = "test"
LAB = os.environ.get("SKYPANEL_TEST_LAB", NAME)
"""Two runs at once need two labs; PostgreSQL they share."""
IMAGES = ("web", "pause", "traefik", "socket-proxy", "postgres", "redis")
EDGE_PORT = 80
API_PASSWORD = "of-the-edge-4711"
FAILURES = os.environ.get("SKYPANEL_TEST_FAILURES")
"""File to which each failure is added, for who runs many parts and reads the end."""
_IN_USE = pytest.StashKey[IO[str]]()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Add what failed, and how it ended."""
    if FAILURES and report.failed:
        told = [line for line in report.longreprtext.splitlines() if line.startswith(("E ", "tests/"))]
        with Path(FAILURES).open("a", encoding="utf-8") as file:
            file.write("\n".join([f"{report.nodeid} ({report.when}, {report.duration:.0f} s)", *told[-12:], ""]))


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """A Swarm of one node with all images and the edge; a folder may have one of its own under the same name."""
    with exclusive_lab(LAB, images=IMAGES) as running:
        traefik.deploy(running.api(), api_password=API_PASSWORD)
        yield running


@pytest.fixture(scope="session")
def http_port(lab: Lab) -> int:
    """The port of this machine that leads to the edge."""
    return _forwarded(lab, EDGE_PORT)


@pytest.fixture(scope="session")
def edge_api(lab: Lab) -> str:
    """Address of the edge's API, with user and password."""
    return f"http://skypanel:{API_PASSWORD}@127.0.0.1:{_forwarded(lab, traefik.API_PORT)}"


def _forwarded(lab: Lab, node_port: int) -> int:
    """A port of this machine that leads to one of the node."""
    present = (Forward.parse(text) for text in engine.up(lab.name).description.forwards)
    if found := next((f.host_port for f in present if f.node_port == node_port), None):
        return found
    port = free_port()
    engine.up(lab.name, forwards=[f"{port}:{node_port}"])
    return port


@pytest.fixture(scope="session")
def postgres() -> Server:
    """The tests' PostgreSQL; it has no state worth keeping, so it does not wait for the disk."""
    return ensure(NAME, durable=False)


def pytest_sessionstart(session: pytest.Session) -> None:
    """Say that this run may use the tests' PostgreSQL, which runs share."""
    with contextlib.suppress(PermissionError):  # without root no test uses it
        lab_root().mkdir(parents=True, exist_ok=True)
        handle = (lab_root() / f".pg-{NAME}.run").open("w")
        flock(handle, LOCK_SH)
        session.config.stash[_IN_USE] = handle


def pytest_sessionfinish(session: pytest.Session) -> None:
    """The last run ends the server."""
    handle = session.config.stash.get(_IN_USE, None)
    if handle is None:
        return
    with handle, contextlib.suppress(BlockingIOError):
        flock(handle, LOCK_EX | LOCK_NB)
        server = named(NAME)
        if server.exists and not kept():
            server.destroy()
