"""Services that somebody deployed by hand become declared: no task is restarted, and every request is answered."""

from __future__ import annotations

import base64
import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.engine import EngineApiError
from tests.e2e.test_config import variables
from tests.e2e.test_names import requests
from tests.e2e.world import CREATED, WEB, World, eventually

MARKER = "pl4nt3d-" + base64.b32encode(os.urandom(10)).decode().lower()
STACK = """
services:
  web:
    image: {image}:1
    command: [keepalive]
    environment:
      GREETING: "{marker} with a $$ and a space"
      PORT: "8080"
    secrets: [token]
    configs: [{{source: motd, target: /motd}}]
    volumes: [data:/data]
    deploy:
      replicas: 2
      resources: {{limits: {{memory: 32M}}}}
      labels:
        traefik.enable: "true"
        traefik.swarm.network: {stack}_default
        traefik.http.routers.{stack}.rule: Host(`{host}`)
        traefik.http.services.{stack}.loadbalancer.server.port: "8080"
  worker:
    image: {image}:1
    command: [worker]
networks: {{default: {{attachable: true}}}}
volumes: {{data: {{}}}}
secrets: {{token: {{file: ./token}}}}
configs: {{motd: {{file: ./motd}}}}
"""


@pytest.fixture
def stack(here: World, tmp_path: Path) -> Iterator[str]:
    """The name of a stack that was deployed by hand, and answers through the edge."""
    name, host = f"{here.name}blog{os.urandom(3).hex()}", f"blog.{here.name}.localhost"
    (tmp_path / "token").write_text(MARKER)
    (tmp_path / "motd").write_text("hello")
    (tmp_path / "stack.yaml").write_text(STACK.format(image=WEB, stack=name, host=host, marker=MARKER))
    try:
        docker(here, "stack", "deploy", "--detach=true", "-c", str(tmp_path / "stack.yaml"), name)
        eventually(lambda: joined(here, f"{name}_default"), what="its network is on the edge's node")
        eventually(lambda: here.curl(host)[0] == 200, what="the stack answers")
        yield name
    finally:
        with contextlib.suppress(EngineApiError):
            edge = {"Container": here.edge_container(), "Force": True}
            here.engine.post(f"/networks/{name}_default/disconnect", edge)
        docker(here, "stack", "rm", name)


def joined(here: World, network: str) -> bool:
    """Connect the edge to a network, which the node has with the first task."""
    here.engine.post(f"/networks/{network}/connect", {"Container": here.edge_container()})
    return True


def docker(here: World, *words: str) -> str:
    """What a person types."""
    done = subprocess.run(
        ["docker", "-H", here.lab.docker_host, *words], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def tasks(here: World, service: str) -> set[str]:
    """Ids of the tasks that a service has had."""
    found = here.engine.get("/tasks", filters={"service": [service]})
    return {task["ID"] for task in found}


@pytest.mark.timeout(240)
def test_a_stack_is_adopted_with_no_task_restarted_and_handed_over_with_every_request_answered(
    here: World, stack: str
) -> None:
    here.settings["SKYPANEL_KEYS"] = base64.b64encode(os.urandom(32)).decode()
    controller = here.controller().start()
    here.organization("acme")
    acme, host = here.slug("acme"), f"blog.{here.name}.localhost"
    names = {f"{stack}_web", f"{stack}_worker"}
    before = {name: here.engine.get(f"/services/{name}") for name in names}
    ran = {name: tasks(here, name) for name in names}
    words = ["adopt", "--stack", stack, "-n", acme]

    shown = here.skypanel(*words)
    assert shown.returncode == 0, shown.stderr
    assert "Nothing was written" in shown.stdout
    assert "GREETING" in shown.stdout
    assert "volumes" in shown.stdout
    assert not here.sql("SELECT FROM paas_apps")

    with requests(here, host) as seen:
        done = here.skypanel(*words, "--yes")
        assert done.returncode == 0, done.stderr
        assert "2 services" in done.stdout
        for said in (shown, done):
            assert MARKER not in said.stdout + said.stderr
        again = here.skypanel(*words, "--yes")
        assert "0 rows written" in again.stdout, again.stderr
        back = here.skypanel(*words, "--undo")
        assert "2 services" in back.stdout, back.stderr
        assert {name: here.engine.get(f"/services/{name}")["Spec"] for name in names} == {
            name: before[name]["Spec"] for name in names
        }
        eventually(
            lambda: (
                not here.sql("SELECT FROM skypanel.object_status WHERE kind = 'environment' AND finalized_at IS NULL")
            ),
            what="nothing is left of what was taken back",
        )
        assert {name: tasks(here, name) for name in names} == ran, "no task was restarted"
        assert here.skypanel(*words, "--undo").returncode == 1
        assert here.skypanel(*words, "--yes").returncode == 0
        (environment,) = (
            str(row["id"])
            for row in here.sql(
                "SELECT e.id FROM paas_environments e JOIN paas_apps a ON a.id = e.app_id"
                " WHERE a.slug = 'web' AND e.deleted_at IS NULL"
            )
        )
        eventually(
            lambda: "runs as it was found" in here.conditions("environment", environment)["Ready"]["message"],
            what="the status says how it is",
        )
        assert {name: tasks(here, name) for name in names} == ran, "no task was restarted"
        after = {name: here.engine.get(f"/services/{name}") for name in names}
        for name in names:
            assert after[name]["Spec"]["TaskTemplate"] == before[name]["Spec"]["TaskTemplate"]
            assert after[name]["Spec"]["Labels"].items() > before[name]["Spec"]["Labels"].items()
        controller.kill()
        controller = here.controller().start()
        assert {name: tasks(here, name) for name in names} == ran, "nor by another leader"

        assert set(seen) == {200}, seen

        controller.kill()  # before it has made the service anew: then that is no part of the stack any more
        assert here.skypanel("resume", "environment", f"{acme}/web/production").returncode == 0
        late = here.skypanel(*words, "--undo")
        assert "was resumed" in late.stderr
        here.controller().start()
        here.wait_ready(environment, seconds=90)
        eventually(lambda: f"{stack}_web" not in here.services(), what="the former one is gone")
    assert set(seen) == {200}, seen
    assert seen[200] > 100
    assert {name for name in here.services() if name.startswith(stack)} == {f"{stack}_worker"}, "each by itself"
    ours = {"label": [f"io.skypanel.owner=environment/{environment}"], "status": ["running"]}
    running = [container["Id"] for container in here.engine.get("/containers/json", filters=ours)]
    assert {variables(container)[b"GREETING"] for container in running} == {f"{MARKER} with a $ and a space".encode()}
    everything = str(list(here.services().values()))
    assert MARKER not in everything.replace(str(here.services()[f"{stack}_worker"]), "")


def test_what_is_somebody_s_already_is_refused(here: World, stack: str) -> None:
    here.organization("acme")
    words = ["adopt", "--service", f"{stack}_web", "-n", here.slug("acme"), "--yes"]

    here.change_by_hand(f"{stack}_web", lambda spec: spec["Labels"].update({CREATED: "another"}))
    said = here.skypanel(*words)
    assert said.returncode == 1
    assert "belongs to installation another" in said.stderr
    here.change_by_hand(f"{stack}_web", lambda spec: spec["Labels"].update({CREATED: here.name}))
    assert "belongs to the platform itself already" in here.skypanel(*words).stderr
    here.change_by_hand(f"{stack}_web", lambda spec: spec["Labels"].pop(CREATED))
    assert "there is no service" in here.skypanel("adopt", "--service", "nothing", "-n", "x").stderr
    assert not here.sql("SELECT FROM paas_apps")
