"""Sources on a real database and a real git server: all of a commit is declared, or nothing; and nothing of others."""

from __future__ import annotations

import base64
import io
import json
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from controller.actions.doctor.sources import checks as needed
from controller.cli import main
from controller.postgres.database import Database as Connections
from controller.settings import Settings
from controller.sources.adapter import GitSources
from controller.store.lease import Lease
from reconcilers.outcomes import ConflictError, FencedError
from reconcilers.source import wanted_of
from reconcilers.sources import Declared, SourceError, Wanted
from specs.snapshots import SourceSnapshot
from tests.git_server import GitServer
from tests.store.conftest import Database, Tenant, make_tenant

pytestmark = pytest.mark.anyio

KEYS = base64.b64encode(os.urandom(32)).decode()
Run = Callable[..., str]


@pytest.fixture
def git(tmp_path: Path) -> Iterator[GitServer]:
    git = GitServer(tmp_path / "git")
    yield git
    git.close()


def app(name: str, display: str = "", organization: str = "acme") -> str:
    """A spec file of one app."""
    spec = f"{{displayName: {display}}}" if display else "{}"
    metadata = f"{{name: {name}, organization: {organization}}}"
    return f"apiVersion: skypanel.io/v1\nkind: App\nmetadata: {metadata}\nspec: {spec}\n"


def add(database: Database, tenant: Tenant, url: str, name: str = "main", **columns: Any) -> str:
    """A source as the panel would insert it; its id."""
    row_id = database.one(
        "INSERT INTO paas_sources (organization_id, name, repo_url) VALUES (%s, %s, %s) RETURNING id::text",
        tenant.organization, name, url, role="panel",
    )  # fmt: skip
    assert isinstance(row_id, str)
    return row_id


def wanted(database: Database, row_id: str) -> Wanted:
    """The source as the reconciler asks for it."""
    doc = database.one("SELECT doc FROM skypanel.snapshot_source WHERE id = %s", row_id, role="controller")
    return wanted_of(SourceSnapshot.model_validate(doc))


@asynccontextmanager
async def adapter(
    database: Database, git: GitServer, tmp_path: Path, **settings: Any
) -> AsyncIterator[tuple[GitSources, Lease]]:
    """What a leading controller uses."""
    connections = Connections(database.dsn("controller"), connections=2)
    await connections.open()
    lease = Lease(connections, "blue", 120)  # nothing renews it, and a machine may be busy
    assert await lease.acquire()
    given = Settings(
        skypanel_api_database_url=SecretStr(database.dsn("api")),
        skypanel_keys=SecretStr(KEYS),
        **{"skypanel_source_hosts": (git.authority,), **settings},
    )
    try:
        yield GitSources(given, connections, lease, cache=tmp_path / "cache"), lease
    finally:
        await lease.release()
        await connections.close()


async def sync(database: Database, sources: GitSources, row_id: str) -> Declared:
    """One look, as the reconciler does it."""
    now = wanted(database, row_id)
    return await sources.declare(now, await sources.fetch(now))


def apps(database: Database) -> dict[str, str]:
    return dict(database.execute("SELECT slug, name FROM paas_apps WHERE deleted_at IS NULL ORDER BY slug"))


async def test_a_commit_is_declared_and_the_audit_names_it(
    database: Database, tenant: Tenant, git: GitServer, tmp_path: Path
) -> None:
    commit = git.commit({"a.yaml": app("blog", "Blog"), "b/b.yaml": app("wiki")})
    row = add(database, tenant, git.url)
    async with adapter(database, git, tmp_path) as (sources, _):
        assert await sync(database, sources, row) == Declared(2, 2)
        assert apps(database) == {"blog": "Blog", "shop": "Shop", "wiki": "wiki"}
        last = database.execute(
            "SELECT actor, means, entry ->> 'said' FROM skypanel.audit WHERE kind = 'app' ORDER BY at"
        )[-1]
        assert last[:2] == ("source acme/main", "git")
        assert json.loads(last[2])["commit"] == commit
        generations = database.execute("SELECT slug, generation FROM paas_apps ORDER BY 1")
        assert await sync(database, sources, row) == Declared(2, 2)
        assert database.execute("SELECT slug, generation FROM paas_apps ORDER BY 1") == generations
        database.execute("UPDATE paas_apps SET name = 'by hand' WHERE slug = 'blog'", role="panel")
        await sync(database, sources, row)
        assert apps(database)["blog"] == "Blog", "what git declares, git wins"
    assert wanted(database, row).name == "main"
    assert database.one("SELECT doc ->> 'applied' FROM skypanel.snapshot_source") == commit


