"""A source on real parts: commits that are served, wrong or unsigned, what they drop, and what is changed by hand."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import psycopg
import pytest

from tests.e2e.world import WEB, World, eventually
from tests.git_server import GitServer
from tests.sources.forge import Forge
from tests.sources.test_signatures import line, ssh_key, with_ssh
from tests.store.test_sources import KEYS


@pytest.fixture
def git(tmp_path: Path) -> Iterator[GitServer]:
    git = GitServer(tmp_path / "git")
    yield git
    git.close()


@pytest.fixture
def forge() -> Iterator[Forge]:
    forge = Forge()
    yield forge
    forge.close()


def app(organization: str, name: str, tag: str = "1") -> str:
    """A spec file of an app with one environment and a host name."""
    top = "apiVersion: skypanel.io/v1\nkind: "
    own = f"app: {name}, organization: {organization}"
    return (
        f"{top}App\nmetadata: {{name: {name}, organization: {organization}}}\nspec: {{}}\n---\n"
        f"{top}Environment\nmetadata: {{name: production, {own}}}\n"
        f'spec: {{image: "{WEB}:{tag}", memory: 32Mi, port: 8080}}\n---\n'
        f"{top}Domain\nmetadata: {{name: {name}.{organization}.example, environment: production, {own}}}\n"
    )


def answers(here: World, host: str) -> bool:
    return here.curl(host)[0] == 200


def test_a_commit_is_served_a_bad_one_changes_nothing_and_what_is_dropped_goes(
    here: World, git: GitServer, forge: Forge, tmp_path: Path
) -> None:
    here.organization("acme")
    slug = here.slug("acme")
    here.settings |= {
        "SKYPANEL_SOURCE_HOSTS": git.authority,
        "SKYPANEL_API_DATABASE_URL": here.server.dsn_for("api", here.database),
    }
    here.settings["SKYPANEL_KEYS"] = KEYS
    here.settings["SKYPANEL_SOURCE_HOSTS"] += f",{forge.authority}"
    here.controller().start()
    git.commit({"shop.yaml": app(slug, "shop"), "blog.yaml": app(slug, "blog")})
    spec = f"apiVersion: skypanel.io/v1\nkind: Source\nmetadata: {{name: main, organization: {slug}}}\n"
    done = here.skypanel(
        "apply", "-f", "-", "--wait", stdin=f"{spec}spec: {{repository: '{git.url}', prune: true, interval: 1h}}\n"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for name in ("shop", "blog"):
        eventually(partial(answers, here, f"{name}.{slug}.example"), what=f"{name} answers")
    services = here.services()

    where = ("--forge", "gitlab", "--api", f"{forge.url}/api/v4")
    assert here.skypanel("source", "statuses", f"{slug}/main", *where, stdin="t0ken").returncode == 0
    eventually(lambda: [state for _, state in forge.states()] == ["success"], what="the forge shows the commit's state")

    git.commit({"shop.yaml": app(slug, "shop", "2") + "---\nkind: x\n"})
    said = here.skypanel("source", "sync", f"{slug}/main").stdout
    assert "SpecRefused" in said
    assert "shop.yaml:" in said
    assert here.services().keys() == services.keys()
    eventually(lambda: [state for _, state in forge.states()] == ["failed"], what="and that it was refused")

    commit = git.commit({"shop.yaml": app(slug, "shop", "2"), "blog.yaml": None})
    assert commit[:12] in here.skypanel("source", "sync", f"{slug}/main").stdout
    eventually(lambda: not [name for name in here.services() if "blog" in name], what="what is dropped goes")
    assert here.curl(f"shop.{slug}.example")[0] == 200
    eventually(lambda: here.curl(f"blog.{slug}.example")[0] == 404, what="the edge forgets it")
    audited = here.sql("SELECT actor FROM skypanel.audit WHERE kind = 'app' AND path LIKE '%/blog'")
    assert {row["actor"] for row in audited} == {f"source {slug}/main"}

    # Its interval is an hour: a webhook makes up for that.
    commit = git.commit({"blog.yaml": app(slug, "blog")})
    here.sql(
        "INSERT INTO skypanel.source_hooks (id, source_id, key_id, ciphertext)"
        " SELECT gen_random_uuid(), id, 'k', 'x' FROM paas_sources"
    )
    with psycopg.connect(here.server.dsn_for("api", here.database), autocommit=True) as api:
        (row,) = here.sql("SELECT source_id, id FROM skypanel.source_hooks")
        api.execute("SELECT skypanel.hook_delivered(%s, %s, '{}', 'GitHub woke it', true)", list(row.values()))
    eventually(partial(answers, here, f"blog.{slug}.example"), what="what was pushed is served")
    git.commit({"blog.yaml": None})
    here.skypanel("source", "sync", f"{slug}/main")

    # What others change goes back as it is changed, and what is left out stays.
    living = "WHERE deleted_at IS NULL"
    here.sql(f"UPDATE paas_environments SET image_ref = 'web:by-hand', instances = 2 {living}")
    eventually(lambda: images(here) == [f"{WEB}:2"], what="the image is the commit's again")
    here.sql(f"UPDATE paas_environments SET deleted_at = now() {living}")
    eventually(lambda: images(here) == [f"{WEB}:2"], what="what was deleted is there again")
    assert [row["instances"] for row in here.sql(f"SELECT instances FROM paas_environments {living}")] == [2]
    taken = here.sql("SELECT message FROM skypanel.events WHERE reason = 'TakenBack' ORDER BY id")
    assert [row["message"].partition(":")[0].partition(") ")[2] for row in taken] == ["changed image", "deleted it"]
    eventually(partial(answers, here, f"shop.{slug}.example"), what="shop answers again")

    key = ssh_key(tmp_path, "ada")
    verify = f"verify: {{ssh: ['{line(key)}']}}"
    here.skypanel("apply", "-f", "-", stdin=f"{spec}spec: {{repository: '{git.url}', prune: true, {verify}}}\n")
    git.commit({"shop.yaml": app(slug, "other")})
    assert "CommitUnsigned" in here.skypanel("source", "sync", f"{slug}/main").stdout
    assert images(here) == [f"{WEB}:2"]
    with_ssh(git, key)
    git.commit({"shop.yaml": app(slug, "shop", "1")})
    assert "Applied" in here.skypanel("source", "sync", f"{slug}/main").stdout
    assert images(here) == [f"{WEB}:1"]


def images(here: World) -> list[str]:
    """Of environments that are not deleted."""
    return [row["image_ref"] for row in here.sql("SELECT image_ref FROM paas_environments WHERE deleted_at IS NULL")]
