"""One lab for all tests of this folder: a node, the images that they run, a forward to its port 80."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy import engine
from deploy.engine import Lab
from deploy.traefik import API_PORT
from tests.lab.support import NAME, free_port


@pytest.fixture(scope="session")
def lab_port() -> int:
    """The host's port that leads to port 80 of the lab's node."""
    return free_port()


@pytest.fixture(scope="session")
def api_port() -> int:
    """The host's port that leads to the edge's API on the lab's node."""
    return free_port()


@pytest.fixture(scope="session")
def lab(lab_port: int, api_port: int) -> Iterator[Lab]:
    """A lab of one node."""
    engine.down(NAME)
    forwards = [f"{lab_port}:80", f"{api_port}:{API_PORT}"]
    yield engine.up(NAME, images=["web", "pause", "traefik", "socket-proxy", "redis"], forwards=forwards)
    engine.down(NAME)


@pytest.fixture
def scratch_name() -> Iterator[str]:
    """Name of a lab that a test brings up itself; nothing of it is left afterwards."""
    engine.down("lab-scratch")
    yield "lab-scratch"
    engine.down("lab-scratch")


@pytest.fixture
def own_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state folder of the test's own."""
    monkeypatch.setenv("SKYPANEL_LAB", str(tmp_path))
    return tmp_path