async def test_a_bad_commit_changes_nothing(database: Database, tenant: Tenant, git: GitServer, tmp_path: Path) -> None:
    git.commit({"a.yaml": app("blog")})
    row = add(database, tenant, git.url)
    async with adapter(database, git, tmp_path) as (sources, _):
        await sync(database, sources, row)
        before = apps(database), database.one("SELECT count(*) FROM skypanel.source_objects")
        git.commit({"a.yaml": app("other"), "b.yaml": app("bad") + "---\nkind: x\n"})
        with pytest.raises(SourceError, match=r"b\.yaml:\d+:\d+") as error:
            await sync(database, sources, row)
        assert error.value.reason == "SpecRefused"
        environment = (
            "apiVersion: skypanel.io/v1\nkind: Environment\nmetadata: {name: p, app: absent, organization: acme}\n"
            "spec: {image: 'web:1', plan: nano-acme}\n"
        )
        git.commit({"b.yaml": environment})
        with pytest.raises(SourceError, match=r"b\.yaml:3:\d+: Environment acme/absent/p") as error:
            await sync(database, sources, row)
        assert error.value.reason == "SpecRefused"
        assert (apps(database), database.one("SELECT count(*) FROM skypanel.source_objects")) == before


async def test_a_source_of_one_tenant_writes_nothing_of_another(
    database: Database, tenant: Tenant, git: GitServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_tenant(database, "beta", "store")
    git.commit({"a.yaml": app("store", "Taken", "beta")})
    row = add(database, tenant, git.url)
    async with adapter(database, git, tmp_path) as (sources, _):
        with pytest.raises(SourceError, match="declares nothing else"):
            await sync(database, sources, row)
        # Also where that check had a defect: the database shows it no other organization.
        monkeypatch.setattr("controller.sources.declaring._foreign", lambda *_: ())
        with pytest.raises(SourceError, match="organization beta does not exist"):
            await sync(database, sources, row)
    assert apps(database)["store"] == "Shop"


async def test_two_sources_with_one_object_are_refused_with_both_names(
    database: Database, tenant: Tenant, git: GitServer, tmp_path: Path
) -> None:
    git.commit({"a.yaml": app("blog")})
    first, second = add(database, tenant, git.url), add(database, tenant, git.url, "second")
    async with adapter(database, git, tmp_path) as (sources, _):
        await sync(database, sources, first)
        with pytest.raises(SourceError, match=r"a\.yaml:1:1: App acme/blog: the source main declares it") as error:
            await sync(database, sources, second)
        assert error.value.reason == "ObjectTaken"
        database.execute("UPDATE paas_sources SET deleted_at = now() WHERE id = %s", first, role="panel")
        await sync(database, sources, second)
        assert database.one("SELECT count(DISTINCT source_id) FROM skypanel.source_objects") == 1
        assert "blog" in apps(database)


async def test_who_does_not_lead_writes_nothing(
    database: Database, tenant: Tenant, git: GitServer, tmp_path: Path
) -> None:
    git.commit({"a.yaml": app("blog")})
    row = add(database, tenant, git.url)
    async with adapter(database, git, tmp_path) as (sources, lease):
        commit = await sources.fetch(wanted(database, row))
        old = wanted(database, row)
        database.execute("UPDATE paas_sources SET branch = 'other' WHERE id = %s", row, role="panel")
        with pytest.raises(ConflictError):
            await sources.declare(old, commit)
        database.execute("UPDATE skypanel.lease SET epoch = epoch + 1")
        with pytest.raises(FencedError):
            await sources.declare(wanted(database, row), commit)
        assert lease.epoch
    assert "blog" not in apps(database)


async def test_a_private_host_is_not_asked(database: Database, tenant: Tenant, git: GitServer, tmp_path: Path) -> None:
    async with adapter(database, git, tmp_path) as (sources, _):
        port = git.authority.partition(":")[2]
        for number, (url, why) in enumerate(
            (
                ("https://127.0.0.1/x.git", "not a public address"),
                ("https://169.254.169.254/x.git", "not a public address"),
                (f"http://localhost:{port}/specs.git", "without TLS"),
                ("https://2130706433/x.git", "unusual spelling"),
                ("https://postgres/x.git", "local network"),
            )
        ):
            row = add(database, tenant, url, f"s{number}")
            with pytest.raises(SourceError, match=why) as error:
                await sync(database, sources, row)
            assert error.value.reason == "SourceRefused"
    assert git.asked == []


async def test_a_password_is_sealed_for_its_repository_and_goes_nowhere_else(
    database: Database, tenant: Tenant, git: GitServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    git.commit({"a.yaml": app("blog")})
    git.password = ("ada", "s3cret-not-to-be-seen")
    row = add(database, tenant, git.url)
    monkeypatch.setenv("SKYPANEL_KEYS", KEYS)
    monkeypatch.setenv("DATABASE_URL", database.dsn("panel"))
    async with adapter(database, git, tmp_path) as (sources, _):
        with pytest.raises(SourceError, match="skypanel source password acme/main"):
            await sync(database, sources, row)
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"s3cret-not-to-be-seen\n")))
        assert main(["source", "password", "acme/main", "--username", "ada"]) == 0
        said = capsys.readouterr()
        assert "(version 2)" in said.out + said.err
        assert "s3cret" not in said.out + said.err
        assert await sync(database, sources, row) == Declared(1, 1)
        database.execute("UPDATE paas_sources SET repo_url = repo_url || '/x' WHERE id = %s", row, role="panel")
        asked = len(git.asked)
        with pytest.raises(SourceError, match="cannot be opened") as error:
            await sync(database, sources, row)
        assert (error.value.reason, len(git.asked)) == ("PasswordUnreadable", asked)


