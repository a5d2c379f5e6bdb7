"""docs/api.md as it is typed, against `skypanel api` itself with tokens of ours; and that it ends well."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from controller.actions.tokens import Asked, create
from controller.api.problems import page
from controller.vault.keyring import generate
from tests.docs.blocks import ROOT, blocks
from tests.labs import eventually, free_port
from tests.store.conftest import Database, make_tenant
from tests.store.test_releases_cli import make

TYPED = (
    "Start it",
    "Read",
    "Follow",
    "Change",
    "Do something with it",
    "Config vars",
    "Passwords of registries",
    "Templates",
    "API tokens",
    "Several objects",
)


@pytest.fixture
def served(database: Database) -> Iterator[dict[str, str]]:
    tenant = make_tenant(database)
    for image in ("web@sha256:" + "c0" * 32, "web@sha256:" + "d1" * 32):  # one to go back to
        database.execute("UPDATE paas_environments SET image_ref = %s WHERE id = %s", image, tenant.environment)
        anyio.run(make, database, tenant)
    database.execute(
        "INSERT INTO paas_templates (name, deploy_mode, image_ref, default_env)"
        """ VALUES ('blog', 'image', 'blog:1', '{"ADMIN_EMAIL": {"required": true}, "SECRET_KEY": {"generate": 48}}')"""
    )
    token = create(database.session("panel"), Asked(name="page", organization="acme", role="admin")).token
    port = free_port()
    environment = {
        **os.environ,
        "SKYPANEL_API_DATABASE_URL": database.dsn("api"),
        "SKYPANEL_API_LISTEN": f"127.0.0.1:{port}",
        "SKYPANEL_KEYS": generate(),
        "DOCKER_HOST": "tcp://127.0.0.1:1",
        "SKYPANEL_LOG_FORMAT": "json",
    }
    with subprocess.Popen(
        [sys.executable, "-m", "controller", "api"], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            address = f"http://127.0.0.1:{port}"

            def answers() -> bool:
                assert process.poll() is None
                try:
                    with urllib.request.urlopen(f"{address}/readyz", timeout=2) as answer:
                        return bool(answer.status == 200)
                except OSError:
                    return False

            eventually(answers, what="the API")
            yield {"API": address, "TOKEN": token, "PID": str(process.pid), "KEYS": environment["SKYPANEL_KEYS"]}
        finally:
            process.send_signal(signal.SIGTERM)
            out, _ = process.communicate(timeout=30)
            assert process.returncode == 0, out


def test_what_the_page_types_does_what_it_says(served: dict[str, str], tmp_path: Path) -> None:
    answers = []
    for block in [block for heading in TYPED for block in blocks("docs/api.md", heading)]:
        for command in block.commands():
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", command],
                cwd=tmp_path,
                env={**os.environ, **served},
                capture_output=True,
                text=True,
                check=True,
            )
            if done.stdout.startswith("retry: "):
                assert "event: controller\n" in done.stdout
                assert done.stdout.count("event: end\n") == 1
            elif done.stdout:
                answers.append(json.loads(done.stdout))
    assert [answer.get("status") for answer in answers if "type" in answer] == []
    assert answers[0]["organization"]["name"] == "acme"
    assert answers[-1]["written"][0]["action"] == "created"


def test_open_streams_end_with_a_word_when_the_server_is_told_to_end(served: dict[str, str]) -> None:
    asked = urllib.request.Request(
        f"{served['API']}/api/stream", headers={"Authorization": f"Bearer {served['TOKEN']}"}
    )
    with urllib.request.urlopen(asked, timeout=30) as stream:
        while not stream.readline().startswith(b"id: "):
            pass
        began = time.monotonic()
        os.kill(int(served["PID"]), signal.SIGTERM)
        said = stream.read().decode()
    assert said.count("event: end\n") == 1
    assert "connect again" in said
    assert time.monotonic() - began < 10, "it does not wait for who would never go"


def test_the_page_of_problems_is_what_the_api_serves() -> None:
    assert (ROOT / "docs" / "problems.md").read_text(encoding="utf-8") == page()
