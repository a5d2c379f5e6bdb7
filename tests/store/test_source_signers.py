"""Sources that say who has to have signed: what nobody has verified is neither declared nor takes anything back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from controller.cli import main
from reconcilers.outcomes import ConflictError
from reconcilers.source import wanted_of
from reconcilers.sources import Declared, SourceError
from specs.snapshots import SourceSnapshot
from tests.git_server import GitServer
from tests.sources.test_signatures import line, ssh_key, with_ssh
from tests.store.conftest import Database, Tenant
from tests.store.test_sources import adapter, add, app, apps, names, prunes, sync, wanted

pytestmark = pytest.mark.anyio


@pytest.fixture
def git(tmp_path: Path) -> Iterator[GitServer]:
    git = GitServer(tmp_path / "git")
    yield git
    git.close()


def asks_for(database: Database, row: str, *lines: str) -> None:
    document = json.dumps({"ssh": lines})
    database.execute("UPDATE paas_sources SET verify = %s WHERE id = %s", document, row, role="panel")


async def test_what_nobody_listed_has_signed_changes_nothing(
    database: Database, tenant: Tenant, git: GitServer, tmp_path: Path
) -> None:
    key, eve = ssh_key(tmp_path, "ada"), ssh_key(tmp_path, "eve")
    with_ssh(git, key)
    git.commit({"a.yaml": app("blog", "Blog"), "b.yaml": app("wiki")})
    row = add(database, tenant, git.url)
    prunes(database, row)
    asks_for(database, row, line(key))
    async with adapter(database, git, tmp_path) as (sources, _):
        now = wanted(database, row)
        commit = await sources.fetch(now)
        with pytest.raises(ConflictError, match="nobody has looked who signed"):
            await sources.declare(now, commit)
        assert (await sources.verify(now, commit)).startswith("ada@acme.example (SHA256:")
        assert await sources.declare(now, commit) == Declared(2, 2)
        database.execute("UPDATE paas_apps SET name = 'by hand' WHERE slug = 'blog'", role="panel")
        for signs in ({}, {"gpg.format": "ssh", "user.signingkey": str(eve)}):
            git.signs = signs
            git.commit({"a.yaml": app("blog", f"Other {len(signs)}"), "b.yaml": f"# {len(signs)}"})
            commit = await sources.fetch(now)
            with pytest.raises(SourceError):
                await sources.verify(now, commit)
            with pytest.raises(ConflictError):
                await sources.declare(now, commit)
            assert names(database) == ["acme/blog", "acme/wiki"]
            assert apps(database)["blog"] == "by hand", "what is not verified takes nothing back, either"
        with_ssh(git, key)
        git.commit({"c": ""})
        commit = await sources.fetch(now)
        await sources.verify(now, commit)
        asks_for(database, row, line(eve))
        with pytest.raises(ConflictError):
            await sources.declare(wanted(database, row), commit)
    assert apps(database)["blog"] == "by hand", "it was verified for others"


async def test_the_keys_are_spec_and_come_back_as_they_were_written(
    database: Database, tenant: Tenant, git: GitServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    signer = line(ssh_key(tmp_path, "ada"))
    spec = (
        "apiVersion: skypanel.io/v1\nkind: Source\nmetadata: {name: main, organization: acme}\nspec:\n"
        f"  repository: {git.url}\n  verify:\n    ssh: ['{signer}']\n"
    )
    (tmp_path / "source.yaml").write_text(spec)
    monkeypatch.setenv("DATABASE_URL", database.dsn("panel"))
    assert main(["apply", "-f", str(tmp_path / "source.yaml")]) == 0
    assert main(["apply", "-f", str(tmp_path / "source.yaml")]) == 0
    assert "unchanged" in capsys.readouterr().out
    row = database.one("SELECT id::text FROM paas_sources")
    verify = wanted(database, row).verify
    assert verify is not None
    assert verify.ssh == (signer,)
    assert main(["export", "-n", "acme"]) == 0
    assert signer in " ".join(capsys.readouterr().out.split())
    (tmp_path / "source.yaml").write_text(spec.replace(f"repository: {git.url}", "directory: specs"))
    assert main(["apply", "-f", str(tmp_path / "source.yaml")]) != 0
    assert "has signers and no repository" in capsys.readouterr().err


async def test_a_row_that_lists_nobody_or_what_is_no_key_is_refused_and_never_taken_for_none(
    database: Database, tenant: Tenant, git: GitServer
) -> None:
    row = add(database, tenant, git.url)
    for document in ("{}", "[]", '"x"', '{"x": []}', json.dumps({"ssh": ["x" * 90_000]})):
        with pytest.raises(psycopg.errors.CheckViolation):
            database.execute("UPDATE paas_sources SET verify = %s WHERE id = %s", document, row, role="panel")
    for document in ('{"ssh": []}', '{"ssh": ["* ssh-ed25519 AAAA"]}', '{"ssh": "all"}', '{"openpgp": ["--import"]}'):
        database.execute("UPDATE paas_sources SET verify = %s WHERE id = %s", document, row, role="panel")
        found = database.one("SELECT doc FROM skypanel.snapshot_source WHERE id = %s", row, role="controller")
        with pytest.raises(ValueError, match="verify"):
            wanted_of(SourceSnapshot.model_validate(found))
    with pytest.raises(psycopg.errors.CheckViolation):
        database.execute("UPDATE paas_sources SET repo_url = NULL, directory = 'x' WHERE id = %s", row, role="panel")


async def test_who_asks_for_no_signature_declares_as_ever(
    database: Database, tenant: Tenant, git: GitServer, tmp_path: Path
) -> None:
    git.commit({"a.yaml": app("blog")})
    row = add(database, tenant, git.url)
    async with adapter(database, git, tmp_path) as (sources, _):
        assert await sync(database, sources, row) == Declared(1, 1)