async def test_a_folder_of_the_organization_is_declared(
    database: Database, tenant: Tenant, git: GitServer, tmp_path: Path
) -> None:
    (tmp_path / "root" / "acme" / "specs").mkdir(parents=True)
    (tmp_path / "root" / "acme" / "specs" / "a.yaml").write_text(app("blog"))
    row = database.one(
        "INSERT INTO paas_sources (organization_id, name, directory) VALUES (%s, 'here', 'specs') RETURNING id::text",
        tenant.organization, role="panel",
    )  # fmt: skip
    async with adapter(database, git, tmp_path, skypanel_source_root=tmp_path / "root") as (sources, _):
        assert await sync(database, sources, row) == Declared(1, 1)
    async with adapter(database, git, tmp_path) as (sources, _):
        with pytest.raises(SourceError, match="SKYPANEL_SOURCE_ROOT"):
            await sync(database, sources, row)
    assert "blog" in apps(database)


def environment(name: str, of: str = "blog") -> str:
    """A spec file of one environment."""
    metadata = f"{{name: {name}, app: {of}, organization: acme}}"
    spec = "{image: 'web:1', plan: nano-acme}"
    return f"apiVersion: skypanel.io/v1\nkind: Environment\nmetadata: {metadata}\nspec: {spec}\n"


def names(database: Database) -> list[str]:
    """All apps and environments that are not deleted, but for those of the fixture."""
    rows = database.execute(
        "SELECT path FROM skypanel.names WHERE kind IN ('app', 'environment') AND NOT deleted ORDER BY path"
    )
    return [path for (path,) in rows if not path.startswith("acme/shop")]


