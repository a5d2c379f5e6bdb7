"""Whatever a command writes is written also where the database ends its transaction once, in favour of another one."""

from __future__ import annotations

import ast
import base64
import io
import json
import os
import re
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import psycopg
import pytest
from psycopg import errors

from controller.actions import objects, promote
from controller.actions.releases import KIND
from controller.cli.errors import ExitCode
from controller.postgres.statements import statement
from reconcilers.ports import Options
from tests.store.conftest import Database, Tenant
from tests.store.test_config_cli import path
from tests.store.test_promote_cli import at, staging
from tests.store.test_releases_cli import Run, make, run
from tests.unit.specs.test_trivy import document

__all__ = ["run", "staging"]
_WRITES = re.compile(r"\b(INSERT INTO|UPDATE [a-z{\"]|DELETE FROM|report_image)", re.IGNORECASE)


class Beaten(psycopg.Cursor[Any]):
    """Has lost against somebody else at its first write."""

    left = 0

    def execute(self, query: Any, *args: Any, **kwargs: Any) -> Any:
        text = query if isinstance(query, str) else query.decode() if isinstance(query, bytes) else query.as_string()
        if Beaten.left and _WRITES.search(text):
            Beaten.left -= 1
            raise errors.DeadlockDetected("deadlock detected")
        return super().execute(query, *args, **kwargs)


@pytest.fixture
def once(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Beaten]]:
    """Of each command, the first write."""
    connect = psycopg.connect
    monkeypatch.setenv("SKYPANEL_KEYS", base64.b64encode(os.urandom(32)).decode())
    monkeypatch.setattr(psycopg, "connect", lambda *args, **kwargs: connect(*args, cursor_factory=Beaten, **kwargs))
    yield Beaten
    Beaten.left = 0


def test_every_command_that_writes_outlasts_a_deadlock(
    database: Database,
    tenant: Tenant,
    staging: object,
    run: Run,
    once: type[Beaten],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    organization, app, environment = (path(database, depth) for depth in (1, 2, 3))
    environment = at(database, "production")
    anyio.run(make, database, tenant)
    database.execute("UPDATE paas_environments SET image_ref = 'web:2' WHERE id = %s", tenant.environment)
    anyio.run(make, database, tenant)
    spec, report = tmp_path / "spec.yaml", tmp_path / "report.json"
    spec.write_text(
        "apiVersion: skypanel.io/v1\nkind: ImagePolicy\n"
        f"metadata: {{name: default, organization: {organization}}}\nspec: {{enforcement: all}}\n"
    )
    report.write_text(json.dumps(document()))
    commands: list[tuple[list[str], str]] = [
        (["plan", "-f", str(spec)], "panel"),
        (["apply", "-f", str(spec)], "panel"),
        (["config", "set", app, "TOKEN"], "panel"),
        (["config", "unset", app, "TOKEN"], "panel"),
        (["registries", "set", organization, "registry.example.com", "--username", "ada"], "panel"),
        (["registries", "unset", organization, "registry.example.com"], "panel"),
        (["rollback", environment, "1"], "panel"),
        (["rollback", environment, "--undo"], "panel"),
        (["restart", environment], "panel"),
        (["promote", environment, at(database, "staging")], "panel"),
        (["pause", "environment", environment], "panel"),
        (["resume", "environment", environment], "panel"),
        (["reconcile", "environment", environment], "panel"),
        (["user", "add", "new@example.com"], "panel"),
        (["images", "report", str(report)], "scanner"),
        (["delete", "environment", environment, "--yes"], "panel"),
        (["restore", "environment", environment], "panel"),
    ]
    for words, role in commands:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"v4lue")))
        once.left = 1
        run(*words, role=role, code=2 if words[0] == "plan" else ExitCode.OK)  # 2: something would change
        assert not once.left, f"{words[0]} has written nothing"


