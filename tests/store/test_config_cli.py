"""``skypanel config`` on a real database: three layers, all or none, and no value comes back."""

from __future__ import annotations

import base64
import io
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from controller.cli import main
from controller.cli.errors import ExitCode
from tests.store.conftest import Database, Tenant

Run = Callable[..., str]
VALUE = "v4lu3-not-to-be-seen"


@pytest.fixture
def run(database: Database, tenant: Tenant, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run ``skypanel config VERB PATH ...`` as the panel, expect an exit code, get what it printed."""
    monkeypatch.setenv("SKYPANEL_KEYS", base64.b64encode(os.urandom(32)).decode())

    def command(*words: str, stdin: str | bytes = "", code: int = ExitCode.OK) -> str:
        monkeypatch.setenv("DATABASE_URL", database.dsn("panel"))
        given = stdin if isinstance(stdin, bytes) else stdin.encode()
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given)))
        ended = main(["config", *words])
        captured = capsys.readouterr()
        assert ended == code, captured.err
        assert VALUE not in captured.out + captured.err
        return captured.out + captured.err

    return command


def path(database: Database, depth: int) -> str:
    """Of the tenant's organization, app or environment."""
    row = database.execute(
        "SELECT o.slug, a.slug, e.name FROM paas_environments e JOIN paas_apps a ON a.id = e.app_id"
        " JOIN organizations o ON o.id = a.organization_id"
    )[0]
    return "/".join(row[:depth])


def listed(run: Run, at: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(run("list", at, "-o", "json"))
    return found


def test_the_nearest_counts_and_a_version_is_raised_by_each_value(database: Database, run: Run) -> None:
    organization, app, environment = (path(database, depth) for depth in (1, 2, 3))
    run("set", organization, "TOKEN", stdin=VALUE)
    run("set", app, "TOKEN", stdin=VALUE)
    assert "(version 1)" in run("set", environment, "URL", stdin=VALUE)
    assert "(version 2)" in run("set", environment, "URL", stdin=VALUE)
    found = listed(run, environment)
    assert [(v["name"], v["version"], v["setFor"].split()[0], v["effective"]) for v in found] == [
        ("TOKEN", 1, "organization", False),
        ("TOKEN", 1, "app", True),
        ("URL", 2, "environment", True),
    ]
    assert [v["name"] for v in listed(run, organization)] == ["TOKEN"]
    run("unset", app, "TOKEN")
    assert [v["effective"] for v in listed(run, environment)] == [True, True]
    assert [v["setFor"].split()[0] for v in listed(run, app)] == ["organization"]


def test_a_file_stays_a_file_until_it_is_said_otherwise(database: Database, run: Run) -> None:
    at = path(database, 3)
    for words, as_file in ((["--as-file"], True), ([], True), (["--as-variable"], False), ([], False)):
        run("set", at, "CERT", *words, stdin=VALUE)
        assert [v["asFile"] for v in listed(run, at)] == [as_file]


def test_a_value_on_the_command_line_is_refused_without_repeating_it(database: Database, run: Run) -> None:
    said = run("set", path(database, 3), f"TOKEN={VALUE}", code=ExitCode.ERROR)
    assert "give the name TOKEN alone" in said


@pytest.mark.parametrize(
    ("name", "stdin", "says"),
    [
        ("PORT", VALUE, "set the port of the process or environment"),
        ("SKYPANEL_X", VALUE, "choose another name"),
        ("9A", VALUE, "not the name of a variable"),
        ("A-B", VALUE, "not the name of a variable"),
        ("A", f"{VALUE}\0", "NUL byte"),
        ("A", VALUE * 7000, "of at most 131072"),
    ],
)
def test_what_no_program_can_be_given_is_refused(
    database: Database, run: Run, name: str, stdin: str, says: str
) -> None:
    at = path(database, 3)
    assert says in run("set", at, name, stdin=stdin, code=ExitCode.ERROR)
    assert listed(run, at) == []


def test_a_file_of_variables_is_set_whole_or_not_at_all(database: Database, run: Run, tmp_path: Path) -> None:
    at, file = path(database, 3), tmp_path / ".env"
    file.write_text(f"# about\nexport A={VALUE}\nB='two\nlines'\nC=\"$A\"\nEMPTY=\n")
    said = run("import", at, str(file))
    assert [line.split(": ")[1] for line in said.splitlines()] == [
        f"{n} set (version 1)" for n in ("A", "B", "C", "EMPTY")
    ]
    file.write_text(f"A={VALUE}\nPORT={VALUE}\n")
    assert f"{file}:2: PORT" in run("import", at, str(file), code=ExitCode.ERROR)
    file.write_text(f"A={VALUE}\n{VALUE}\n")
    assert f"{file}:2: this is not NAME=value" in run("import", at, str(file), code=ExitCode.ERROR)
    file.write_bytes(b"A=\xff\n")
    assert "not a text file" in run("import", at, str(file), code=ExitCode.ERROR)
    assert {v["name"]: v["version"] for v in listed(run, at)} == {"A": 1, "B": 1, "C": 1, "EMPTY": 1}


def test_what_is_not_set_cannot_be_unset_and_then_nothing_is(database: Database, run: Run) -> None:
    at = path(database, 3)
    run("set", at, "A", stdin=VALUE)
    assert "B: not set for environment" in run("unset", at, "A", "B", code=ExitCode.ERROR)
    assert [v["name"] for v in listed(run, at)] == ["A"]


def test_a_line_break_of_echo_is_warned_of_and_kept(database: Database, run: Run) -> None:
    assert "ends with a line break" in run("set", path(database, 3), "A", stdin=f"{VALUE}\n")


@pytest.mark.parametrize("at", ["nobody", "a/b/c/d", "", "a//b"])
def test_a_path_to_nothing_says_what_would_be_one(run: Run, at: str) -> None:
    said = run("list", at, code=ExitCode.ERROR)
    assert "there is no organization nobody" in said or "ORGANIZATION/APP/ENVIRONMENT" in said


def test_without_a_key_nothing_is_set_and_it_is_said_how_to_get_one(
    database: Database, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SKYPANEL_KEYS", "")
    at = path(database, 3)
    assert "skypanel keys generate" in run("set", at, "A", stdin=VALUE, code=ExitCode.ERROR)
    assert listed(run, at) == []