def prunes(database: Database, row: str, prune: bool = True) -> None:
    database.execute("UPDATE paas_sources SET prune = %s WHERE id = %s", prune, row, role="panel")


async def test_what_is_declared_no_longer_is_deleted_where_the_source_says_so(
    database: Database, tenant: Tenant, git: GitServer, tmp_path: Path
) -> None:
    git.commit({"a.yaml": app("blog"), "b.yaml": app("wiki"), "c.yaml": app("kept")})
    row = add(database, tenant, git.url)
    async with adapter(database, git, tmp_path) as (sources, _):
        await sync(database, sources, row)
        git.commit({"c.yaml": None})
        assert await sync(database, sources, row) == Declared(2, 2)
        prunes(database, row)
        assert await sync(database, sources, row) == Declared(2, 2)
        git.commit({"b.yaml": None})
        assert await sync(database, sources, row) == Declared(1, 1, 1)
        assert await sync(database, sources, row) == Declared(1, 1)
    assert names(database) == ["acme/blog", "acme/kept"], "what was left before it pruned is nobody's, and stays"
    entry = database.execute("SELECT actor, did FROM skypanel.audit WHERE path = 'acme/wiki' ORDER BY at")[-1]
    assert entry[0] == "source acme/main"


async def test_nothing_is_deleted_for_a_commit_that_is_wrong_empty_or_not_read(
    database: Database, tenant: Tenant, git: GitServer, tmp_path: Path
) -> None:
    git.commit({"a.yaml": app("blog"), "b.yaml": app("wiki")})
    row = add(database, tenant, git.url)
    prunes(database, row)
    async with adapter(database, git, tmp_path) as (sources, lease):
        await sync(database, sources, row)
        wrong = "apiVersion: skypanel.io/v1\nkind: App\nmetadata: {name: x, organization: acme}\nspec: {colour: x}\n"
        for files, reason in (
            ({"b.yaml": None, "c.yaml": wrong}, "SpecRefused"),
            ({"c.yaml": environment("p", "absent")}, "SpecRefused"),
            ({"c.yaml": None, "a.yaml": None, "README.md": "empty"}, "FilesRefused"),
            ({"a.yaml": "# nothing\n"}, "SpecRefused"),
        ):
            git.commit(files)
            with pytest.raises(SourceError) as error:
                await sync(database, sources, row)
            assert error.value.reason == reason
            assert names(database) == ["acme/blog", "acme/wiki"]
        git.git("update-ref", "-d", "refs/heads/main", at=git.bare)
        with pytest.raises(SourceError, match="branch main"):
            await sync(database, sources, row)
        git.commit({"a.yaml": app("blog")})
        commit = await sources.fetch(wanted(database, row))
        database.execute("UPDATE skypanel.lease SET epoch = epoch + 1")
        with pytest.raises(FencedError):
            await sources.declare(wanted(database, row), commit)
        assert lease.epoch
    assert names(database) == ["acme/blog", "acme/wiki"]


async def test_what_has_something_declared_below_it_is_not_deleted(
    database: Database, tenant: Tenant, git: GitServer, tmp_path: Path
) -> None:
    git.commit({"one/a.yaml": app("blog"), "one/b.yaml": environment("p"), "two/a.yaml": environment("q")})
    first, second = add(database, tenant, git.url), add(database, tenant, git.url, "second")
    database.execute("UPDATE paas_sources SET prune = true, path = CASE name WHEN 'main' THEN 'one' ELSE 'two' END")
    async with adapter(database, git, tmp_path) as (sources, _):
        await sync(database, sources, first)
        await sync(database, sources, second)
        git.commit({"one/a.yaml": None})
        assert await sync(database, sources, first) == Declared(1, 1), "its own environment is still declared"
        git.commit({"one/a.yaml": app("blog")})
        await sync(database, sources, first)
        git.commit({"one/a.yaml": app("other"), "one/b.yaml": None})
        assert await sync(database, sources, first) == Declared(1, 1, 1), "the app has an environment of another source"
    assert names(database) == ["acme/blog", "acme/blog/q", "acme/other"]


