"""Releases on a real database: listed with what changed and who did it, named by a spec, counted, and let go."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from controller.cli import main
from controller.cli.errors import ExitCode
from controller.loop.releases import StoredReleases
from controller.records import Key
from reconcilers.environment.config import runs
from reconcilers.outcomes import ConflictError
from specs.releases import release_of
from specs.snapshots import EnvironmentSnapshot
from tests.store import leading
from tests.store.conftest import Database, Tenant
from tests.store.test_config_cli import path

pytestmark = pytest.mark.anyio
Run = Callable[..., str]


@pytest.fixture
def run(database: Database, tenant: Tenant, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run ``skypanel ...`` as the panel, expect an exit code, get what it printed."""

    def command(*words: str, code: int = ExitCode.OK, role: str = "panel") -> str:
        monkeypatch.setenv("DATABASE_URL", database.dsn(role))
        capsys.readouterr()
        ended = main(list(words))
        captured = capsys.readouterr()
        assert ended == code, captured.err
        return captured.out + captured.err

    return command


async def make(database: Database, tenant: Tenant, *, deployed: bool = True) -> int:
    """The release of what is declared, as the controller makes it."""
    async with leading.leader(database) as one:
        loaded = await one.store.load(Key("environment", str(tenant.environment)))
        snapshot = EnvironmentSnapshot.model_validate(loaded.document)
        release = release_of(snapshot, runs(snapshot) or "")
        made = await StoredReleases(one.store).make(str(snapshot.id), loaded.generation, release)
        if deployed:
            await one.store.release_deployed(str(snapshot.id), made.version)
    leading.run_out(database)
    return made.version


