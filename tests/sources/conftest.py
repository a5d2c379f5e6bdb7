"""A git server, and what reads it as the controller does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from controller.sources.fetching import Access, Repositories
from reconcilers.sources import Wanted
from tests.git_server import GitServer

Fetch = Callable[..., str]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitServer]:
    server = GitServer(tmp_path)
    yield server
    server.close()


@pytest.fixture
def repositories(tmp_path: Path) -> Repositories:
    return Repositories(tmp_path / "cache")


def source(url: str, **fields: object) -> Wanted:
    """A source of acme's."""
    given = {
        "id": "00000000-0000-4000-8000-000000000001",
        "generation": 1,
        "organization_id": "00000000-0000-4000-8000-0000000000aa",
        "organization": "acme",
        "name": "main",
        "repository": url,
        "directory": None,
        "branch": "main",
        "tag": None,
        "commit": None,
        "path": ".",
    }
    return Wanted(**{**given, **fields})  # type: ignore[arg-type]


@pytest.fixture
def fetch(repositories: Repositories, server: GitServer) -> Fetch:
    """Fetch a source of the server, as nobody or with a password; the commit."""

    def run(*, password: str | None = None, **fields: object) -> str:
        return repositories.fetch(source(server.url, **fields), Access(("127.0.0.1",), password))

    return run
