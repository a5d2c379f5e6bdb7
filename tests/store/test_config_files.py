"""Config vars in spec files, by the command line: with everything else in one transaction, and no value is shown."""

from __future__ import annotations

import base64
import io
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from controller.cli import main
from controller.cli.errors import ExitCode
from tests.store.conftest import Database, Tenant

Run = Callable[..., str]
MARK = "m4rk-not-to-be-seen"
SHOP = """\
apiVersion: skypanel.io/v1
kind: App
metadata: {name: wiki, organization: acme}
---
apiVersion: skypanel.io/v1
kind: Environment
metadata: {name: p, app: wiki, organization: acme}
spec: {image: 'web:1', plan: nano-acme}
"""
VARS = f"""\
apiVersion: skypanel.io/v1
kind: ConfigVars
metadata: {{environment: p, app: wiki, organization: acme}}
spec:
  variables: {{LEVEL: {MARK}, EMPTY: ""}}
  files:
    CERT: |
      {MARK}
"""
ORG = f"""\
apiVersion: skypanel.io/v1
kind: ConfigVars
metadata: {{organization: acme}}
spec: {{variables: {{REGION: {MARK}}}}}
"""


@pytest.fixture
def run(database: Database, tenant: Tenant, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run ``skypanel ...`` as the panel, expect an exit code, get what it printed."""
    monkeypatch.setenv("SKYPANEL_KEYS", base64.b64encode(os.urandom(32)).decode())
    monkeypatch.setenv("DATABASE_URL", database.dsn("panel"))
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere.sock")

    def command(*words: str, stdin: str = "", code: int = ExitCode.OK) -> str:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        ended = main([*words])
        captured = capsys.readouterr()
        assert ended == code, captured.err
        assert MARK not in captured.out + captured.err
        return captured.out + captured.err

    return command


def versions(run: Run, at: str = "acme/wiki/p") -> dict[str, int]:
    return {v["name"]: v["version"] for v in json.loads(run("config", "list", at, "-o", "json"))}


def test_apply_plan_and_diff_say_names_and_the_same_again_is_unchanged(database: Database, run: Run) -> None:
    said = run("plan", "-f", "-", stdin=f"{SHOP}---\n{VARS}---\n{ORG}", code=ExitCode.CHANGES)
    assert "config.REGION: added" in said
    run("config", "list", "acme/wiki/p", code=ExitCode.ERROR)
    said = run("apply", "-f", "-", stdin=f"{SHOP}---\n{VARS}---\n{ORG}")
    assert "environment acme/wiki/p  created  config.CERT: added; config.EMPTY: added; config.LEVEL: added" in said
    assert "organization acme  updated  config.REGION: added" in said
    generation = "SELECT generation, inputs_version FROM paas_environments WHERE name = 'p'"
    before = database.execute(generation)
    assert "3 unchanged" in run("apply", "-f", "-", stdin=f"{VARS}---\n{SHOP}---\n{ORG}")
    assert "nothing would change" in run("plan", "-f", "-", stdin=VARS)
    assert database.execute(generation) == before
    assert versions(run) == {"CERT": 1, "EMPTY": 1, "LEVEL": 1, "REGION": 1}
    said = run("diff", "-f", "-", stdin=VARS.replace("LEVEL: ", "LEVEL: x"), code=ExitCode.CHANGES)
    assert "environment acme/wiki/p: config.LEVEL: changed" in said
    plan = json.loads(run("plan", "-o", "json", "-f", "-", stdin=VARS.replace('""', "x"), code=ExitCode.CHANGES))
    assert plan["rows"][0]["changes"] == [{"field": "config.EMPTY", "change": "changed"}]
    run("config", "set", "acme/wiki/p", "LEVEL", stdin=MARK)
    assert "1 unchanged" in run("apply", "-f", "-", stdin=VARS), "it is there, whoever has set it"
    assert MARK not in run("export", "org", "acme")


def test_nothing_is_written_when_anything_is_refused(
    database: Database, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for document, says in (
        (VARS.replace("environment: p", "environment: q"), "the environment acme/wiki/q of its config vars does not"),
        (VARS.replace("LEVEL", "SKYPANEL_LEVEL"), "begins with SKYPANEL_"),
        (VARS.replace('""', "1"), "<stdin>:14:43: ConfigVars/acme/wiki/p: spec.variables.EMPTY: is no text"),
    ):
        assert says in run("apply", "-f", "-", stdin=f"{SHOP}---\n{document}", code=ExitCode.ERROR)
        assert database.one("SELECT count(*) FROM paas_apps WHERE slug = 'wiki'") == 0
    database.execute("UPDATE paas_organizations SET quota_config_vars = 2", role="panel")
    assert "config" in run("apply", "-f", "-", stdin=f"{SHOP}---\n{VARS}", code=ExitCode.ERROR)
    database.execute("UPDATE paas_organizations SET quota_config_vars = NULL", role="panel")
    monkeypatch.delenv("SKYPANEL_KEYS")
    assert "there is no key" in run("apply", "-f", "-", stdin=f"{SHOP}---\n{VARS}", code=ExitCode.ERROR)
    assert database.one("SELECT count(*) FROM paas_apps WHERE slug = 'wiki'") == 0
    assert database.one("SELECT count(*) FROM skypanel.config_vars") == 0


def test_validate_says_what_looks_like_a_secret_and_delete_takes_no_variables(run: Run, tmp_path: Path) -> None:
    ends = ORG.replace(MARK, "'a\n\n'")
    said = run("validate", "-f", "-", stdin=f"{VARS.replace('LEVEL', 'DB_PASSWORD')}---\n{ends}")
    assert "<stdin>:5:15: ConfigVars/acme/wiki/p: spec.variables.DB_PASSWORD: looks like a secret" in said
    assert "spec.variables.REGION: ends with a line break" in said
    assert "valid: 2 ConfigVars" in said
    run("apply", "-f", "-", stdin=f"{SHOP}---\n{VARS}")
    assert "config vars go with what they are for" in run("delete", "--yes", "-f", "-", stdin=f"{SHOP}---\n{VARS}")
    assert "no object is declared there" in run("delete", "--yes", "-f", "-", stdin=VARS, code=ExitCode.ERROR)


def test_a_source_is_named_where_its_variables_are_shown_or_changed(database: Database, run: Run) -> None:
    run("apply", "-f", "-", stdin=f"{SHOP}---\n{VARS}")
    source = database.one(
        "INSERT INTO paas_sources (organization_id, name, repo_url)"
        " SELECT id, 'main', 'https://a.b/c' FROM organizations WHERE slug = 'acme' RETURNING id", role="panel",
    )  # fmt: skip
    database.execute(
        "INSERT INTO skypanel.source_variables (owner_id, name, owner_kind, variable_id, source_id, organization_id)"
        " SELECT c.environment_id, c.name, 'environment', c.id, s.id, s.organization_id"
        " FROM skypanel.config_vars c, paas_sources s WHERE c.name = 'LEVEL'"
    )
    database.execute(
        "INSERT INTO skypanel.source_commits (source_id, organization_id, commit, files, objects)"
        " SELECT id, organization_id, 'c0ffee', 1, 1 FROM paas_sources WHERE id = %s", source,
    )  # fmt: skip
    assert [v["declaredBy"] for v in json.loads(run("config", "list", "acme/wiki/p", "-o", "json"))] == [
        None,
        None,
        "acme/main",
    ]
    assert "acme/main" in run("config", "list", "acme/wiki/p")
    warning = "source acme/main declares LEVEL of environment acme/wiki/p, and takes it back at once"
    assert warning in run("config", "set", "acme/wiki/p", "LEVEL", stdin="x")
    assert "source acme/main" not in run("config", "set", "acme/wiki/p", "EMPTY", stdin="x")
    assert "source acme/main declares config.LEVEL" in run("apply", "-f", "-", stdin=VARS)
    assert "config.LEVEL; others" in run("describe", "environment", "acme/wiki/p")
    assert warning in run("config", "unset", "acme/wiki/p", "LEVEL")
