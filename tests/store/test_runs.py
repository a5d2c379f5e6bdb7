"""Runs on a real database: made once, never changed, never let begin twice, counted, and let go."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg import errors

from controller.cli.errors import ExitCode
from controller.records import Key
from reconcilers.outcomes import TransientError
from specs.runs import RunSnapshot
from tests.store import leading
from tests.store.conftest import Database, Tenant
from tests.store.test_config_cli import path
from tests.store.test_quotas import allow, refused, used
from tests.store.test_releases_cli import Run, make, run

__all__ = ["run"]
pytestmark = pytest.mark.anyio
RECORDS = "paas_run_records"


def made(database: Database, tenant: Tenant, **columns: Any) -> UUID:
    """A run as the panel writes it; its id."""
    values: dict[str, Any] = {"command": ["ls"], **columns}
    with database.connect("panel") as conn:
        query = psycopg.sql.SQL("INSERT INTO paas_runs (environment_id, {}) VALUES ({}) RETURNING id").format(
            psycopg.sql.SQL(", ").join(map(psycopg.sql.Identifier, values)),
            psycopg.sql.SQL(", ").join(psycopg.sql.Placeholder() * (len(values) + 1)),
        )
        row = conn.execute(query, [tenant.environment, *values.values()]).fetchone()
    assert row is not None
    found: UUID = row[0]
    return found


@pytest.mark.parametrize(
    "change",
    [
        "command = '{rm}'", "name = 'other'", "timeout_seconds = 1", "release = 1", "stopped = false",
        "deleted_at = NULL",
    ],
)  # fmt: skip
def test_it_is_made_once_and_not_changed(database: Database, tenant: Tenant, change: str) -> None:
    one = made(database, tenant)
    with database.connect("panel") as conn:
        conn.execute("UPDATE paas_runs SET stopped = true, deleted_at = now() WHERE id = %s", [one])
        with pytest.raises((errors.CheckViolation, errors.ForeignKeyViolation)) as error:
            conn.execute(psycopg.sql.SQL("UPDATE paas_runs SET " + change + " WHERE id = %s"), [one])
    assert error.value.diag.constraint_name in ("paas_runs_made_once", "paas_runs_release_there")
    assert database.one("SELECT status FROM paas_runs WHERE id = %s", one) == "cancelled"


def test_a_release_that_is_not_there_is_refused(database: Database, tenant: Tenant) -> None:
    with pytest.raises(errors.CheckViolation, match="has no release 7"):
        made(database, tenant, release=7)


async def test_what_began_is_not_let_begin_again_and_what_is_over_stays(database: Database, tenant: Tenant) -> None:
    one = {"run_id": str(made(database, tenant))}
    async with leading.leader(database) as process:
        await process.store.write_row(RECORDS, one, {"service_id": "first", "begun_at": "2026-11-28T09:00:00+00:00"})
        await process.store.write_row(RECORDS, one, {"service_id": "first", "started_at": "2026-11-28T09:00:01+00:00"})
        assert database.one("SELECT status FROM paas_runs") == "running"
        with pytest.raises(TransientError):
            await process.store.write_row(RECORDS, one, {"service_id": "second"})
        ended = {"outcome": "failed", "exit_code": 3, "finished_at": "2026-11-28T09:01:00+00:00"}
        await process.store.write_row(RECORDS, one, ended)
        await process.store.write_row(RECORDS, one, ended)
        with pytest.raises(TransientError):
            await process.store.write_row(RECORDS, one, {"outcome": "succeeded"})
    shown = database.execute("SELECT status, finished_at - started_at = interval '59 s' FROM paas_runs")
    assert shown == [("failed", True)]
    assert database.execute("SELECT service_id, outcome, exit_code FROM paas_run_records") == [("first", "failed", 3)]


async def test_its_document_is_its_environment_in_the_release_that_serves(database: Database, tenant: Tenant) -> None:
    database.execute("UPDATE paas_environments SET image_ref = 'web:1', cmd = '{serve}'")
    await make(database, tenant)
    database.execute("UPDATE paas_environments SET image_ref = 'web:2', cmd = '{other}'")
    await make(database, tenant, deployed=False)
    one, other = made(database, tenant), made(database, tenant, release=2)
    async with leading.leader(database) as process:
        for key, image, version in ((one, "web:1", 1), (other, "web:2", 2)):
            loaded = await process.store.load(Key("run", str(key)))
            snapshot = RunSnapshot.model_validate(loaded.document)
            assert snapshot.released is not None
            found = snapshot.as_process(snapshot.in_environment())
            assert (found.image_ref, snapshot.released.version) == (image, version)
            (process_,) = found.effective_processes()
            assert (process_.type, process_.command, process_.args, found.of_run) == ("run", ("ls",), None, key)
        await process.store.write_row(RECORDS, {"run_id": str(one)}, {"outcome": "unknown"})
        loaded = await process.store.load(Key("run", str(one)))
        assert loaded.document is not None
        assert loaded.document["environment"].keys() == {"id", "name"}, "what is over needs no more"


def test_it_counts_as_a_task_until_it_is_over(database: Database, tenant: Tenant) -> None:
    before = used(database, tenant)
    allow(database, tenant, tasks=int(before["tasks"]) + 1)
    one = made(database, tenant)
    assert used(database, tenant)["tasks"] == before["tasks"] + 1
    assert used(database, tenant)["memory_mb"] > before["memory_mb"]
    with database.connect("panel") as conn:
        query = "INSERT INTO paas_runs (environment_id, command) VALUES (%s, '{ls}')"
        assert "tasks" in refused(conn, query, tenant.environment)
    database.execute(
        "INSERT INTO paas_run_records (run_id, outcome, finished_at) VALUES (%s, 'succeeded', now())", one,
        role="controller",
    )  # fmt: skip
    assert used(database, tenant) == before


def test_what_is_over_is_let_go_by_age_and_number(database: Database, tenant: Tenant) -> None:
    runs = [made(database, tenant) for _ in range(4)]
    over = "INSERT INTO paas_run_records (run_id, outcome, finished_at) VALUES (%s, 'failed', now() - %s::interval)"
    for one, age in zip(runs[:3], ("40 days", "1 day", "1 day"), strict=True):
        database.execute(over, one, age, role="controller")
    assert database.one("SELECT skypanel.prune_ended(30, 100)", role="controller") == 1
    assert database.one("SELECT skypanel.prune_ended(30, 100, 2)", role="controller") == 1
    left = [row[0] for row in database.execute("SELECT id FROM paas_runs ORDER BY created_at")]
    assert left == runs[2:], "one that is not over stays, however many there are"


async def test_it_is_typed_listed_and_stopped(database: Database, tenant: Tenant, run: Run) -> None:
    at = path(database, 3)
    await make(database, tenant)
    said = run("run", at, "--detach", "--timeout", "10m", "--", "ls", "-l")
    name = said.split()[0]
    assert name.startswith(f"{at}/run-")
    assert "docker service logs --follow run_" in said
    (listed,) = json.loads(run("runs", at, "-o", "json"))
    assert (listed["spec"]["command"], listed["spec"]["timeout"]) == (["ls", "-l"], "10m")
    assert "from 1s to 24h" in run("run", at, "--timeout", "0s", "--", "ls", code=ExitCode.ERROR)
    assert "kind: Run" not in run("export", "all", at)
    run("delete", "run", name, "--yes")
    assert database.one("SELECT deleted_at IS NOT NULL FROM paas_runs") is True


async def test_no_file_and_no_set_has_one(database: Database, tenant: Tenant, run: Run, tmp_path: Any) -> None:
    at = path(database, 3).split("/")
    file = tmp_path / "run.yaml"
    names = f"{{name: r, environment: {at[2]}, app: {at[1]}, organization: {at[0]}}}"
    file.write_text(f"apiVersion: skypanel.io/v1\nkind: Run\nmetadata: {names}\nspec: {{command: [ls]}}\n")
    for command in ("validate", "plan", "apply"):
        assert "would do it again (use `skypanel run`)" in run(command, "-f", str(file), code=ExitCode.ERROR)