async def test_an_object_changes_hands_and_is_neither_deleted_nor_made_anew(
    database: Database, tenant: Tenant, git: GitServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    git.commit({"one/a.yaml": app("blog"), "one/b.yaml": app("wiki"), "two/a.yaml": app("news")})
    first, second = add(database, tenant, git.url), add(database, tenant, git.url, "second")
    database.execute("UPDATE paas_sources SET prune = true, path = CASE name WHEN 'main' THEN 'one' ELSE 'two' END")
    async with adapter(database, git, tmp_path) as (sources, _):
        await sync(database, sources, first)
        await sync(database, sources, second)
        before = database.one("SELECT id FROM paas_apps WHERE slug = 'wiki'")
        git.commit({"two/b.yaml": app("wiki")})
        with pytest.raises(SourceError, match="the source main declares it"):
            await sync(database, sources, second)
        git.commit({"one/b.yaml": None})
        assert await sync(database, sources, first) == Declared(1, 1)
        assert await sync(database, sources, second) == Declared(2, 2)
        assert database.execute("SELECT id, deleted_at FROM paas_apps WHERE slug = 'wiki'") == [(before, None)]
        assert database.one("SELECT count(*) FROM skypanel.source_claims") == 0
        commit = git.git("rev-parse", "HEAD")
        monkeypatch.setenv("DATABASE_URL", database.dsn("reader"))
        assert main(["describe", "app", "acme/wiki"]) == 0
        assert f"source acme/second at {commit}" in " ".join(capsys.readouterr().out.split())
        git.commit({"two/b.yaml": None})
        assert await sync(database, sources, second) == Declared(1, 1, 1)
    assert names(database) == ["acme/blog", "acme/news"]


async def test_a_source_may_be_the_first_thing_that_is_declared_of_an_organization(
    database: Database, tenant: Tenant, git: GitServer, tmp_path: Path
) -> None:
    home = database.one(
        "INSERT INTO organizations (name, slug, owner_id) VALUES ('New', 'new', %s) RETURNING id", tenant.user
    )
    git.commit({"a.yaml": app("first", organization="new")})
    row = database.one(
        "INSERT INTO paas_sources (organization_id, name, repo_url) VALUES (%s, 'main', %s) RETURNING id::text",
        home, git.url, role="panel",
    )  # fmt: skip
    assert database.one("SELECT NOT deleted FROM skypanel.objects WHERE kind = 'source' AND id = %s", row)
    async with adapter(database, git, tmp_path) as (sources, _):
        assert await sync(database, sources, row) == Declared(1, 1)
    assert "new/first" in names(database)
    database.execute("UPDATE paas_organizations SET deleted_at = now() WHERE organization_id = %s", home)
    assert database.one("SELECT deleted FROM skypanel.snapshot_source WHERE id = %s", row)


def test_doctor_looks_for_the_programs_that_sources_need(
    database: Database, tenant: Tenant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with database.connect("panel") as panel:
        assert list(needed(panel)) == []
        row = add(database, tenant, "https://git.example.com/specs.git")
        (git_,) = needed(panel)
        assert (git_.name, git_.level) == ("git", "ok")
        database.execute(
            "UPDATE paas_sources SET verify = %s WHERE id = %s",
            json.dumps({"ssh": ["a ssh-ed25519 A"]}),
            row,
            role="panel",
        )
        assert [check.name for check in needed(panel)] == ["git", "ssh-keygen"]
        monkeypatch.setenv("PATH", str(tmp_path))
        assert [(check.name, check.level) for check in needed(panel)] == [("git", "fail"), ("ssh-keygen", "fail")]
        old = tmp_path / "git"
        old.write_text("#!/bin/sh\necho git version 2.30.2\n")
        old.chmod(0o755)
        assert "2.30.2 is too old" in next(iter(needed(panel))).message
        database.execute("UPDATE paas_sources SET suspended = true", role="panel")
        assert list(needed(panel)) == []
