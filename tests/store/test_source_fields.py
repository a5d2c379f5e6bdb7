"""What a source declares of an object is the source's, field by field: what others change of it goes back, no more."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from controller.cli import main
from controller.postgres.tenancy import Tenancy, TenantConnection, acting
from reconcilers.sources import Declared, Taken
from tests.git_server import GitServer
from tests.store.conftest import Database, Tenant
from tests.store.test_sources import adapter, add, app, apps, environment, names, prunes, sync

pytestmark = pytest.mark.anyio


@pytest.fixture
def git(tmp_path: Path) -> Iterator[GitServer]:
    git = GitServer(tmp_path / "git")
    yield git
    git.close()


def woken(database: Database) -> int:
    """How often the source is asked to look, since this was asked last; the log is emptied."""
    return len(database.execute("DELETE FROM skypanel.change_log WHERE kind = 'source' RETURNING seq"))


def events(database: Database, kind: str, name: str) -> list[str]:
    """What happened to an object that is taken back, the oldest first."""
    rows = database.execute(
        "SELECT e.message FROM skypanel.events e JOIN skypanel.names n ON n.kind = e.kind AND n.id = e.object_id"
        " WHERE e.reason = 'TakenBack' AND n.kind = %s AND n.path = %s AND NOT n.deleted ORDER BY e.id",
        kind, name,
    )  # fmt: skip
    return [message for (message,) in rows]


def as_api(database: Database, tenancy: Tenancy, statement: str) -> None:
    """One statement as the HTTP API sends it."""
    with TenantConnection.connect(database.dsn("api"), autocommit=True) as conn, acting(conn, tenancy):
        conn.execute(statement)


async def test_a_declared_field_goes_back_and_the_object_says_from_whom(
    database: Database, tenant: Tenant, git: GitServer, tmp_path: Path
) -> None:
    commit = git.commit({"a.yaml": app("blog", "Blog")})
    row = add(database, tenant, git.url)
    async with adapter(database, git, tmp_path) as (sources, _):
        await sync(database, sources, row)
        woken(database)
        assert await sync(database, sources, row) == Declared(1, 1)
        assert woken(database) == 0, "a look of its own wakes nobody"
        ada = Tenancy(organization=tenant.organization, actor="ada", means="token")
        as_api(database, ada, "UPDATE paas_apps SET name = 'Other' WHERE slug = 'blog'")
        assert woken(database) == 1, "at once, and not after the interval"
        taken = Taken("App acme/blog", ("displayName",), "ada (token)")
        assert await sync(database, sources, row) == Declared(1, 1, taken=(taken,))
        assert woken(database) == 0
        assert apps(database)["blog"] == "Blog"
        said = f"ada (token) changed displayName: source acme/main at {commit[:19]} took it back"
        assert events(database, "app", "acme/blog") == [said]
        database.execute("UPDATE paas_apps SET name = 'Mine' WHERE slug = 'blog'", role="panel")
        await sync(database, sources, row)
        assert "(sql) changed displayName" in events(database, "app", "acme/blog")[-1]


async def test_what_files_leave_out_is_whoever_s_it_is(
    database: Database, tenant: Tenant, git: GitServer, tmp_path: Path
) -> None:
    git.commit({"a.yaml": app("blog"), "b.yaml": environment("p")})
    row = add(database, tenant, git.url)
    async with adapter(database, git, tmp_path) as (sources, _):
        await sync(database, sources, row)
        woken(database)
        left_out = (
            "instances = 4, suspended = true, port = 8081, stop_grace_seconds = 33, cmd = '{a,b}', restart_token = 'x'"
        )
        database.execute(f"UPDATE paas_environments SET {left_out} WHERE name = 'p'", role="panel")
        database.execute("UPDATE paas_apps SET name = 'Mine' WHERE slug = 'blog'", role="panel")
        assert woken(database) == 0, "nothing of it is the source's"
        of = "FROM paas_environments WHERE name = 'p'"
        asked = f"SELECT instances, suspended, port, stop_grace_seconds, cmd, restart_token {of}"
        before = database.execute(asked)
        git.commit({"b.yaml": environment("p").replace("web:1", "web:2")})
        assert await sync(database, sources, row) == Declared(2, 2)
        assert database.execute(asked) == before == [(4, True, 8081, 33, ["a", "b"], "x")]
        assert database.one(f"SELECT image_ref {of}") == "web:2"
        assert apps(database)["blog"] == "Mine"
        assert events(database, "environment", "acme/blog/p") == [], "another commit takes nothing back"


async def test_what_was_deleted_by_hand_comes_back_with_all_that_it_had(
    database: Database, tenant: Tenant, git: GitServer, tmp_path: Path
) -> None:
    git.commit({"a.yaml": app("blog"), "b.yaml": environment("p")})
    row = add(database, tenant, git.url)
    async with adapter(database, git, tmp_path) as (sources, _):
        await sync(database, sources, row)
        was = database.one("SELECT id FROM paas_environments WHERE name = 'p'")
        database.execute("UPDATE paas_environments SET port = 8080", role="panel")
        by_hand = "INSERT INTO paas_domains (environment_id, hostname) VALUES (%s, 'blog.example.com')"
        database.execute(by_hand, was, role="panel")
        woken(database)
        database.execute("UPDATE paas_environments SET deleted_at = now() WHERE name = 'p'", role="panel")
        assert woken(database) == 1
        assert (await sync(database, sources, row)).taken[0].fields == ("deletion",)
        assert database.execute("SELECT id, deleted_at FROM paas_environments WHERE name = 'p'") == [(was, None)]
        assert database.one("SELECT deleted_at FROM paas_domains") is None, "what went with it came back with it"
        assert "(sql) deleted it: source acme/main" in events(database, "environment", "acme/blog/p")[-1]
        database.execute("UPDATE paas_apps SET deleted_at = now() WHERE slug = 'blog'", role="panel")
        await sync(database, sources, row)
        assert names(database) == ["acme/blog", "acme/blog/p"]


async def test_a_row_that_is_gone_is_made_anew(
    database: Database, tenant: Tenant, git: GitServer, tmp_path: Path
) -> None:
    git.commit({"a.yaml": app("blog")})
    row = add(database, tenant, git.url)
    async with adapter(database, git, tmp_path) as (sources, _):
        await sync(database, sources, row)
        woken(database)
        database.execute("DELETE FROM paas_apps WHERE slug = 'blog'", role="panel")
        assert woken(database) == 1
        assert (await sync(database, sources, row)).taken[0].fields == ("deletion",)
        assert events(database, "app", "acme/blog")[-1].endswith("made it anew")


async def test_another_name_is_taken_back_and_nothing_is_pruned_for_it(
    database: Database, tenant: Tenant, git: GitServer, tmp_path: Path
) -> None:
    git.commit({"a.yaml": app("blog"), "b.yaml": environment("p"), "c.yaml": app("wiki")})
    row = add(database, tenant, git.url)
    prunes(database, row)
    async with adapter(database, git, tmp_path) as (sources, _):
        await sync(database, sources, row)
        was = database.one("SELECT id FROM paas_apps WHERE slug = 'blog'")
        woken(database)
        database.execute("UPDATE paas_apps SET slug = 'news' WHERE slug = 'blog'", role="panel")
        assert woken(database) == 1
        assert (await sync(database, sources, row)).taken[0].fields == ("name",)
        assert database.one("SELECT id FROM paas_apps WHERE slug = 'blog'") == was
        assert names(database) == ["acme/blog", "acme/blog/p", "acme/wiki"]
        database.execute("UPDATE paas_apps SET slug = 'wiki-old' WHERE slug = 'wiki'", role="panel")
        database.execute(
            "INSERT INTO paas_apps (organization_id, slug, name, created_by) VALUES (%s, 'wiki', 'w', %s)",
            tenant.organization, tenant.user, role="panel",
        )  # fmt: skip
        assert (await sync(database, sources, row)).pruned == 0
        assert names(database) == ["acme/blog", "acme/blog/p", "acme/wiki", "acme/wiki-old"]


async def test_who_goes_on_is_waited_for_and_named(
    database: Database, tenant: Tenant, git: GitServer, tmp_path: Path
) -> None:
    git.commit({"a.yaml": app("blog", "Blog"), "b.yaml": app("wiki", "Wiki")})
    row = add(database, tenant, git.url)
    async with adapter(database, git, tmp_path) as (sources, _):
        await sync(database, sources, row)
        woken(database)
        at_once, found = 0, Declared(0, 0)
        for time in range(10):
            database.execute("UPDATE paas_apps SET name = %s WHERE slug = 'blog'", f"no {time}", role="panel")
            at_once += woken(database)
            found = await sync(database, sources, row)
            assert apps(database)["blog"] == "Blog", "each look takes it back, however often"
        assert at_once == 3
        assert [(each.object, each.fields) for each in found.contested] == [("App acme/blog", ("displayName",))]
        database.execute("UPDATE paas_apps SET name = 'no' WHERE slug = 'wiki'", role="panel")
        assert woken(database) == 1, "others of the source are not kept waiting for one"
        database.execute("UPDATE skypanel.source_objects SET taken_back_at = now() - interval '11 minutes'")
        database.execute("UPDATE paas_apps SET name = 'no' WHERE slug = 'blog'", role="panel")
        assert woken(database) == 1, "after ten minutes of peace it is at once again"
        assert (await sync(database, sources, row)).contested == ()
        database.execute("UPDATE skypanel.source_commits SET taken_back = 20")
        database.execute("UPDATE paas_apps SET name = 'no' WHERE slug = 'wiki'", role="panel")
        assert woken(database) == 0, "many objects at once are no way to keep it busy, either"


async def test_a_source_that_could_take_nothing_back_is_not_kept_busy(
    database: Database, tenant: Tenant, git: GitServer, tmp_path: Path
) -> None:
    git.commit({"a.yaml": app("blog", "Blog")})
    row = add(database, tenant, git.url)
    async with adapter(database, git, tmp_path) as (sources, _):
        await sync(database, sources, row)
        database.execute(
            "INSERT INTO skypanel.object_status"
            " (kind, id, organization_id, observed_generation, ready, reason, message, epoch)"
            " VALUES ('source', %s, %s, 1, false, '', '', 1)",
            row, tenant.organization,
        )  # fmt: skip
        woken(database)
        database.execute("UPDATE paas_apps SET name = 'no' WHERE slug = 'blog'", role="panel")
        assert woken(database) == 0
        database.execute("UPDATE skypanel.object_status SET ready = true")
        database.execute("UPDATE paas_apps SET name = 'not' WHERE slug = 'blog'", role="panel")
        assert woken(database) == 1


async def test_a_suspended_source_leaves_changes_alone(
    database: Database, tenant: Tenant, git: GitServer, tmp_path: Path
) -> None:
    git.commit({"a.yaml": app("blog", "Blog")})
    row = add(database, tenant, git.url)
    async with adapter(database, git, tmp_path) as (sources, _):
        await sync(database, sources, row)
        database.execute("UPDATE paas_sources SET suspended = true", role="panel")
        woken(database)
        database.execute("UPDATE paas_apps SET name = 'By hand' WHERE slug = 'blog'", role="panel")
        assert woken(database) == 0
        database.execute("UPDATE paas_sources SET suspended = false", role="panel")
        assert len((await sync(database, sources, row)).taken) == 1, "what was changed meanwhile, too"


@pytest.mark.parametrize("prune", [False, True])
async def test_a_field_that_is_declared_no_longer_stays_and_goes_to_its_default_with_prune(
    database: Database, tenant: Tenant, git: GitServer, tmp_path: Path, prune: bool
) -> None:
    def declared(replicas: str) -> str:
        return environment("p").replace("plan:", f"{replicas}plan:")

    def replicas() -> Any:
        return database.one("SELECT instances FROM paas_environments WHERE name = 'p'")

    git.commit({"a.yaml": app("blog"), "b.yaml": declared("replicas: 3, ")})
    row = add(database, tenant, git.url)
    prunes(database, row, prune)
    async with adapter(database, git, tmp_path) as (sources, _):
        await sync(database, sources, row)
        assert replicas() == 3
        git.commit({"b.yaml": declared("")})
        assert (await sync(database, sources, row)).taken == ()
        assert replicas() == (1 if prune else 3)
        database.execute("UPDATE paas_environments SET instances = 7", role="panel")
        await sync(database, sources, row)
        assert replicas() == 7, "nobody's by now"


async def test_an_object_says_which_fields_are_whose(
    database: Database, tenant: Tenant, git: GitServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    commit = git.commit({"a.yaml": app("blog"), "b.yaml": environment("p")})
    row = add(database, tenant, git.url)
    async with adapter(database, git, tmp_path) as (sources, _):
        await sync(database, sources, row)
    monkeypatch.setenv("DATABASE_URL", database.dsn("reader"))
    assert main(["describe", "environment", "acme/blog/p"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert f"source acme/main at {commit}: image, plan; others may set the rest" in said
    assert main(["describe", "environment", "acme/blog/p", "-o", "json"]) == 0
    assert (
        f'"owners": [ {{ "source": "acme/main", "commit": "{commit}", "fields": [ "image", "plan" ] }} ]'
        in " ".join(capsys.readouterr().out.split())
    )


_SAID = {"replicas": "3", "port": "8080", "cpu": "0.5", "stopGracePeriod": "20s", "suspended": "true", "init": "false"}
_COLUMNS = {"replicas": "instances", "cpu": "cpu_limit", "stopGracePeriod": "stop_grace_seconds"}
_BY_HAND = {"replicas": 5, "port": 9000, "cpu": 1, "stopGracePeriod": 7, "suspended": False, "init": True}


async def test_whatever_is_declared_and_whatever_is_changed_each_field_is_its_owner_s(
    database: Database, tenant: Tenant, git: GitServer, tmp_path: Path
) -> None:
    chance = random.Random(20261128)

    def values() -> dict[str, Any]:
        columns = ", ".join(f"'{name}', {_COLUMNS.get(name, name)}" for name in _SAID)
        found = database.one(f"SELECT jsonb_build_object({columns}) FROM paas_environments WHERE name = 'p'")
        assert isinstance(found, dict)
        return found

    git.commit({"a.yaml": app("blog"), "b.yaml": environment("p")})
    row = add(database, tenant, git.url)
    async with adapter(database, git, tmp_path) as (sources, _):
        await sync(database, sources, row)
        for _ in range(25):
            declared = {name for name in _SAID if chance.random() < 0.5}
            fields = "".join(f"{name}: {_SAID[name]}, " for name in sorted(declared))
            git.commit({"b.yaml": environment("p").replace("plan:", f"{fields}plan:"), "n": str(chance.random())})
            await sync(database, sources, row)
            wanted = values()
            woken(database)
            changed = {name for name in _SAID if chance.random() < 0.3}
            for name in changed:
                column = _COLUMNS.get(name, name)
                statement = f"UPDATE paas_environments SET {column} = %s WHERE name = 'p'"
                database.execute(statement, _BY_HAND[name], role="panel")
            by_hand = values()
            database.execute("UPDATE skypanel.source_objects SET taken_back = 0")
            database.execute("UPDATE skypanel.source_commits SET taken_back = 0")
            lost = {name for name in declared if by_hand[name] != wanted[name]}
            assert bool(woken(database)) == bool(lost)
            taken = (await sync(database, sources, row)).taken
            assert {name for each in taken for name in each.fields} == lost
            assert values() == {name: (wanted if name in declared else by_hand)[name] for name in _SAID}


async def test_whoever_changes_by_hand_what_a_source_declares_is_told_that_it_will_not_last(
    database: Database, tenant: Tenant, git: GitServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    git.commit({"a.yaml": app("blog"), "b.yaml": environment("p")})
    row = add(database, tenant, git.url)
    async with adapter(database, git, tmp_path) as (sources, _):
        await sync(database, sources, row)
    monkeypatch.setenv("DATABASE_URL", database.dsn("panel"))
    warned = "source acme/main declares image of acme/blog/p, and takes it back at once"
    assert main(["deploy", "acme/blog/p", "web:9"]) == 0
    assert warned in " ".join(capsys.readouterr().err.split())
    assert main(["scale", "acme/blog/p", "web=3"]) == 0
    assert "takes it back" not in capsys.readouterr().err
    file = tmp_path / "by-hand.yaml"
    file.write_text(environment("p").replace("web:1", "web:8"))
    assert "web:8" in file.read_text()
    assert main(["apply", "-f", str(file)]) == 0
    assert warned in " ".join(capsys.readouterr().err.split())
    assert main(["delete", "env", "acme/blog/p", "--yes"]) == 0
    assert "source acme/main declares acme/blog/p, and has it be there again at once" in capsys.readouterr().err