def test_a_real_deadlock_is_outlasted(
    database: Database, tenant: Tenant, staging: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    anyio.run(make, database, tenant)
    database.execute("INSERT INTO paas_processes (environment_id, type) VALUES (%s, 'clock')", staging)
    source, target = (
        objects.find_one(database.session("panel"), KIND, tuple(at(database, name).split("/")))
        for name in ("production", "staging")
    )
    tries: list[str] = []
    ours, theirs = database.connect("panel"), database.connect("postgres")
    theirs.execute("SET deadlock_timeout = '1min'")  # who looks first is the one that is ended: always ours

    def other() -> None:
        with theirs, theirs.transaction():
            theirs.execute("SELECT FROM paas_processes WHERE environment_id = %s FOR UPDATE", [staging])
            held.set()
            ready.wait(30)
            theirs.execute("UPDATE paas_environments SET port = 81 WHERE id = %s", [staging])

    def crossed(*_: object, real: Any = promote._processes) -> Any:
        tries.append("tried")
        if len(tries) == 1:
            held.wait(30)
            ours.execute("SELECT FROM paas_environments WHERE id = %s FOR UPDATE", [staging])
            ready.set()
            waits, until = "SELECT count(*) FROM pg_locks WHERE NOT granted AND pid = %s", time.monotonic() + 30.0
            while not database.one(waits, theirs.info.backend_pid):
                assert time.monotonic() < until
        return real(*_)

    monkeypatch.setattr(promote, "_processes", crossed)
    held, ready = threading.Event(), threading.Event()
    thread = threading.Thread(target=other)
    thread.start()
    with ours:
        promote.promote(ours, source, target, None, Options("skypanel"))
    thread.join(10)
    assert len(tries) == 2
    assert database.one("SELECT image_ref FROM paas_environments WHERE id = %s", staging) == "web:1"


# -- none is forgotten -------------------------------------------------------------------------------------------------

ROOT = Path(__file__).parents[2]
_ALONE = {
    "setup": "nobody else writes a database that is being made",
    "connection": "it says who is there",
}
_BY_THEMSELVES = {("writer", "apply"), ("writer", "delete"), ("writer", "restore")}
_WRITERS = {("writer", "write"), ("sealing", "put"), ("sealing", "remove"), ("logins", "put"), ("logins", "remove")}
_READS = ("SELECT", "WITH")


def _writes(function: ast.FunctionDef) -> bool:
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            of = node.func.value.id if isinstance(node.func.value, ast.Name) else ""
            if (of, node.func.attr) in _WRITERS:
                return True
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "statement":
            name = node.args[0]
            if isinstance(name, ast.Constant) and _WRITES.search(statement(str(name.value))):
                return True
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and re.match(r"(INSERT|UPDATE|DELETE)\b", node.value)
        ):
            return True
    return False


def _outlasts(function: ast.FunctionDef) -> bool:
    decorated = any(isinstance(each, ast.Name) and each.id == "outlasting" for each in function.decorator_list)
    calls = (node.func for node in ast.walk(function) if isinstance(node, ast.Call))
    return decorated or any(isinstance(each, ast.Name) and each.id == "again" for each in calls)


def _uncovered(tree: ast.Module) -> set[str]:
    """Functions that write, are not done again, and are called by one that is not either, or by nobody here."""
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    callers = {
        name: {
            other
            for other, body in functions.items()
            if any(isinstance(n, ast.Name) and n.id == name for n in ast.walk(body)) and other != name
        }
        for name in functions
    }

    def covered(name: str, seen: frozenset[str] = frozenset()) -> bool:
        if _outlasts(functions[name]):
            return True
        above = callers[name] - seen
        return bool(above) and all(covered(other, seen | {name}) for other in above)

    return {name for name, body in functions.items() if _writes(body) and not covered(name)}


def test_every_action_that_writes_is_done_again_after_a_deadlock() -> None:
    found = {
        f"{file.relative_to(ROOT)}: {name}"
        for folder in ("controller/actions", "controller/cli")
        for file in sorted((ROOT / folder).rglob("*.py"))
        if file.stem not in _ALONE
        for name in _uncovered(ast.parse(file.read_text(encoding="utf-8")))
    }
    assert not found


def test_an_action_that_is_not_is_found() -> None:
    text = "def f(conn):\n    g(conn)\n\ndef g(conn):\n    conn.execute('UPDATE x SET y = 1')\n"
    assert _uncovered(ast.parse(text)) == {"g"}
    assert not _uncovered(ast.parse(f"@outlasting\n{text}"))
