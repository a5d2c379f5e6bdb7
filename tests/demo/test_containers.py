"""Any DATABASE_URL will do: here PostgreSQL is a container that testcontainers starts from the locally built image."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from testcontainers.community.postgres import PostgresContainer
from testcontainers.core.config import testcontainers_config

from deploy import engine
from deploy.demo.requests import visit_until_routed
from deploy.engine import IMAGE_PREFIX, Lab
from tests.labs import eventually, free_port

ROOT = Path(__file__).parents[2]
PASSWORD = "seen-nowhere-8261"
SPECS = """
apiVersion: skypanel.io/v1
kind: Organization
metadata: {name: boxed}
spec: {owner: ops@boxed.example}
---
apiVersion: skypanel.io/v1
kind: App
metadata: {name: hello, organization: boxed}
---
apiVersion: skypanel.io/v1
kind: Environment
metadata: {name: production, app: hello, organization: boxed}
spec: {image: "127.0.0.1:5000/skypanel/web:1", port: 8080}
---
apiVersion: skypanel.io/v1
kind: Domain
metadata: {name: boxed.localhost, environment: production, app: hello, organization: boxed}
"""


@pytest.fixture
def database_url(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of an empty database in a container, reached over TCP with a password."""
    # Its helper container cannot be fetched, and the lab takes leftovers of a killed run with it.
    monkeypatch.setattr(testcontainers_config, "ryuk_disabled", True)
    monkeypatch.setenv("DOCKER_HOST", lab.docker_host)
    monkeypatch.setenv("TESTCONTAINERS_HOST_OVERRIDE", "127.0.0.1")
    container = PostgresContainer(
        f"{IMAGE_PREFIX}/postgres:15",
        username="operator",
        password=PASSWORD,
        dbname="skypanel",
        driver=None,
    )
    with container:
        inside, outside = container.get_exposed_port(5432), free_port()
        engine.up(lab.name, forwards=[f"{outside}:{inside}"])
        yield f"postgresql://operator:{PASSWORD}@127.0.0.1:{outside}/skypanel"
    container.get_docker_client().client.close()


def skypanel(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "controller", *arguments],
        env={**os.environ, **environment},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_a_database_in_a_container_carries_an_app_from_the_schema_to_its_reply(
    lab: Lab, http_port: int, database_url: str, tmp_path: Path
) -> None:
    port = free_port()
    environment = {
        "DATABASE_URL": database_url,
        "DOCKER_HOST": lab.docker_host,
        "SKYPANEL_INSTALLATION": "boxed",
        "SKYPANEL_LISTEN": f"127.0.0.1:{port}",
        "SKYPANEL_PIN_IMAGE": f"{IMAGE_PREFIX}/pause:1",
        "SKYPANEL_ALLOWED_REGISTRIES": IMAGE_PREFIX.partition("/")[0],
    }
    specs, log = tmp_path / "boxed.yaml", tmp_path / "controller.log"
    specs.write_text(SPECS)

    assert skypanel(environment, "migrate", "--check").returncode == 2
    migrated = skypanel(environment, "migrate")
    assert migrated.returncode == 0, migrated.stderr
    assert skypanel(environment, "migrate", "--check").returncode == 0
    with psycopg.connect(database_url) as connection:
        connection.execute("INSERT INTO users (email, password_hash, name) VALUES ('ops@boxed.example', '!', 'ops')")

    with log.open("wb") as output:
        controller = subprocess.Popen(
            [sys.executable, "-m", "controller", "up"],
            env={**os.environ, **environment},
            cwd=ROOT,
            stdout=output,
            stderr=output,
        )
    try:
        applied = skypanel(environment, "apply", "-f", str(specs), "--wait", "--timeout", "40s")
        assert applied.returncode == 0, applied.stdout + applied.stderr + log.read_text()[-3000:]
        assert "hello from" in visit_until_routed(http_port, "boxed.localhost").text
        assert is_ready(port)

        deleted = skypanel(environment, "delete", "-f", str(specs), "--yes", "--wait", "--timeout", "40s")
        assert deleted.returncode == 0, deleted.stdout + deleted.stderr + log.read_text()[-3000:]
        eventually(lambda: not installed(lab), what="nothing of it is left on the engine")
    finally:
        controller.send_signal(signal.SIGTERM)
        assert controller.wait(40) == 0
    assert PASSWORD not in log.read_text() + migrated.stdout + migrated.stderr + applied.stdout + applied.stderr


def is_ready(port: int) -> bool:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
        return bool(json.load(answer)["ready"])


def installed(lab: Lab) -> list[str]:
    """Names of what the controller of this test has on the engine."""
    label = {"label": ["io.skypanel.installation=boxed"]}
    services = [found["Spec"]["Name"] for found in lab.api().get("/services", filters=label)]
    return services + [found["Name"] for found in lab.api().get("/networks", filters=label)]