def listed(run: Run, at: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(run("releases", at, "-o", "json"))
    return found


async def test_a_release_says_what_changed_who_did_it_and_why(database: Database, tenant: Tenant, run: Run) -> None:
    at = path(database, 3)
    assert "no release yet" in run("releases", at)
    assert await make(database, tenant) == 1
    with database.connect("panel") as conn, conn.transaction():
        conn.execute("SET LOCAL skypanel.actor = 'ada@example.com'")
        conn.execute("SET LOCAL skypanel.reason = 'faster'")
        conn.execute("SET LOCAL skypanel.commit = 'c0ffee'")
        conn.execute("UPDATE paas_environments SET image_ref = 'web:2', cmd = '{serve}'")
    assert await make(database, tenant, deployed=False) == 2
    database.execute("UPDATE paas_environments SET instances = 5", role="panel")
    assert await make(database, tenant, deployed=False) == 2
    second, first = listed(run, at)
    assert (second["changed"], second["by"], second["why"], second["commit"], second["state"]) == (
        ["image", "cmd"],
        "ada@example.com",
        "faster",
        "c0ffee",
        "on its way",
    )
    assert (first["version"], first["by"], first["state"], first["newest"]) == (1, "panel", "replaced", False)
    shown = run("releases", at)
    assert "image web:2, cmd: faster (c0ffee)" in shown


async def test_rolling_back_names_the_last_one_that_ran_and_can_be_undone(
    database: Database, tenant: Tenant, run: Run
) -> None:
    at = path(database, 3)
    assert "no earlier release" in run("rollback", at, code=ExitCode.ERROR)
    await make(database, tenant)
    for image in ("web:2", "web:3"):
        database.execute("UPDATE paas_environments SET image_ref = %s", image, role="panel")
        await make(database, tenant, deployed=image != "web:2")
    said = run("rollback", at, "--reason", "it fails")
    assert "content of release 1" in said
    assert "was not looked at, as this role may not" in said, "the panel reads no documents"
    assert database.one("SELECT release FROM paas_environments") == 1
    assert await make(database, tenant) == 4
    newest = listed(run, at)[0]
    assert (newest["image"], newest["contentOf"], newest["why"]) == (listed(run, at)[-1]["image"], 1, "it fails")
    assert "runs what is declared" in run("rollback", at, "--undo")
    assert "as before" in run("rollback", at, "--undo")
    assert await make(database, tenant) == 5
    assert listed(run, at)[0]["image"] == "web:3"
    said = run("rollback", at, "9", code=ExitCode.ERROR)
    assert "has no such release" in said
    assert "skypanel releases" in said


async def test_what_only_a_release_runs_counts_for_quotas(database: Database, tenant: Tenant, run: Run) -> None:
    insert = "INSERT INTO paas_processes (environment_id, type, instances) VALUES (%s, %s, %s)"
    for name, instances in (("web", 1), ("worker", 4)):
        database.execute(insert, tenant.environment, name, instances, role="panel")
    await make(database, tenant)
    database.execute("UPDATE paas_processes SET deleted_at = now() WHERE type = 'worker'", role="panel")
    await make(database, tenant)
    database.execute("UPDATE paas_organizations SET quota_tasks = 4", role="panel")
    refused = run("rollback", path(database, 3), "1", code=ExitCode.ERROR)
    assert "5" in refused
    assert "4" in refused
    database.execute("UPDATE paas_organizations SET quota_tasks = 5", role="panel")
    run("rollback", path(database, 3), "1")
    assert database.one("SELECT used FROM skypanel.quotas WHERE quota = 'tasks'") == 5
    serving = database.execute("SELECT name FROM skypanel.serving WHERE what = 'process' ORDER BY 1")
    assert serving == [("web",), ("worker",)]
    with pytest.raises(psycopg.errors.CheckViolation):  # with what the release has beside it
        database.execute("UPDATE paas_processes SET instances = 2 WHERE type = 'web'", role="panel")


async def test_only_what_is_more_than_before_is_refused(database: Database, tenant: Tenant, run: Run) -> None:
    insert = "INSERT INTO paas_processes (environment_id, type, instances) VALUES (%s, %s, %s)"
    database.execute(insert, tenant.environment, "worker", 6, role="panel")
    await make(database, tenant)
    database.execute("UPDATE paas_organizations SET quota_tasks = 5", role="panel")
    run("rollback", path(database, 3), "1")
    run("rollback", path(database, 3), "--undo")
    database.execute("UPDATE paas_processes SET instances = 0", role="panel")
    run("rollback", path(database, 3), "1")
    for evasion in ("type = 'other'", "deleted_at = now()"):
        with pytest.raises(psycopg.errors.CheckViolation, match="tasks"):
            database.execute(f"UPDATE paas_processes SET {evasion}", role="panel")


async def test_a_release_that_cannot_run_today_is_refused(database: Database, tenant: Tenant, run: Run) -> None:
    insert = "INSERT INTO paas_processes (environment_id, type, port) VALUES (%s, %s, 80)"
    database.execute(insert, tenant.environment, "web", role="panel")
    await make(database, tenant)
    database.execute(insert, tenant.environment, "api", role="panel")
    database.execute(
        "INSERT INTO paas_domains (environment_id, hostname, process_type) VALUES (%s, 'api.example.com', 'api')",
        tenant.environment,
        role="panel",
    )
    said = run("rollback", path(database, 3), "1", code=ExitCode.ERROR, role="skypanel_owner")
    assert "is not a process of this environment in release 1" in said
    assert database.one("SELECT release FROM paas_environments") is None


async def test_an_export_of_what_was_rolled_back_is_equal_here_and_can_be_applied_elsewhere(
    database: Database, tenant: Tenant, run: Run, tmp_path: Path
) -> None:
    at = path(database, 3)
    await make(database, tenant)
    database.execute("UPDATE paas_environments SET image_ref = 'web:2'", role="panel")
    await make(database, tenant)
    run("rollback", at, "1")
    here, elsewhere = tmp_path / "here.yaml", tmp_path / "elsewhere.yaml"
    here.write_text(run("export"))
    assert f"# environment {at}: release 1: known here alone, see --elsewhere" in here.read_text()
    assert {each["action"] for each in json.loads(run("apply", "-f", str(here), "-o", "json"))} == {"unchanged"}
    elsewhere.write_text(run("export", "--elsewhere").partition("warning: ")[0])
    assert f"# environment {at}: release 1: left out, what is declared beside it would run" in elsewhere.read_text()
    assert "release: 1" in here.read_text()
    assert "release: 1\n" not in elsewhere.read_text()
    run("delete", "app", at.rpartition("/")[0])
    database.execute("DELETE FROM paas_apps", role="skypanel_owner")
    assert "created" in run("apply", "-f", str(elsewhere))


async def test_a_row_that_somebody_writes_now_is_not_waited_for(database: Database, tenant: Tenant) -> None:
    with database.connect("panel") as conn, conn.transaction():
        conn.execute("UPDATE paas_environments SET instances = 4")
        with pytest.raises(ConflictError):
            await make(database, tenant)
    leading.run_out(database)
    assert await make(database, tenant) == 1


async def test_scaling_leaves_the_word_on_who_changed_what_runs(database: Database, tenant: Tenant) -> None:
    with database.connect("panel") as conn, conn.transaction():
        conn.execute("SET LOCAL skypanel.actor = 'ada'")
        conn.execute("SET LOCAL skypanel.reason = 'faster'")
        conn.execute("UPDATE paas_environments SET image_ref = 'web:2'")
    database.execute("UPDATE paas_environments SET instances = 4, memory_mb = 64", role="panel")
    assert database.execute("SELECT changed_by, change_reason FROM paas_environments") == [("ada", "faster")]


async def test_an_app_that_moved_does_not_get_values_of_its_former_organization(
    database: Database, tenant: Tenant
) -> None:
    insert = (
        "INSERT INTO skypanel.config_vars (organization_id, name, ciphertext, key_id) VALUES (%s, 'A', '1', 'panel')"
    )
    database.execute(insert, tenant.organization, role="panel")
    await make(database, tenant)
    digest = database.one("SELECT config ->> 'digest' FROM paas_releases")
    values = "SELECT id IS NULL FROM skypanel.sealed_release_of(%s, %s, 1000000)"
    assert database.execute(values, tenant.environment, digest, role="controller") == [(False,)]
    database.execute("UPDATE skypanel.config_vars SET ciphertext = '2'", role="panel")
    assert database.execute(values, tenant.environment, digest, role="controller") == [(False,)]
    other = "11111111-1111-4111-8111-111111111111"
    database.execute(
        "INSERT INTO organizations (id, name, slug, owner_id) SELECT %s, 'Other', 'other', owner_id FROM organizations",
        other,
        role="panel",
    )
    database.execute("INSERT INTO paas_organizations (organization_id) VALUES (%s)", other, role="panel")
    database.execute("UPDATE paas_apps SET organization_id = %s", other, role="panel")
    assert database.execute(values, tenant.environment, digest, role="controller") == [(True,)]


async def test_replaced_values_stay_as_long_as_a_release_has_them(database: Database, tenant: Tenant) -> None:
    insert = (
        "INSERT INTO skypanel.config_vars (environment_id, name, ciphertext, key_id) VALUES (%s, 'A', '1', 'panel')"
    )
    database.execute(insert, tenant.environment, role="panel")
    await make(database, tenant)
    for value in ("2", "3"):
        database.execute("UPDATE skypanel.config_vars SET ciphertext = %s", value.encode(), role="panel")
    await make(database, tenant)
    assert database.one("SELECT count(*) FROM skypanel.config_history") == 2
    database.execute("UPDATE skypanel.config_history SET replaced_at = now() - interval '1 day'")
    prune = "SELECT skypanel.prune_releases('config_history', 30, 100)"
    assert database.one(prune, role="controller") == 1, "what no release has goes"
    assert database.execute("SELECT convert_from(ciphertext, 'utf8') FROM skypanel.config_history") == [("1",)]
    database.execute("UPDATE paas_releases SET created_at = now() - interval '1 year'")
    assert database.one("SELECT skypanel.prune_releases('releases', 30, 100)", role="controller") == 0
    database.execute("DELETE FROM paas_organizations", role="panel")
    assert database.one("SELECT count(*) FROM skypanel.config_history") == 0


async def test_old_releases_go_but_for_the_newest_twenty_and_what_is_named(database: Database, tenant: Tenant) -> None:
    for number in range(24):
        database.execute("UPDATE paas_environments SET image_ref = %s", f"web:{number}", role="panel")
        await make(database, tenant, deployed=False)
    database.execute("UPDATE paas_releases SET created_at = now() - interval '1 year'")
    database.execute("UPDATE paas_releases SET deployed_at = now() WHERE version IN (1, 3)")
    database.execute("UPDATE paas_environments SET release = 2", role="panel")
    assert database.one("SELECT skypanel.prune_releases('releases', 30, 100)", role="controller") == 2
    versions = [row[0] for row in database.execute("SELECT version FROM paas_releases ORDER BY 1")]
    assert versions == [2, 3, *range(5, 25)], "the last that ran stays, too"
