"""What docs/gitops.md has its readers type, on a real database, a real git server and a real look."""

from __future__ import annotations

import io
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import anyio
import pyrage
import pytest

from controller.cli import main
from controller.cli.errors import ExitCode
from reconcilers.sources import SourceError
from tests.docs.blocks import blocks
from tests.git_server import GitServer
from tests.sources.ssh_server import SshServer
from tests.store.conftest import Database, Tenant
from tests.store.test_sources import KEYS, adapter, add, app, sync

pytestmark = pytest.mark.anyio
PAGE = "docs/gitops.md"
SECRETS = """\
apiVersion: skypanel.io/v1
kind: ConfigVars
metadata: {organization: acme, app: blog}
spec: {variables: {DB_PASSWORD: s3cret}}
"""


@pytest.fixture
def git(tmp_path: Path) -> Iterator[GitServer]:
    git = GitServer(tmp_path / "git")
    yield git
    git.close()


def _typed(heading: str) -> list[str]:
    (block,) = (block for block in blocks(PAGE, heading) if block.language == "sh")
    return block.text.strip().splitlines()


def _encrypt(line: str, folder: Path) -> None:
    words = shlex.split(line)
    env = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "HOME": str(folder)}
    subprocess.run([words[0], "--disable-version-check", *words[1:]], cwd=folder, env=env, check=True)


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
    made, key, sops = _typed("Encrypted files")
    identity = pyrage.x25519.Identity.generate()
    assert made == "age-keygen -o keys.txt"
    (tmp_path / "keys.txt").write_text(f"# public key: {identity.to_public()}\n{identity}\n")
    assert main(shlex.split(key)[1:]) == ExitCode.OK
    recipient = capsys.readouterr().out.split()[-1]
    (tmp_path / "secrets.yaml").write_text(SECRETS)
    _encrypt(sops.replace("RECIPIENT", recipient), tmp_path)
    git.commit({"production/secrets.yaml": (tmp_path / "secrets.yaml").read_text()})
    async with adapter(database, git, tmp_path) as (sources, _):
        assert (await sync(database, sources, row)).variables == 1
    assert main(["validate", "--age-key", "keys.txt", "secrets.yaml"]) == ExitCode.OK
    assert main(["validate", "secrets.yaml"]) == ExitCode.OK
    assert "its values were not checked" in capsys.readouterr().err
    assert "acme/main" in said["get sources"]
    assert "path" in said["describe source"]


async def test_a_repository_over_ssh_is_read_as_the_page_says(
    database: Database, tenant: Tenant, git: GitServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    (typed,) = (block for block in blocks(PAGE, "Over SSH") if block.language == "sh")
    git.commit({"blog.yaml": app("blog")})
    ssh = SshServer(tmp_path / "ssh")
    try:
        row = add(database, tenant, ssh.url(git.bare))
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("SKYPANEL_KEYS", KEYS)
        monkeypatch.setenv("DATABASE_URL", database.dsn("panel"))
        make, command = typed.text.strip().splitlines()
        await anyio.run_process(shlex.split(make))
        ssh.let_in(tmp_path / "deploy.pub")
        (tmp_path / "known").write_bytes(ssh.known)
        assert main(shlex.split(command)[1:]) == ExitCode.OK
        said = "".join(capsys.readouterr())
        assert "deploy key set (version 2)" in said
        assert main(["source", "password", "acme/main", "--username", "git", "--from", "known"]) != ExitCode.OK
        allowed = (f"127.0.0.1:{ssh.port}",)
        async with adapter(database, git, tmp_path, skypanel_source_hosts=allowed) as (sources, _):
            assert (await sync(database, sources, row)).objects == 1
        async with adapter(database, git, tmp_path) as (sources, _):
            with pytest.raises(SourceError, match="is not a host that may be asked"):
                await sync(database, sources, row)
        everything = str(database.execute("SELECT s::text FROM paas_sources s")) + str(
            database.execute("SELECT entry::text FROM skypanel.audit")
        )
        assert "PRIVATE KEY" not in everything + said
    finally:
        ssh.close()
