"""The same commands by the database and by the API of it: what they print is the same, and so is what is declared then.

What is read is read both ways. What is changed is changed in two organizations that have the same, each in its way.
"""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Sequence
from pathlib import Path

import anyio
import pytest

from controller.actions.tokens import Asked, create
from controller.cli import inputs, main
from controller.cli.errors import ExitCode
from controller.client import Client
from controller.remote.backend import Remote
from tests.store.api.test_page import served
from tests.store.conftest import Database, make_tenant
from tests.store.test_releases_cli import make

__all__ = ["served"]


class Both:
    """Runs a command either way."""

    def __init__(
        self, database: Database, api: str, token: str, patch: pytest.MonkeyPatch, out: pytest.CaptureFixture[str]
    ) -> None:
        self.database, self.api, self.token = database, api, token
        self._patch, self._out = patch, out

    def stdin(self, text: str) -> None:
        self._patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))

    def __call__(self, *words: str, remote: bool | None, code: int | None = ExitCode.OK) -> str:
        for name in ("DATABASE_URL", "SKYPANEL_API_URL", "SKYPANEL_TOKEN", "SKYPANEL_CONTEXT"):
            self._patch.delenv(name, raising=False)
        if remote is None:
            pass  # as the file of contexts says
        elif remote:
            self._patch.setenv("SKYPANEL_API_URL", self.api)
            self._patch.setenv("SKYPANEL_TOKEN", self.token)
        else:
            self._patch.setenv("DATABASE_URL", self.database.dsn("panel"))
        self._out.readouterr()
        ended = main(list(words))
        said = self._out.readouterr()
        text = said.out + said.err
        assert code is None or ended == code, text
        return f"{text}exit code {ended}\n"


