"""What docs/gitops.md has its readers type, on a real database, a real git server and a real look."""

from __future__ import annotations

import io
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.cli import main
from controller.cli.errors import ExitCode
from tests.docs.blocks import blocks
from tests.git_server import GitServer
from tests.store.conftest import Database, Tenant
from tests.store.test_sources import KEYS, adapter, app, sync

pytestmark = pytest.mark.anyio
PAGE = "docs/gitops.md"


@pytest.fixture
def git(tmp_path: Path) -> Iterator[GitServer]:
    git = GitServer(tmp_path / "git")
    yield git
    git.close()


async def test_the_page_is_done_as_it_is_typed(
    database: Database, tenant: Tenant, git: GitServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    (spec,) = (block for block in blocks(PAGE, "Sources") if block.language == "yaml")
    (typed,) = (block for block in blocks(PAGE, "Sources") if block.language == "sh")
    text = spec.text.replace("https://git.example.com/acme/specs.git", git.url)
    (tmp_path / "source.yaml").write_text(text)
    git.commit({"production/blog.yaml": app("blog"), "elsewhere.yaml": app("no")})
    git.password = ("token", "s3cret")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SKYPANEL_KEYS", KEYS)
    monkeypatch.setenv("DATABASE_URL", database.dsn("panel"))
    said = {}
    for line in typed.text.strip().splitlines():
        words = shlex.split(line.rpartition("| ")[2])
        assert words.pop(0) == "skypanel"
        if "|" in line:
            monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"s3cret")))
        late = words[:2] == ["source", "sync"]  # no controller runs here: the request is made, and nobody answers
        code = main([*words, "--timeout", "1s"] if late else words)
        assert code == (ExitCode.NOT_READY if late else ExitCode.OK), line
        said[" ".join(words[:2])] = capsys.readouterr().out
    (typed,) = (block for block in blocks(PAGE, "Webhooks") if block.language == "sh")
    secrets = set()
    for line in typed.text.strip().splitlines():
        assert main(shlex.split(line)[1:]) == ExitCode.OK, line
        secrets.add(capsys.readouterr().out)
    assert [len(each) for each in sorted(secrets) if each.startswith("whsec_")] == [51, 51]
    assert database.one("SELECT count(*) FROM skypanel.source_hooks") == 0
    (typed,) = (block for block in blocks(PAGE, "Statuses of commits") if block.language == "sh")
    for line in typed.text.strip().splitlines():
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"t0ken")))
        assert main(shlex.split(line.rpartition("| ")[2])[1:]) == ExitCode.OK, line
    assert "/api/v1 (gitea)" in capsys.readouterr().out
    row = database.one("SELECT id::text FROM paas_sources")
    async with adapter(database, git, tmp_path) as (sources, _):
        assert (await sync(database, sources, row)).objects == 1
    assert "acme/main" in said["get sources"]
    assert "path" in said["describe source"]
