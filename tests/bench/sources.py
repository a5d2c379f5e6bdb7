"""A thousand spec files in a repository, from the commit until they run; and one line of them that is changed.

The floor is the same documents sent raw. The peer of what git brings into the database is ``skypanel apply -f`` of the
same folder, which fetches nothing and compares with nothing that runs.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psycopg

from controller.actions.reconcile import ask
from tests.bench.converge import send_raw
from tests.bench.harness import BenchHarness, Database, wait_until
from tests.bench.process import controller
from tests.bench.report import Measurement
from tests.bench.workload import IMAGE, documents, unready
from tests.git_server import GitServer

ORGANIZATION, SOURCE = "acme", "acme/main"
AIM, AIM_BESIDE_APPLY = 2.0, 1.5
_TOP = "apiVersion: skypanel.io/v1\nkind: "


def measure(place: BenchHarness, count: int) -> list[Measurement]:
    """Seconds for ``count`` files, each with an app and an environment, and for one of them that is changed.

    Args:
        place: where.
        count: of files.
    """
    with tempfile.TemporaryDirectory(prefix="skypanel-bench-") as folder:
        git = GitServer(Path(folder))
        try:
            return _measure(place, git, Path(folder) / "by-hand", count)
        finally:
            git.close()


def _measure(place: BenchHarness, git: GitServer, by_hand: Path, count: int) -> list[Measurement]:
    files = {f"{number:04}.yaml": _file(number, 32) for number in range(count)}
    by_hand.mkdir()
    for name, content in files.items():
        (by_hand / name).write_text(content)
    with place.database() as database:
        _organization(database)
        applied = _skypanel(database, "apply", "-f", str(by_hand))
        with database.connect("reader") as reader:
            raw = send_raw(place, documents(reader))
    settings = {"skypanel_source_hosts": git.authority}
    with place.database() as database, database.connect() as panel, database.connect("reader") as reader:
        _organization(database)
        settings["skypanel_api_database_url"] = database.dsn("api")
        with controller(place, database, **settings) as daemon:
            git.commit({"first.yaml": _file(count, 32)})
            _skypanel(database, "apply", "-f", "-", stdin=_source(git))
            daemon.rest()
            commit = git.commit(files)
            began = time.time()
            declared = _declared(panel, reader, commit, began)
            wait_until(lambda: unready(reader) == 0, "all environments are ready")
            converged = time.time() - began
            daemon.rest()
            commit = git.commit({"0000.yaml": _file(0, 48)})
            began = time.time()
            again = _declared(panel, reader, commit, began)
            wait_until(lambda: unready(reader) == 0, "it is ready")
            changed = time.time() - began
    return [
        Measurement(f"commit of {count} files -> declared", declared, "s", applied, AIM_BESIDE_APPLY),
        Measurement("  -> converged", converged, "s", declared + raw, AIM),
        Measurement(f"one changed line among {count} files -> declared", again, "s"),
        Measurement("  -> converged", changed, "s"),
    ]


def _declared(panel: psycopg.Connection, reader: psycopg.Connection, commit: str, began: float) -> float:
    """Seconds from ``began`` until the source says that this commit is declared; it is woken as by a webhook."""
    ask(panel, "source", SOURCE)
    said = "SELECT message FROM skypanel.status WHERE kind = 'source' AND ready = 'True'"
    wait_until(lambda: commit[:12] in str(reader.execute(said).fetchone()), "the commit is declared")
    return time.time() - began


def _file(number: int, memory: int) -> str:
    own = f"app: app{number}, organization: {ORGANIZATION}"
    return (
        f"{_TOP}App\nmetadata: {{name: app{number}, organization: {ORGANIZATION}}}\n---\n"
        f"{_TOP}Environment\nmetadata: {{name: production, {own}}}\n"
        f"spec: {{image: '{IMAGE}', replicas: 0, port: 8080, memory: {memory}Mi, cpu: 0.1}}\n"
    )


def _source(git: GitServer) -> str:
    spec = f"spec: {{repository: '{git.url}', interval: 1h, prune: true}}\n"
    return f"{_TOP}Source\nmetadata: {{name: main, organization: {ORGANIZATION}}}\n{spec}"


def _organization(database: Database) -> None:
    _skypanel(database, "user", "add", "ops@acme.example")
    spec = f"{_TOP}Organization\nmetadata: {{name: {ORGANIZATION}}}\nspec: {{owner: ops@acme.example}}\n"
    _skypanel(database, "apply", "-f", "-", stdin=spec)


def _skypanel(database: Database, *words: str, stdin: str = "") -> float:
    """Seconds that a command takes."""
    environment = {**os.environ, "DATABASE_URL": database.dsn("panel")}
    command = [sys.executable, "-m", "controller", *words]
    began = time.time()
    done = subprocess.run(command, env=environment, input=stdin, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)}: {done.stdout}{done.stderr}")
    return time.time() - began