@pytest.fixture
def both(
    served: dict[str, str],
    database: Database,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Both:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setattr(inputs, "_named_files", [])
    monkeypatch.delenv("SKYPANEL_ENV_FILE", raising=False)
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    monkeypatch.setenv("SKYPANEL_KEYS", served["KEYS"])
    other = make_tenant(database, "emca")
    for tenant, image in ((other, "c0"), (other, "d1")):
        database.execute(
            "UPDATE paas_environments SET image_ref = %s WHERE id = %s", "web@sha256:" + image * 32, tenant.environment
        )
        anyio.run(make, database, tenant)
    token = create(database.session("panel"), Asked(name="both", organization="", role="platform-admin")).token
    return Both(database, served["API"], token, monkeypatch, capsys)


def logs_in_and_out(both: Both, tmp_path: Path) -> None:
    def with_token(text: str, *words: str, code: int = ExitCode.OK) -> str:
        both.stdin(text)
        return both(*words, remote=None, code=code)

    refused = with_token("skp_wrong", "login", both.api, "--name", "prod", code=ExitCode.ERROR)
    assert "does not know who asks" in refused
    assert not (tmp_path / "skypanel").exists()
    said = with_token(f"{both.token}\n", "login", both.api, "--name", "prod")
    assert f"logged in to {both.api}" in said
    said += both("whoami", remote=None) + both("apps", remote=None) + both("context", remote=None)
    assert "acme/shop" in said
    assert both.token not in said
    assert "yes" in both("auth", "can-i", "deploy", "env", "acme/shop/production", remote=None)
    assert "logged out" in both("logout", remote=None)
    assert "there is no token" in both("apps", remote=None, code=ExitCode.ERROR)
    assert both.token not in (tmp_path / "skypanel/contexts.json").read_text()


def follows_events(both: Both) -> None:
    """From the list on, and each is told once."""

    def happens(message: str) -> None:
        (row,) = both.database.execute("SELECT id, organization_id FROM paas_apps WHERE slug = 'shop' LIMIT 1")
        both.database.execute(
            "INSERT INTO skypanel.events (kind, object_id, organization_id, type, reason, message)"
            " VALUES ('app', %s, %s, 'Normal', 'Tried', %s)", *row, message,
        )  # fmt: skip

    happens("before")
    with Client(both.api, both.token) as client:
        found = Remote(client).followed(None, 1)
        assert next(found).message == "before"
        happens("after")
        happens("at last")
        assert [next(found).message for _ in range(2)] == ["after", "at last"]


READ = [
    "get environments",
    "get all",
    "get all acme/shop",
    "get env acme/shop/production -o yaml",
    "get env acme/shop/production -o json",
    "get envs -n acme -o wide",
    "get envs -n nobody",
    "get plans",
    "get domains",
    "get env acme/shop/staging",
    "get env acme/nothing/staging",
    "get process acme/shop/production/web",
    "apps",
    "apps acme -o name",
    "orgs",
    "ps",
    "ps acme/shop -o json",
    "ps nobody",
    "events",
    "events acme/shop --number 3 -o json",
    "events env/acme/shop/production",
    "releases acme/shop",
    "releases acme/shop/production -o json",
    "export",
    "export all acme/shop",
    "explain env acme/shop/production",
    "explain app acme/shop -o json",
    "explain env acme/shop/nothing",
    "config list acme/shop/production",
    "config list acme/nothing",
    "registries list acme",
    "registries list nobody",
    "domains",
    "open acme/shop",
    "auth roles",
    "deploy acme/nothing web:1",
    "deploy acme/shop",
    "rollback acme/shop 99",
    "restart acme/shop nothing",
    "scale acme/shop worker=1",
    "delete env acme/shop/nothing",
    "restore env acme/shop/production",
    "promote acme/shop/production acme/shop/production",
    "config unset acme/shop NOTHING",
]


def test_what_is_read_or_refused_is_the_same_and_who_logs_in_is_known(both: Both, tmp_path: Path) -> None:
    compare_reads(both, READ[::5])
    follows_events(both)
    logs_in_and_out(both, tmp_path)


@pytest.mark.long
def test_whatever_is_read_or_refused_is_the_same(both: Both) -> None:
    compare_reads(both, READ)


def compare_reads(both: Both, lines: Sequence[str]) -> None:
    different = {}
    for line in lines:
        there, here = (_timeless(both(*line.split(), remote=way, code=None)) for way in (True, False))
        if there != here:
            different[line] = (there, here)
    assert not different, "\n\n".join(
        f"=== {line}\n--- by the API\n{there}--- by the database\n{here}" for line, (there, here) in different.items()
    )


SPEC = """
apiVersion: skypanel.io/v1
kind: Environment
metadata: {name: staging, app: shop, organization: ORG}
spec: {image: registry.example.com/shop/web:1, port: 8080}
---
apiVersion: skypanel.io/v1
kind: Process
metadata: {name: web, environment: staging, app: shop, organization: ORG}
spec: {command: [/bin/web], replicas: 2}
---
apiVersion: skypanel.io/v1
kind: Process
metadata: {name: worker, environment: staging, app: shop, organization: ORG}
spec: {command: [/bin/worker, --secret-of-nobody]}
"""
CHANGED = [
    "plan -f FILE",
    "plan -f FILE -o json",
    "apply -f FILE --dry-run",
    "apply -f FILE",
    "apply -f FILE -o json",
    "plan -f FILE",
    "plan -f FILE --prune ORG/shop",
    "apply -f FILE --prune ORG/none",
    "deploy ORG/shop/staging registry.example.com/shop/web:2 --dry-run",
    "deploy ORG/shop/staging registry.example.com/shop/web:2 --reason faster --commit c0ffee",
    "deploy ORG/shop/staging --tag 3",
    "deploy ORG/shop/staging --tag 3",
    "scale ORG/shop/staging web=3 worker=2 --dry-run",
    "scale ORG/shop/staging web=3 worker=2",
    "scale ORG/shop/production web=2",
    "scale ORG/shop/production web=3 --wait --timeout 1",
    "deploy ORG/shop/production web:9 --wait --timeout 1 -o json",
    "domains add ORG/shop/production ORG.example.com",
    "domains",
    "open ORG/shop/production --print",
    "domains remove ORG.example.com",
    "rollback ORG/shop/production --reason slow",
    "rollback ORG/shop/production --undo",
    "rollback ORG/shop/production --undo",
    "promote ORG/shop/production ORG/shop/staging --dry-run",
    "promote ORG/shop/production ORG/shop/staging",
    "config import ORG/shop/production ENVFILE",
    "config list ORG/shop/production",
    "config unset ORG/shop/production ONE",
    "pause env ORG/shop/production --reason leak",
    "get env ORG/shop/production",
    "resume env ORG/shop/production",
    "resume env ORG/shop/production",
    "pause -n ORG",
    "resume -n ORG",
    "reconcile env ORG/shop/production",
    "run ORG/shop/production --detach --timeout 10m -- rake db:migrate",
    "run ORG/shop/production --detach --timeout 0s -- rake",
    "runs ORG",
    "delete env ORG/shop/staging --yes",
    "restore env ORG/shop/staging",
    "delete app ORG/shop --yes -o json",
    "delete app ORG/shop --yes",
    "get all ORG",
    "apply -f BAD",
    "apply -f WORSE",
    "deploy ORG/news --template blog --config GIVEN --dry-run",
    "deploy ORG/news --template blog --config GIVEN --reason new",
    "deploy ORG/news --template blog --config GIVEN",
    "deploy ORG/more --template blog",
]


@pytest.mark.long
def test_whatever_is_changed_is_changed_in_the_same_words(both: Both, tmp_path: Path) -> None:
    compare_changes(both, tmp_path, CHANGED)


def test_what_is_changed_is_changed_in_the_same_words(both: Both, tmp_path: Path) -> None:
    compare_changes(
        both,
        tmp_path,
        CHANGED[:4]
        + CHANGED[6:7]
        + CHANGED[9:10]
        + CHANGED[13:18]
        + CHANGED[21:22]
        + CHANGED[26:27]
        + CHANGED[36:37]
        + CHANGED[40:42]
        + CHANGED[-4:],
    )


def compare_changes(both: Both, tmp_path: Path, lines: Sequence[str]) -> None:
    said: dict[bool, list[str]] = {}
    for remote, organization in ((True, "acme"), (False, "emca")):
        files = {
            "FILE": SPEC,
            "GIVEN": "ADMIN_EMAIL=ops@acme.example\n",
            "ENVFILE": "ONE=1\nTWO='2'\n",
            "BAD": "apiVersion: skypanel.io/v1\nkind: App\nmetadata: {name: x, organization: nobody}\n",
            "WORSE": "apiVersion: skypanel.io/v1\nkind: App\nmetadata: {name: X, organization: ORG}\n",
        }
        for name, text in files.items():
            (tmp_path / name).write_text(text.replace("ORG", organization))
        said[remote] = []
        for line in lines:
            words = [
                str(tmp_path / word) if word in files else word for word in line.replace("ORG", organization).split()
            ]
            text = _timeless(both(*words, remote=remote, code=None)).replace(organization, "ORG")
            said[remote].append(f"$ skypanel {line}\n{text}")
    different = [
        f"--- by the API\n{there}--- by the database\n{here}"
        for there, here in zip(said[True], said[False], strict=True)
        if there != here
    ]
    assert not different, "\n\n".join(different)


def _timeless(text: str) -> str:
    """Without what differs from one run to the other: times, ids, numbers of requests, ages."""
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "ID", text)
    text = re.sub(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(\.\d+)?(\+00:00|Z)?", "TIME", text)
    text = re.sub(r"since \d+ ?s|\b\d+(\.\d+)? ?s\b( ago +)?", "SECONDS ", text)
    text = re.sub(r"run-[0-9a-f]{12}", "RUN", text)
    text = re.sub(r"(note: )?what it prints, while it runs:[^\n]*\n", "", text)
    # A role and an API see different parts of what the controller sees.
    text = re.sub(r"Not seen:.*?(?=exit code)", "", text, flags=re.DOTALL)
    text = re.sub(r"warning: whether it can run with today's[^\n]*\n", "", text)
    text = re.sub(r'(only the rows were compared: |"unknown": ")[^\n]*', r"\1WHY", text)
    text = re.sub(r" +", " ", text)  # a column is as wide as an age, which grows a digit
    return re.sub(r'"id": \d+', '"id": N', text)
