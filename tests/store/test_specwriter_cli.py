"""The commands on a real database: round trips, plans, deletion, what is held back, waiting."""

from __future__ import annotations

import io
import json
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from controller.actions.completion import names
from controller.actions.objects import reads
from controller.cli import main
from controller.cli.errors import ExitCode
from tests.store.conftest import Database

EXAMPLES = str(Path(__file__).parents[2] / "specs" / "examples")
Run = Callable[..., str]


@pytest.fixture
def run(
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """Run a command as a role, expect an exit code, get what it printed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    monkeypatch.setenv("SKYPANEL_ALLOWED_REGISTRIES", "127.0.0.1:5000")
    for email in ("ops@acme.example", "ops@globex.example"):
        database.execute("INSERT INTO users (email, password_hash, name) VALUES (%s, 'x', 'Ops')", email)

    def command(*arguments: str, code: int = ExitCode.OK, role: str = "panel", stdin: str = "") -> str:
        monkeypatch.setenv("DATABASE_URL", database.dsn(role))
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        ended = main(list(arguments))
        captured = capsys.readouterr()
        assert ended == code, captured.err
        return captured.out + captured.err

    return command


def status(database: Database, kind: str, generation_of: str, *, ready: bool, stalled: bool = False) -> None:
    """Say what the controller would say of every object of a kind."""
    conditions = [{"type": "Stalled", "status": "True", "reason": "InvalidSpec", "message": "port"}] if stalled else []
    id_column = "organization_id" if kind == "organization" else "id"
    database.execute(
        "INSERT INTO skypanel.lease (name, holder, epoch, expires_at, engine_seen_at)"
        " VALUES ('skypanel', 'one', 1, now() + interval '10 minutes', now()) ON CONFLICT DO NOTHING"
    )
    database.execute(
        f"INSERT INTO skypanel.object_status (kind, id, observed_generation, conditions, ready, reason, message, epoch)"
        f" SELECT %s, {id_column}, generation, %s::jsonb, %s, %s, 'said', 1 FROM {generation_of}"
        f" WHERE deleted_at IS NULL ON CONFLICT (kind, id) DO UPDATE"
        f" SET observed_generation = excluded.observed_generation, ready = excluded.ready",
        kind,
        json.dumps(conditions),
        ready,
        "InvalidSpec" if stalled else "Deployed",
    )


def all_ready(database: Database) -> None:
    status(database, "organization", "paas_organizations", ready=True)
    status(database, "environment", "paas_environments", ready=True)


def test_what_get_writes_apply_takes_and_finds_unchanged(run: Run) -> None:
    run("apply", "-f", EXAMPLES)
    exported = run("get", "all", "-o", "yaml")
    again = json.loads(run("apply", "-f", "-", "-o", "json", stdin=exported))
    assert len(again) == 18
    assert {entry["action"] for entry in again} == {"unchanged"}


def test_an_export_makes_the_same_on_an_empty_platform(run: Run) -> None:
    run("apply", "-f", EXAMPLES)
    exported = run("get", "all", "-n", "acme", "-o", "yaml")
    run("delete", "org", "acme")
    run("apply", "-f", "-", stdin=exported)
    assert run("get", "all", "-n", "acme", "-o", "yaml") == exported


def test_an_export_is_what_plan_finds_equal_and_says_what_is_not_in_it(run: Run) -> None:
    run("apply", "-f", EXAMPLES)
    exported = run("export")
    assert exported.startswith("# Not exported: config vars and secrets")
    assert "nothing would change" in run("plan", "-f", "-", stdin=exported)
    assert exported.index("kind: Plan") < exported.index("kind: App") < exported.index("kind: Environment")
    assert not [word for word in ("generation", "createdAt", "status:") if word in exported]
    assert "globex" not in run("export", "-n", "acme")
    assert run("export", "env", "acme/shop").count("kind: ") == 1
    assert "warning: nothing is declared" in run("export", "-n", "nobody", "apps")


def test_what_is_being_deleted_is_not_exported(run: Run) -> None:
    run("apply", "-f", EXAMPLES)
    run("delete", "app", "acme/shop")
    assert "hello" in run("export", "all", "acme")
    assert "shop" not in run("export", "all", "acme")


def test_a_row_that_no_file_may_declare_is_left_out_with_all_below_it_and_said(run: Run, database: Database) -> None:
    run("apply", "-f", EXAMPLES)
    database.execute("ALTER TABLE paas_environments DROP CONSTRAINT paas_environments_image_ref_bounded")
    database.execute("UPDATE paas_environments SET image_ref = 'UPPER/x' WHERE swarm_name LIKE 'acme-shop%'")
    exported = run("export", code=ExitCode.ERROR)
    assert "error: left out with all below it: environment acme/shop/production: spec.image" in exported
    assert "shop.localhost" not in exported
    assert exported.count("left out") == 1


def test_a_database_that_is_newer_than_the_program_is_read_and_not_written(run: Run, database: Database) -> None:
    run("apply", "-f", EXAMPLES)
    database.execute("INSERT INTO skypanel.schema_migrations (version, name, checksum) VALUES (900, 'later', 'x')")
    for command in (["apply", "-f", EXAMPLES], ["plan", "-f", EXAMPLES], ["delete", "org", "acme", "--yes"]):
        assert "0900_later, which this version lacks" in run(*command, code=ExitCode.ERROR)
    assert "acme/shop/production" in run("get", "env")
    run("pause", "env", "acme/shop/production")


def test_a_path_chooses_one_or_all_below_it(run: Run) -> None:
    run("apply", "-f", EXAMPLES)
    assert json.loads(run("get", "env", "acme/shop/production", "-o", "json"))["metadata"]["app"] == "shop"
    assert len(json.loads(run("get", "env", "acme", "-o", "json"))) == 3
    assert json.loads(run("get", "domain", "hello.localhost", "-o", "json"))["spec"] == {"process": "web"}
    assert "there is no environment" in run("get", "env", "acme/shop/nope", code=ExitCode.ERROR)


def test_a_status_of_an_older_generation_says_nothing_of_this_one(run: Run, database: Database) -> None:
    run("apply", "-f", EXAMPLES)
    all_ready(database)
    assert json.loads(run("get", "env", "acme/hello/production", "-o", "json"))["status"]["ready"] is True
    database.execute("UPDATE paas_environments SET instances = 5 WHERE swarm_name LIKE 'acme-hello%%'")
    found = json.loads(run("get", "env", "acme/hello/production", "-o", "json"))["status"]
    assert (found["ready"], found["reason"]) == (False, "Pending")


def test_an_app_is_as_its_environments_are(run: Run, database: Database) -> None:
    run("apply", "-f", EXAMPLES)
    all_ready(database)
    assert json.loads(run("get", "app", "acme/shop", "-o", "json"))["status"]["ready"] is True
    database.execute("UPDATE paas_environments SET suspended = true")
    assert json.loads(run("get", "app", "acme/shop", "-o", "json"))["status"]["ready"] is False


def test_a_finished_deletion_is_hidden_unless_asked_for(run: Run, database: Database) -> None:
    run("apply", "-f", EXAMPLES)
    run("delete", "env", "acme/hello/production")
    assert "Deleting" in run("get", "env", "acme/hello")
    database.execute(
        "INSERT INTO skypanel.object_status"
        " (kind, id, observed_generation, ready, reason, message, epoch, finalized_at)"
        " SELECT 'environment', id, generation, false, 'Deleted', 'gone', 1, now() FROM paas_environments"
        " WHERE deleted_at IS NOT NULL"
    )
    assert "no environment is declared" in run("get", "env", "acme/hello")
    assert "Deleted" in run("get", "env", "acme/hello", "--all")
    assert "no domain" in run("get", "domain", "hello.localhost", code=ExitCode.ERROR)


def test_a_whole_app_is_got_as_a_file_that_apply_takes(run: Run) -> None:
    run("apply", EXAMPLES)
    whole = run("get", "all", "acme/shop", "-o", "yaml")
    assert whole.count("kind: App") == 1
    assert "app: hello" not in whole
    assert "kind: Process" in whole
    assert "unchanged" in run("apply", "-f", "-", stdin=whole)
    assert "there is nothing acme/none" in run("get", "all", "acme/none", code=ExitCode.ERROR)


def test_names_are_what_every_command_takes(run: Run) -> None:
    run("apply", EXAMPLES)
    names = run("get", "all", "-o", "name").split()
    assert {"organization/acme", "environment/acme/hello/production", "domain/hello.localhost", "plan/nano"} <= set(
        names
    )
    for name in names:
        assert name.partition("/")[2].rpartition("/")[2] in run("describe", name)


def test_a_wide_list_has_more_columns(run: Run) -> None:
    run("apply", EXAMPLES)
    assert "GENERATION" not in run("get", "env")
    assert "GENERATION" in run("get", "env", "-A", "-o", "wide")


def test_what_was_deleted_is_restored_with_what_went_with_it(run: Run, database: Database) -> None:
    run("apply", EXAMPLES)
    before = run("get", "all", "acme/shop", "-o", "yaml")
    run("delete", "app/acme/shop")
    assert not run("get", "all", "acme/shop", "-o", "yaml")
    refused = run("restore", "env", "acme/shop/production", code=ExitCode.ERROR)
    assert "its app is deleted (skypanel restore app acme/shop)" in refused
    restored = run("restore", "app/acme/shop")
    assert "app acme/shop  restored" in restored
    assert "with environment acme/shop/production" in restored
    assert run("get", "all", "acme/shop", "-o", "yaml") == before
    assert "is not deleted" in run("restore", "app", "acme/shop", code=ExitCode.ERROR)
    assert "no deleted app acme/none is kept" in run("restore", "app", "acme/none", code=ExitCode.ERROR)


def test_an_app_is_renamed_with_all_that_it_has_and_once(run: Run, database: Database) -> None:
    run("apply", EXAMPLES)
    before = {o["metadata"]["id"] for o in json.loads(run("get", "all", "acme/shop", "-o", "json"))}
    whole = run("get", "all", "acme/shop", "-o", "yaml").replace("app: shop\n", "app: store\n")
    renamed = whole.replace("name: shop\n", "name: store\n  renamedFrom: shop\n")
    assert "app acme/store  updated  name: shop -> store" in run("apply", "-f", "-", stdin=renamed)
    assert {o["metadata"]["id"] for o in json.loads(run("get", "all", "acme/store", "-o", "json"))} == before
    again = json.loads(run("apply", "-f", "-", "-o", "json", stdin=renamed))
    assert {entry["action"] for entry in again} == {"unchanged"}
    assert "there is nothing acme/shop" in run("get", "all", "acme/shop", code=ExitCode.ERROR)


def test_a_process_is_renamed_with_the_domain_that_names_it(run: Run) -> None:
    run("apply", EXAMPLES)
    whole = run("get", "all", "acme/shop", "-o", "yaml")
    renamed = whole.replace("  name: web\n", "  name: site\n  renamedFrom: web\n").replace(
        "process: web\n", "process: site\n"
    )
    assert "updated  name: web -> site" in run("apply", "-f", "-", stdin=renamed)
    assert "unchanged" in run("apply", "-f", "-", stdin=renamed)


def test_a_name_that_is_in_use_again_cannot_be_restored(run: Run) -> None:
    run("apply", EXAMPLES)
    run("delete", "env", "acme/hello/production")
    run("apply", EXAMPLES)
    assert "is not deleted" in run("restore", "env", "acme/hello/production", code=ExitCode.ERROR)


def test_a_plan_shows_the_rows_and_changes_nothing(run: Run, database: Database) -> None:
    run("apply", "-f", EXAMPLES)
    before = database.execute("SELECT t::text FROM paas_environments t ORDER BY 1")
    shop = (Path(EXAMPLES) / "shop.yaml").read_text(encoding="utf-8").replace("replicas: 2", "replicas: 3")
    shown = run("plan", "-f", "-", stdin=shop, code=ExitCode.CHANGES, role="skypanel_owner")
    assert "~ process acme/shop/production/web: replicas: 2 -> 3" in shown
    assert "only the rows were compared" in shown
    assert database.execute("SELECT t::text FROM paas_environments t ORDER BY 1") == before
    assert "nothing would change" in run("plan", "-f", EXAMPLES)


def test_a_plan_of_a_refused_file_is_an_error(run: Run) -> None:
    assert "does not exist" in run("plan", "-f", str(Path(EXAMPLES) / "shop.yaml"), code=ExitCode.ERROR)


def test_a_domain_to_a_process_without_a_port_is_refused_before_it_stalls(run: Run, database: Database) -> None:
    run("apply", "-f", EXAMPLES)
    domain = (
        "apiVersion: skypanel.io/v1\nkind: Domain\n"
        "metadata: {name: worker.localhost, environment: production, app: shop, organization: acme}\n"
        "spec: {process: worker}\n"
    )
    said = run("apply", "-f", "-", stdin=domain, code=ExitCode.ERROR, role="skypanel_owner")
    assert "<stdin>:1:1: Process acme/shop/production/worker: spec.port: is required" in said
    said = run(
        "apply", "-f", "-", stdin=domain.replace("worker}", "other}"), code=ExitCode.ERROR, role="skypanel_owner"
    )
    assert '<stdin>:4:8: Domain worker.localhost: spec.process: "other" is not a process of this environment' in said
    assert database.one("SELECT count(*) FROM paas_domains WHERE hostname = 'worker.localhost'") == 0


def test_waiting_ends_when_all_are_ready(run: Run, database: Database) -> None:
    hello = "".join(
        (Path(EXAMPLES) / name).read_text(encoding="utf-8") + "\n---\n"
        for name in ("organizations.yaml", "plans.yaml", "hello.yaml")
    )
    run("apply", "-f", "-", stdin=hello)
    said = threading.Timer(0.3, all_ready, [database])
    said.start()
    shown = run("apply", "-f", "-", "--wait", "--timeout", "30s", stdin=hello)
    said.join()
    assert "environment acme/hello/production  Deployed" in shown


def test_waiting_ends_with_the_reason_when_one_is_stalled(run: Run, database: Database) -> None:
    run("apply", "-f", EXAMPLES)
    status(database, "organization", "paas_organizations", ready=True)
    status(database, "environment", "paas_environments", ready=False, stalled=True)
    shown = run("apply", "-f", EXAMPLES, "--wait", "--timeout", "30s", code=ExitCode.NOT_READY)
    some = "environment acme/cache/production, environment acme/hello/production and 2 more are stalled"
    assert f"{some}: InvalidSpec: said" in shown


def test_waiting_without_a_controller_says_so(run: Run) -> None:
    shown = run("apply", "-f", EXAMPLES, "--wait", "--timeout", "1s", code=ExitCode.NOT_READY)
    assert "no controller has ever been alive (start one with `skypanel up`" in shown


def trip(database: Database) -> None:
    """Hold back the removal of every environment, and of one whose row is gone."""
    database.execute("INSERT INTO skypanel.fuse (id, tripped_at, live_count) VALUES (true, now(), 21)")
    database.execute(
        "INSERT INTO skypanel.fuse_losses (owner_kind, owner_id, why, objects, processes, hosts)"
        " SELECT 'environment', id, 'deleted', 5, 0, 0 FROM paas_environments"
        " UNION ALL SELECT 'environment', '00000000-0000-4000-8000-000000000001', 'absent', 5, 0, 0"
    )


def test_gc_shows_what_is_held_back_by_name_and_confirms_it(run: Run, database: Database) -> None:
    run("apply", "-f", EXAMPLES)
    assert "nothing is held back" in run("gc", role="skypanel_owner")
    trip(database)
    shown = run("gc", role="skypanel_owner", code=ExitCode.CHANGES)
    objects = 5 * database.one("SELECT count(*) FROM skypanel.fuse_losses")
    assert f"The removal of {objects} of 21 live objects is held back" in shown
    assert "its row is missing" in shown
    assert "acme/shop/production" in shown
    assert "00000000-0000-4000-8000-000000000001" in shown
    confirmed = "SELECT count(*) FROM skypanel.fuse_losses WHERE confirmed_by = 'controller'"
    assert database.one(confirmed) == 0
    assert "nothing of nobody is held back" in run("gc", "--confirm", "nobody", role="controller", code=ExitCode.ERROR)
    assert "confirmed: 1 owner;" in run("gc", "--confirm", "acme/shop/production", role="controller")
    assert database.one(confirmed) == 1
    assert "confirmed" in run("gc", "--confirm", role="controller")
    assert 5 * database.one(confirmed) == objects
    assert "confirmed by controller" in run("gc", role="skypanel_owner")


def test_describe_shows_the_parts_and_the_events(run: Run, database: Database) -> None:
    run("apply", "-f", EXAMPLES)
    database.execute(
        "INSERT INTO skypanel.events (kind, object_id, type, reason, message, count)"
        " SELECT 'environment', id, 'Warning', 'Odd', 'it happened', 3 FROM paas_environments"
    )
    shown = run("describe", "env", "acme/shop/production", role="skypanel_owner")
    for part in ("worker", "shop.localhost", "Odd", "it happened", "the engine could not be queried"):
        assert part in shown


def test_doctor_knows_each_role_by_what_it_may_do(run: Run) -> None:
    for role, said in {
        "controller": "as the controller should",
        "panel": "good for `apply`",
        "reader": "may only read",
        "skypanel_owner": "good for `migrate` only",
    }.items():
        assert said in run("doctor", role=role, code=ExitCode.ERROR)  # the engine is away


def test_doctor_and_migrate_find_a_database_without_the_schema(
    empty: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    monkeypatch.setenv("DATABASE_URL", empty.dsn("skypanel_owner"))
    assert main(["migrate", "--check"]) == ExitCode.CHANGES
    assert "pending  0001_base" in capsys.readouterr().out
    assert main(["get", "env"]) == ExitCode.ERROR
    assert "run `skypanel migrate`" in capsys.readouterr().err
    assert main(["migrate"]) == ExitCode.OK
    assert main(["migrate", "--check"]) == ExitCode.OK
    assert main(["get", "env"]) == ExitCode.OK


def test_an_app_whose_environment_is_paused_is_unknown(run: Run, database: Database) -> None:
    run("apply", "-f", EXAMPLES)
    status(database, "environment", "paas_environments", ready=False)
    said = '[{"type": "Ready", "status": "Unknown", "reason": "Paused", "message": "said"}]'
    database.execute("UPDATE skypanel.object_status SET conditions = %s, reason = 'Paused'", said)
    (found,) = [line.split() for line in run("get", "app").splitlines() if "acme/shop" in line]
    assert found[1:3] == ["Unknown", "Paused"]
    assert "0 of 1 environment(s) are ready, 1 paused" in run("describe", "app", "acme/shop")


def test_what_has_no_effect_is_a_warning_with_its_place(run: Run, database: Database) -> None:
    run("apply", "-f", EXAMPLES)
    shop = run("get", "env", "acme/shop/production", "-o", "yaml").replace("replicas: 1", "replicas: 7")
    line = shop.splitlines().index("  replicas: 7") + 1
    wanted = (
        f"warning: <stdin>:{line}:3: Environment acme/shop/production: spec.replicas: has no effect, "
        "as it has a Process (say it there: web, worker)"
    )
    assert wanted in run("plan", "-f", "-", stdin=shop, code=ExitCode.CHANGES)
    assert wanted in run("apply", "-f", "-", stdin=shop)
    assert "no effect" not in run("validate", "-f", "-", stdin=shop), "the file alone has no process"
    whole = run("get", "all", "acme/shop", "-o", "yaml")
    assert "no effect" in run("validate", "-f", "-", stdin=whole)


def test_more_cores_than_a_machine_has_are_a_warning(run: Run) -> None:
    plan = "apiVersion: skypanel.io/v1\nkind: Plan\nmetadata: {name: huge}\nspec: {cpu: 500, memory: 64Mi}\n"
    said = run("apply", "-f", "-", stdin=plan)
    assert '<stdin>:4:8: Plan huge: spec.cpu: 500 cores are more than most nodes have (write "500m"' in said
    assert "plan huge  created" in said


def test_the_shell_is_given_the_names_that_begin_so(run: Run, database: Database) -> None:
    run("apply", "-f", EXAMPLES)
    with psycopg.connect(database.dsn("panel"), autocommit=True) as conn:
        assert names(reads(conn), "env", "acme/s") == ["acme/shop/production"]
        assert names(reads(conn), "domain", "sh") == ["shop.localhost"]
        assert names(reads(conn), "plan", "") == ["nano", "small"]
        assert names(reads(conn), "nothing", "") == []


def quota_file(*apps: str, quotas: str = "quotaApps: 1") -> str:
    organization = (
        "apiVersion: skypanel.io/v1\nkind: Organization\nmetadata: {name: initech}\n"
        f"spec: {{owner: ops@acme.example, {quotas}}}\n"
    )
    app = "apiVersion: skypanel.io/v1\nkind: App\nmetadata: {{name: {}, organization: initech}}\n"
    return "---\n".join([organization, *(app.format(name) for name in apps)])


def test_what_exceeds_a_quota_is_refused_with_numbers_and_place(run: Run, database: Database) -> None:
    refusal = (
        "<stdin>:6:1: App initech/a: organization initech may have 1 app, this would be 2 "
        "(lower or remove something of it, or raise its quota: `skypanel describe organization` shows both)"
    )
    for command in ("plan", "apply"):
        assert refusal in run(command, "-f", "-", stdin=quota_file("a", "b"), code=ExitCode.ERROR)
    assert database.one("SELECT count(*) FROM paas_apps") == 0
    run("apply", "-f", "-", stdin=quota_file("a"))
    said = run("apply", "-f", "-", stdin=quota_file("a", "b"), code=ExitCode.ERROR)
    assert "<stdin>:10:1: App initech/b: organization initech may have 1 app, this would be 2" in said
    run("delete", "app", "initech/a", "--yes")
    run("apply", "-f", "-", stdin=quota_file("b"))
    assert "may have 1 app, this would be 2" in run("restore", "app", "initech/a", code=ExitCode.ERROR)
    assert "updated" in run("apply", "-f", "-", stdin=quota_file("a", "b", quotas="quotaApps: 2"))


def test_a_quota_may_be_lowered_and_what_is_over_it_is_shown(run: Run) -> None:
    run("apply", "-f", "-", stdin=quota_file("a", "b", quotas="quotaApps: 2, quotaMemory: 1Gi"))
    run("apply", "-f", "-", stdin=quota_file("a", "b", quotas="quotaApps: 1, quotaMemory: 1Gi"))
    rows = [line.split() for line in run("describe", "organization", "initech").splitlines()]
    assert ["apps", "2", "1"] in rows
    assert ["memory", "(MiB)", "0", "1024"] in rows
    assert ["tasks", "0", "-"] in rows
    described = json.loads(run("describe", "organization", "initech", "-o", "json"))
    assert {"quota": "apps", "used": "2", "allowed": 1} in described["quotas"]
    assert "quotaApps: 1" in run("get", "organization", "initech", "-o", "yaml")


def test_a_plan_says_what_the_change_costs(run: Run) -> None:
    run("apply", "-f", EXAMPLES)
    text = run("get", "all", "acme", "-o", "yaml").replace("replicas: 2", "replicas: 4")
    assert json.loads(run("plan", "-f", EXAMPLES, "-o", "json"))["cost"] == []
    planned = json.loads(run("plan", "-f", "-", "-o", "json", stdin=text, code=ExitCode.CHANGES))
    (cost,) = planned["cost"]
    assert cost["organization"] == "acme"
    before, after = (float(cost["monthly"][when]) for when in ("before", "after"))
    assert after > before > 0
    shown = run("plan", "-f", "-", stdin=text, code=ExitCode.CHANGES)
    assert f"{cost['hourly']['before']} -> {cost['hourly']['after']}" in shown
    assert f"{cost['monthly']['before']} -> {cost['monthly']['after']}" in shown


def test_a_plan_that_gets_dearer_is_shown_for_all_who_have_it(run: Run) -> None:
    run("apply", "-f", EXAMPLES)
    spec = '{cpu: 250m, memory: 64Mi, priceHourly: "9"}'
    text = f"apiVersion: skypanel.io/v1\nkind: Plan\nmetadata: {{name: nano}}\nspec: {spec}\n"
    planned = json.loads(run("plan", "-f", "-", "-o", "json", stdin=text, code=ExitCode.CHANGES))
    assert [cost["organization"] for cost in planned["cost"]] == ["acme", "globex"]
    assert all(float(cost["hourly"]["after"]) >= 9 for cost in planned["cost"])


def test_a_deletion_that_leaves_more_than_the_quota_is_refused_with_numbers(run: Run, database: Database) -> None:
    run("apply", "-f", EXAMPLES)
    database.execute("UPDATE paas_environments SET instances = 50 WHERE swarm_name = 'acme-cache-production'")
    database.execute("UPDATE paas_organizations SET quota_tasks = 10")
    said = run("delete", "process", "acme/cache/production/redis", "--yes", code=ExitCode.ERROR)
    assert "organization acme may have 10 tasks, this would be 55" in said
    assert database.one("SELECT count(*) FROM paas_processes WHERE deleted_at IS NOT NULL") == 0
