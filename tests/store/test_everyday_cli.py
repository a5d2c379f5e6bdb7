"""What is typed every day, on a real database: deploy, scale, lists, host names, and what happened."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest

from controller.actions.edit import begin, declare
from controller.actions.errors import ActionError, NotInTimeError
from controller.actions.events import followed
from controller.actions.releases import place
from controller.actions.scale import scale
from controller.actions.wait import wait_written
from controller.cli import inputs
from controller.cli.errors import ExitCode
from controller.cli.events import show_as_they_come
from controller.cli.formats import Format
from controller.declared.readiness import Progress
from controller.declared.writer import Written
from controller.vault.keyring import generate
from reconcilers.options import Options
from specs.loader import Located, read_resources
from tests.docs.blocks import blocks
from tests.docs.session import follow
from tests.store.conftest import Database, Tenant
from tests.store.test_config_cli import path
from tests.store.test_releases_cli import Run, make, run

__all__ = ["run"]


@pytest.fixture
def app(database: Database, tenant: Tenant) -> str:
    """The path of an app with one environment."""
    database.execute("UPDATE paas_environments SET image_ref = 'registry.example.com/shop/web:1', port = 8080")
    return path(database, 2)


def image(database: Database) -> Any:
    return database.one("SELECT image_ref FROM paas_environments WHERE name = 'production'")


def test_an_image_or_a_tag_is_deployed_by_the_app_alone_where_it_has_one_environment(
    database: Database, app: str, run: Run
) -> None:
    said = run("deploy", app, "registry.example.com/shop/web:2", "--reason", "faster", "--commit", "c0ffee")
    assert f"environment {app}/production  updated  image:" in said
    assert image(database) == "registry.example.com/shop/web:2"
    row = database.execute("SELECT change_reason, change_commit FROM paas_environments WHERE name = 'production'")
    assert row == [("faster", "c0ffee")]
    assert "1 unchanged" in run("deploy", app, "--tag", "2")
    run("deploy", app, "-t", "3")
    assert image(database) == "registry.example.com/shop/web:3"


def test_a_dry_run_of_a_deployment_changes_nothing(database: Database, app: str, run: Run) -> None:
    assert "nothing was changed" in run("deploy", app, "--tag", "2", "--dry-run")
    assert image(database) == "registry.example.com/shop/web:1"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "name an image or a tag (skypanel deploy"),
        (["web:2", "--tag", "3"], "an image and --tag do not go together"),
        (["--tag", "a b"], "--tag:"),
        (["Web:2"], "spec.image: "),
    ],
)
def test_a_deployment_that_cannot_be_meant_is_refused_with_what_to_write(
    database: Database, app: str, run: Run, words: list[str], said: str
) -> None:
    assert said in run("deploy", app, *words, code=ExitCode.ERROR)
    assert image(database) == "registry.example.com/shop/web:1"


def test_an_app_is_made_of_a_template_and_nothing_of_one_that_cannot_run(
    database: Database, app: str, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SKYPANEL_KEYS", generate())
    spec, given = tmp_path / "blog.yaml", tmp_path / "blog.env"
    given.write_text("ADMIN=ops@acme.example\n")
    config = "{ADMIN: {required: true}, KEY: {generate: 32}}"
    spec.write_text(
        "apiVersion: skypanel.io/v1\nkind: Template\nmetadata: {name: blog}\n"
        f"spec: {{image: 'docker.io/a/blog:1', environment: {{port: 8080}}, config: {config}}}\n"
        "---\napiVersion: skypanel.io/v1\nkind: Template\nmetadata: {name: built}\n"
        "spec: {deployMode: buildpack, repoUrl: 'https://git.example.com/a/b.git'}\n"
    )
    run("apply", str(spec))
    assert "blog" in run("get", "templates")
    new = f"{app.partition('/')[0]}/blog"
    assert "it needs a value of ADMIN" in run("deploy", new, "--template", "blog", code=ExitCode.ERROR)
    words = ("deploy", new, "--template", "blog", "--config", str(given))
    assert "nothing was changed" in run(*words, "--dry-run")
    said = run(*words)
    assert f"environment {new}/production  created" in said
    assert "config vars: ADMIN, KEY" in said
    assert "ops@acme.example" not in said
    assert run("config", "list", f"{new}/production").count("KEY") == 1
    assert "is there already" in run(*words, code=ExitCode.ERROR)
    assert "nothing is built yet" in run("deploy", f"{new}2", "--template", "built", code=ExitCode.ERROR)
    assert "a template has its own image" in run("deploy", new, "web:1", "--template", "blog", code=ExitCode.ERROR)
    assert "--config is for --template" in run("deploy", app, "web:2", "--config", str(given), code=ExitCode.ERROR)


def test_an_app_with_two_environments_is_asked_which_one(database: Database, app: str, run: Run) -> None:
    database.execute(
        "INSERT INTO paas_environments (app_id, name, image_ref)"
        " SELECT app_id, 'staging', 'web:0' FROM paas_environments"
    )
    said = run("deploy", app, "web:2", code=ExitCode.ERROR)
    assert f"has 2 environments (name one: {app}/production, {app}/staging)" in said


@pytest.mark.anyio
async def test_of_what_runs_a_release_it_is_said_that_a_deployment_has_no_effect(
    database: Database, app: str, tenant: Tenant, run: Run
) -> None:
    await make(database, tenant)
    database.execute("UPDATE paas_environments SET release = 1")
    said = run("deploy", app, "--tag", "2", "--dry-run")
    assert f"it runs the content of its release 1; `skypanel rollback {app}/production --undo`" in " ".join(
        said.split()
    )


def test_processes_are_scaled_all_of_them_or_none(database: Database, app: str, run: Run, tenant: Tenant) -> None:
    for name in ("web", "worker"):
        database.execute("INSERT INTO paas_processes (environment_id, type) VALUES (%s, %s)", tenant.environment, name)
    numbers = "SELECT string_agg(type || instances, ' ' ORDER BY type) FROM paas_processes"
    said = run("scale", app, "web=3", "worker=2")
    assert "replicas: 1 -> 3" in said
    assert database.one(numbers) == "web3 worker2"
    said = run("scale", app, "web=4", "wroker=2", code=ExitCode.ERROR)
    assert 'has no process "wroker" (did you mean worker?)' in said
    assert "is not a number of replicas" in run("scale", app, "web=4", "worker=5000", code=ExitCode.ERROR)
    assert database.one(numbers) == "web3 worker2"


def test_what_declares_no_process_is_scaled_as_web(database: Database, app: str, run: Run) -> None:
    run("scale", app, "web=2")
    assert database.one("SELECT instances FROM paas_environments WHERE name = 'production'") == 2
    assert "it declares no processes: write web=NUMBER" in run("scale", app, "worker=2", code=ExitCode.ERROR)


@pytest.mark.parametrize("word", ["web", "web=", "=3", "web=x", "web=-1", "web=1.5"])
def test_what_is_no_number_by_process_is_refused(app: str, run: Run, word: str) -> None:
    assert "is not PROCESS=NUMBER (write web=3" in run("scale", app, "--", word, code=ExitCode.ERROR)


def test_host_names_are_added_listed_opened_and_removed(database: Database, app: str, run: Run) -> None:
    assert "no domain (`skypanel domains add" in run("open", app, code=ExitCode.ERROR)
    assert "domain shop.example.com  created" in run("domains", "add", app, "shop.example.com")
    for words in (["domains"], ["domains", app], ["domains", "list", app]):
        assert "shop.example.com" in run(*words)
    assert "http://shop.example.com/\n" in run("open", app)
    assert "is not a host name" in run("domains", "add", app, "no host", code=ExitCode.ERROR)
    assert "deleted" in run("domains", "remove", "shop.example.com")
    assert "there is no domain" in run("domains", "remove", "shop.example.com", code=ExitCode.ERROR)


def test_without_a_command_a_list_is_meant_and_a_typing_error_is_none(app: str, run: Run) -> None:
    assert "nothing is set for" in run("config", app)
    assert "no domain is declared" in run("domains", "-o", "table")
    for words in (["config", "sett", app], ["domains", "ad", app, "shop.example.com"]):
        assert f"No such command '{words[1]}'" in run(*words, code=ExitCode.ERROR)


def test_apps_organizations_and_processes_are_listed(app: str, run: Run) -> None:
    organization = app.partition("/")[0]
    assert f"app/{app}\n" in run("apps", organization, "-o", "name")
    assert organization in run("orgs")
    (one,) = json.loads(run("ps", app, "-o", "json"))
    assert (one["environment"], one["process"], one["wanted"], one["running"]) == (f"{app}/production", "web", 1, None)
    assert "there is no environment acme/nothing" in run("ps", "acme/nothing", code=ExitCode.ERROR)


def test_processes_are_counted_as_the_status_says(database: Database, app: str, run: Run, tenant: Tenant) -> None:
    name = f"{app.replace('/', '-')}-production-web_8a2246525a"
    database.execute(
        "INSERT INTO skypanel.object_status (kind, id, observed_generation, conditions, ready, reason, message, epoch,"
        " details) VALUES ('environment', %s, 9, '[]', 'False', 'RollingOut', '1/2 run', 1, %s::jsonb)",
        tenant.environment,
        json.dumps({"services": {name: {"running": 1, "desired": 2}}}),
    )
    (one,) = json.loads(run("ps", app, "-o", "json"))
    assert (one["process"], one["running"]) == ("web", 1)


def happens(database: Database, tenant: Tenant, message: str) -> None:
    database.execute(
        "INSERT INTO skypanel.events (kind, object_id, organization_id, type, reason, message)"
        " VALUES ('environment', %s, %s, 'Normal', 'Deployed', %s)",
        tenant.environment,
        tenant.organization,
        message,
    )


def test_events_are_shown_of_a_path_the_newest_last(database: Database, app: str, tenant: Tenant, run: Run) -> None:
    for number in range(4):
        happens(database, tenant, f"number {number}")
    found = json.loads(run("events", f"env/{app}/production", "--number", "2", "-o", "json"))
    assert [each["message"] for each in found] == ["number 2", "number 3"]
    assert "number 3" in run("events", app)
    assert "nothing happened" in run("events", "another")


def test_events_are_followed_also_one_that_happens_again(
    database: Database, app: str, tenant: Tenant, capsys: pytest.CaptureFixture[str]
) -> None:
    import psycopg  # noqa: PLC0415 - its connection alone

    happens(database, tenant, "before")
    with psycopg.connect(database.dsn("panel"), autocommit=True) as conn:
        coming = followed(conn, app, 1)
        show_as_they_come([next(coming)], Format.JSON)
        happens(database, tenant, "after")
        show_as_they_come([next(coming)], Format.JSON)
        database.execute("UPDATE skypanel.events SET count = count + 1 WHERE message = 'before'")
        show_as_they_come([next(coming)], Format.JSON)
    said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(each["message"], each["count"]) for each in said] == [("before", 1), ("after", 1), ("before", 2)]


def test_the_exit_code_says_how_it_ended(database: Database, app: str, run: Run, tmp_path: Path) -> None:
    said = run("deploy", app, "--tag", "2", "--wait", "--timeout", "1s", code=ExitCode.NOT_READY)
    assert f"environment {app}/production is not known to be ready after 1 s" in said
    assert image(database) == "registry.example.com/shop/web:2", "it stays declared"
    file = tmp_path / "all.yaml"
    file.write_text(run("get", "all", "-o", "yaml").replace("web:2", "web:3"))
    assert "web:2 -> registry.example.com/shop/web:3" in run("diff", str(file), code=ExitCode.CHANGES)
    run("deploy", app, code=ExitCode.ERROR)


def test_diff_is_plan(tmp_path: Path, app: str, run: Run) -> None:
    file = tmp_path / "all.yaml"
    file.write_text(run("get", "all", "-o", "yaml"))
    assert "nothing would change" in run("diff", "-f", str(file))


def test_forms_of_output_are_the_same_everywhere(app: str, run: Run) -> None:
    environment = f"{app}/production"
    assert run("ps", app, "-o", "name") == f"process/{environment}/web\n"
    assert run("get", "env", environment, "-o", "jsonpath={.spec.image}") == "registry.example.com/shop/web:1"
    assert run("get", "env", "-o", "jsonpath={range .items[*]}{.metadata.name};{end}") == "production;"
    assert run("apps", "-o", "jsonpath={[0].metadata.name}") == app.rpartition("/")[2]
    assert run("describe", "env", environment, "-o", "jsonpath={.kind}") == "Environment"


def test_the_templates_of_the_page_say_something(database: Database, app: str, run: Run, tmp_path: Path) -> None:
    run("domains", "add", app, "shop.example.com")
    prelude = f"export DATABASE_URL='{database.dsn('panel')}'\n"
    said = follow(blocks("docs/reference/cli.md", "Output"), tmp_path, prelude=prelude)
    for words in ("Pending", "shop registry.example.com/shop/web:1\n", "shop.example.com"):
        assert words in said


@pytest.fixture
def editor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Have the editor do what a ``sed`` script says."""

    def does(script: str) -> None:
        monkeypatch.delenv("VISUAL", raising=False)
        monkeypatch.setenv("EDITOR", f"sed -i -e '{script}'")
        monkeypatch.setenv("TMPDIR", str(tmp_path))
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    return does


