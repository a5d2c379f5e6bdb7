"""How commands end: one clear line, the documented exit code, no password, no traceback."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from controller.cli import main
from controller.cli.errors import ExitCode, explain

COMMANDS = (
    "up",
    "migrate",
    "apply",
    "plan",
    "get",
    "describe",
    "trace",
    "delete",
    "validate",
    "schema",
    "doctor",
    "gc",
    "identity",
    "version",
)


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_examples(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    shown = capsys.readouterr().out
    assert "Examples" in shown
    assert f"skypanel {command}" in shown


def test_the_exit_codes_are_in_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--help"])
    assert "Exit codes" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["get", "env"], ["migrate"], ["apply", "-f", "x.yaml"], ["up"]])
def test_without_a_database_it_says_what_to_set(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "x.yaml").write_text(
        "apiVersion: skypanel.io/v1\nkind: Organization\nmetadata: {name: acme}\n", encoding="utf-8"
    )
    assert main(arguments) == ExitCode.ERROR
    said = capsys.readouterr().err
    assert "DATABASE_URL is not set" in said
    assert "Traceback" not in said


def test_a_database_that_does_not_answer_is_one_line_without_its_password(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://someone:hunter2@127.0.0.1:1/skypanel")
    assert main(["get", "env"]) == ExitCode.ERROR
    said = capsys.readouterr().err
    assert "PostgreSQL does not answer" in said
    assert len(said.strip().splitlines()) == 1
    assert "hunter2" not in said


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ('FATAL:  database "panel" does not exist', "PostgreSQL refuses the connection"),
        ('FATAL:  password authentication failed for user "one"', "PostgreSQL refuses the connection"),
        ("FATAL:  the database system is starting up", "PostgreSQL does not answer"),
        ("connection refused", "PostgreSQL does not answer"),
    ],
)
def test_a_server_that_refuses_is_told_from_one_that_is_away(said: str, meant: str) -> None:
    found = explain(psycopg.OperationalError(said))
    assert found is not None
    assert found[0][0].startswith(f"{meant}: {' '.join(said.split())} (check ")


def test_debug_shows_the_traceback_without_the_password(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://someone:hunter2@127.0.0.1:1/skypanel")
    assert main(["--debug", "get", "env"]) == ExitCode.ERROR
    said = capsys.readouterr().err
    assert "Traceback" in said
    assert "hunter2" not in said


def test_a_connection_string_that_is_none_is_not_repeated(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", "hunter2 secret")
    assert main(["get", "env"]) == ExitCode.ERROR
    assert "hunter2" not in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["bogus"], ["apply"], ["get"], ["get", "env", "-o", "xml"], ["get", "foo"]])
def test_wrong_usage_is_an_error_and_not_a_finding_of_changes(arguments: list[str]) -> None:
    assert main(arguments) == ExitCode.ERROR


@pytest.mark.parametrize(
    "arguments", [[], ["help"], ["help", "get"], ["get", "-h"], ["--version"], ["-V"], ["-v"], ["version"]]
)
def test_asking_for_help_or_the_version_is_no_error(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    try:
        code = main(arguments)
    except SystemExit as ended:
        code = int(ended.code or 0)
    said = capsys.readouterr()
    assert (code, said.err) == (ExitCode.OK, "")
    assert "skypanel" in said.out


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("aply", "(did you mean apply?)"),
        ("delte", "(`skypanel --help` lists the commands)"),
        ("undelete", "(skypanel restore KIND PATH)"),
        ("stop", "`suspended: true`"),
    ],
)
def test_a_command_that_is_none_is_answered_and_never_with_delete(
    typed: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([typed, "x"]) == ExitCode.ERROR
    assert said in capsys.readouterr().err


def test_a_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("SKYPANEL_SUBNET_POOL", "ten")
    assert main(["doctor"]) == ExitCode.ERROR
    assert "SKYPANEL_SUBNET_POOL" in capsys.readouterr().err


def test_a_bad_file_is_named_with_line_and_field(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(
        "apiVersion: skypanel.io/v1\nkind: Process\n"
        "metadata: {name: web, environment: p, app: a, organization: o}\nspec:\n  port: 0\n",
        encoding="utf-8",
    )
    assert main(["validate", "-f", str(file)]) == ExitCode.ERROR
    said = capsys.readouterr().err
    assert f"{file}:5:" in said
    assert "spec.port: 0 is not a port" in said


def test_the_published_examples_are_valid_where_their_registry_is_allowed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    examples = Path(__file__).parents[3] / "specs" / "examples"
    assert main(["validate", "-f", str(examples)]) == ExitCode.ERROR
    assert "hello.yaml:11:1: Environment/production: spec.image" in capsys.readouterr().err
    monkeypatch.setenv("SKYPANEL_ALLOWED_REGISTRIES", "127.0.0.1:5000, registry.internal:*")
    assert main(["validate", "-f", str(examples)]) == ExitCode.OK
    assert "valid:" in capsys.readouterr().out


def test_doctor_fails_and_says_how_to_mend_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == ExitCode.ERROR
    said = capsys.readouterr().out
    assert "fail database reachable" in said
    assert "fail engine reachable" in said
    assert said.count("fix:") == 4  # the last one is that of the next step


def test_a_duration_without_sense_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["apply", "-f", str(tmp_path), "--timeout", "soon"]) == ExitCode.ERROR
    assert "--timeout" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("SKYPANEL_OIDC_ISSUERS", "https://id.example.com", "needs SKYPANEL_OIDC_AUDIENCE"),
        ("SKYPANEL_OIDC_ISSUERS", "http://id.example.com", "each must be https://host/path"),
        ("SKYPANEL_OIDC_ISSUERS", "https://user@id.example.com", "each must be https://host/path"),
        ("SKYPANEL_OIDC_ISSUERS", "https://id.example.com?x=1", "each must be https://host/path"),
        ("SKYPANEL_OIDC_ISSUERS", "id.example.com", "each must be https://host/path"),
    ],
)
def test_an_issuer_is_an_address_of_https_and_has_an_audience(
    name: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(name, value)
    assert main(["doctor"]) == 1
    error = capsys.readouterr().err
    assert name in error
    assert said in error
    assert "Value error" not in error