def test_an_object_is_edited_shown_and_declared(
    database: Database, app: str, run: Run, editor: Callable[[str], None], tmp_path: Path
) -> None:
    editor("s/web:1/web:2/")
    said = run("edit", "env", f"{app}/production")
    assert "~ environment" in said
    assert "web:1 -> registry.example.com/shop/web:2" in said
    assert image(database) == "registry.example.com/shop/web:2"
    assert list(tmp_path.iterdir()) == []
    editor("s/nothing/else/")
    assert "nothing was changed" in run("edit", "env", f"{app}/production")
    editor("d")
    assert "nothing was changed" in run("edit", "env", f"{app}/production")


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("s/replicas: 1/replicas: many/;s/^spec:/spec: {replicas: many}\\nx:/", "production.yaml:"),
        ("s/name: production/name: other/", "the file no longer declares environment"),
    ],
)
def test_what_is_wrong_in_an_edited_object_is_said_and_kept(
    database: Database, app: str, run: Run, editor: Callable[[str], None], tmp_path: Path, script: str, said: str
) -> None:
    editor(script)
    answer = run("edit", "env", f"{app}/production", code=ExitCode.ERROR)
    assert said in answer
    (kept,) = tmp_path.rglob("production.yaml")
    assert f"what was typed is in {kept}" in answer
    assert image(database) == "registry.example.com/shop/web:1"


def test_an_object_that_somebody_else_changed_meanwhile_is_not_declared(
    database: Database, app: str, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "editor"
    program.write_text(
        f"#!{sys.executable}\nimport pathlib, psycopg, sys\n"
        f"with psycopg.connect({database.dsn('panel')!r}) as conn:\n"
        "    conn.execute('UPDATE paas_environments SET instances = 5')\n"
        "file = pathlib.Path(sys.argv[1]); file.write_text(file.read_text().replace('web:1', 'web:2'))\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("VISUAL", str(program))
    assert "was changed meanwhile" in run("edit", "env", f"{app}/production", code=ExitCode.ERROR)
    assert image(database) == "registry.example.com/shop/web:1"


def test_what_is_ready_but_was_changed_meanwhile_is_not_said_to_be_done(
    database: Database, app: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Progress, "converged", True)
    with psycopg.connect(database.dsn("panel"), autocommit=True) as conn:

        def done(replicas: int) -> list[Written]:
            return scale(conn, place(conn, app), {"web": replicas}, Options("skypanel")).written

        for replicas in (2, 1, 0):
            wait_written(conn, done(replicas), 1, lambda _: None)
        written = done(3)
        database.execute("UPDATE paas_environments SET image_ref = 'registry.example.com/shop/web:2'")
        wait_written(conn, written, 1, lambda _: None)
        database.execute("UPDATE paas_environments SET instances = 2", role="panel")
        with pytest.raises(NotInTimeError, match="is ready, but replicas was changed by somebody else"):
            wait_written(conn, written, 1, lambda _: None)
        database.execute("UPDATE paas_environments SET deleted_at = now()", role="panel")
        with pytest.raises(NotInTimeError, match="was deleted or renamed"):
            wait_written(conn, written, 1, lambda _: None)


def test_whoever_is_changing_an_object_is_waited_for_and_not_overwritten(database: Database, app: str) -> None:
    entries: list[Located] = []
    with (
        psycopg.connect(database.dsn("panel"), autocommit=True) as conn,
        psycopg.connect(database.dsn("panel")) as other,
        ThreadPoolExecutor() as pool,
    ):
        before = begin(conn, "env", f"{app}/production")
        entries += read_resources(before.text.replace("web:1", "web:2"), "production.yaml")  # type: ignore[arg-type]
        other.execute("UPDATE paas_environments SET instances = 5")
        declared = pool.submit(declare, conn, before, entries, Options("skypanel"))
        waiting = "SELECT count(*) FROM pg_locks WHERE pid = %s AND NOT granted"
        while not declared.done() and not database.one(waiting, conn.info.backend_pid):
            pass
        other.commit()
        with pytest.raises(ActionError, match="was changed meanwhile"):
            declared.result()
    assert image(database) == "registry.example.com/shop/web:1"
    assert database.one("SELECT instances FROM paas_environments WHERE name = 'production'") == 5


def test_what_a_text_says_after_a_hash_counts_and_a_comment_does_not(
    database: Database, app: str, run: Run, editor: Callable[[str], None]
) -> None:
    database.execute("UPDATE paas_environments SET entrypoint = ARRAY['sh', '-c', E'# one\n\ntrue']")
    editor("s/# one/# two/")
    assert "nothing was changed" not in run("edit", "env", f"{app}/production")
    assert database.one("SELECT entrypoint[3] FROM paas_environments WHERE name = 'production'") == "# two\n\ntrue"
    editor("s/^# Save.*/# another/")
    assert "nothing was changed" in run("edit", "env", f"{app}/production")


@pytest.mark.parametrize(
    ("script", "code", "said"),
    [
        ("rm", ExitCode.OK, "nothing was changed"),
        ("""sh -c 'printf "\\377" >> "$0"'""", ExitCode.ERROR, "what was typed is in"),
        ("sh -c 'exit", ExitCode.ERROR, "cannot be read: No closing quotation"),
        ("PLAIN", ExitCode.ERROR, "cannot be run: Exec format error"),
    ],
)
def test_whatever_an_editor_does_is_said(
    app: str, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, code: ExitCode, said: str
) -> None:
    plain = tmp_path / "plain"
    plain.write_bytes(b"\x00no program")
    plain.chmod(0o755)
    monkeypatch.setenv("VISUAL", script.replace("PLAIN", str(plain)))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    answer = run("edit", "env", f"{app}/production", code=code)
    assert said in answer
    assert "this is a bug" not in answer


def test_an_editor_that_is_not_there_is_said(app: str, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISUAL", "no-such-editor --wait")
    said = run("edit", "env", f"{app}/production", code=ExitCode.ERROR)
    assert "the editor no-such-editor is not there (set EDITOR" in said


def completed(line: str) -> list[str]:
    """What the shell is given for a line."""
    asked = {"_SKYPANEL_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(f"{line}x".split()) - 1)}
    done = subprocess.run(
        [sys.executable, "-c", "from controller.cli import main; main()"],
        capture_output=True, text=True, env={**os.environ, **asked}, timeout=30, check=False,
    )  # fmt: skip
    assert done.stderr == ""
    return done.stdout.split()


def test_the_shell_is_given_what_the_database_has(
    database: Database, app: str, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGCONNECT_TIMEOUT", "20")
    database.execute("INSERT INTO paas_processes (environment_id, type) VALUES (%s, 'worker')", tenant.environment)
    monkeypatch.setenv("DATABASE_URL", database.dsn("panel"))
    organization = app.partition("/")[0]
    assert completed(f"skypanel deploy {organization[:2]}") == [f"{organization}/"]
    assert completed(f"skypanel rollback {organization}/") == [f"{app}/"]
    assert completed(f"skypanel config set {app}/pro") == [f"{app}/production"]
    assert completed(f"skypanel scale {app} wo") == ["worker="]
    assert completed(f"skypanel restart {app} ") == ["worker"]
    assert completed("skypanel get environments -n ") == [organization]
    assert completed(f"skypanel get env {app}/") == [f"{app}/production"]
    assert completed("skypanel get env -o js") == ["json", "jsonpath="]
    assert "deploy" in completed("skypanel dep")


def test_the_shell_is_given_commands_below_others_and_never_an_error(
    database: Database, app: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGCONNECT_TIMEOUT", "20")
    monkeypatch.setenv("DATABASE_URL", database.dsn("panel"))
    assert completed("skypanel domains ") == ["list", "add", "remove"]
    assert completed("skypanel domains a") == ["add"]
    assert completed("skypanel domains r") == ["remove"]
    assert completed(f"skypanel domains {app}/p") == [f"{app}/production"]
    assert completed("skypanel nosuch ac") == []
    assert completed("skypanel help depl") == ["deploy"]


def test_the_shell_waits_neither_long_nor_aloud_for_a_database_that_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGCONNECT_TIMEOUT", "2")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        for port in (silent.getsockname()[1], 1):
            monkeypatch.setenv("DATABASE_URL", f"postgresql://nobody@127.0.0.1:{port}/none")
            assert completed("skypanel deploy ac") == []
        monkeypatch.delenv("PGCONNECT_TIMEOUT")
        hosts = ",".join(30 * [f"127.0.0.1:{silent.getsockname()[1]}"])  # five seconds each
        monkeypatch.setenv("DATABASE_URL", f"postgresql://nobody@{hosts}/none")
        assert completed("skypanel deploy ac") == []
    monkeypatch.delenv("DATABASE_URL")
    assert completed("skypanel deploy ac") == []


def test_the_shell_does_not_wait_for_a_lock(
    database: Database, app: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", database.dsn("panel"))
    monkeypatch.setenv("PGCONNECT_TIMEOUT", "1")
    with database.session("skypanel_owner").transaction():
        database.execute("LOCK TABLE public.paas_environments")
        assert inputs.complete_place(f"{app}/") == []
        while not database.one(
            "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'paas_environments'::regclass"
        ):
            pass  # what asks is there still, or is only on its way
    assert capfd.readouterr() == ("", "")
