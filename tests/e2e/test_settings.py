"""Checks by the helper and places, from the row to the real engine."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from signal import SIGUSR1

import docker

from tests.e2e.world import WEB, World, eventually


def label_node(here: World, **labels: str) -> None:
    (node,) = here.engine.get("/nodes")
    spec = {**node["Spec"], "Labels": {f"io.skypanel.{name}": value for name, value in labels.items()}}
    here.engine.post(f"/nodes/{node['ID']}/update", spec, version=node["Version"]["Index"])


def test_an_image_without_a_shell_is_checked_by_a_request_and_by_a_connection(here: World) -> None:
    here.controller().start()
    app = here.app(here.organization("acme"), "shop")
    quick = {"interval_seconds": 0.3, "retries": 2}
    environment = here.environment(app, healthcheck=json.dumps({"http": {"path": "/up?a=b"}, **quick}))
    here.wait_ready(environment)
    service = here.engine.get(f"/services/{here.service()}")["Spec"]["TaskTemplate"]
    assert service["ContainerSpec"]["Healthcheck"]["Test"][2:] == ["check", "http", "8080", "/up?a=b"]
    filters = {"label": [f"com.docker.swarm.service.name={here.service()}"], "status": ["running"]}
    (container,) = here.engine.get("/containers/json", filters=filters)
    assert "(healthy)" in container["Status"]

    here.sql(
        "UPDATE paas_environments SET healthcheck = %s WHERE id = %s", json.dumps({"tcp": True, **quick}), environment
    )
    here.wait_ready(environment)
    here.sql(
        "UPDATE paas_environments SET healthcheck = %s WHERE id = %s", json.dumps({"tcp": 99, **quick}), environment
    )

    def told() -> str:
        stalled = here.conditions("environment", environment).get("Stalled", {})
        return stalled.get("message", "") if stalled.get("reason") == "RolledBack" else ""

    message = eventually(told, seconds=60, what="the new version is taken back")
    assert "its health check failed ([tcp 99], every 0.3s)" in message
    assert "nothing listens on this port of 127.0.0.1" in message


def test_the_signal_that_an_image_is_stopped_with_is_held_back_where_its_task_drains(here: World) -> None:
    image, drain = "stopped-with-usr1", 3
    engine = docker.APIClient(here.lab.docker_host, version="auto")
    try:
        made = engine.create_container(f"{WEB}:1")["Id"]
        engine.commit(made, repository=image, tag="1", changes=["STOPSIGNAL SIGUSR1"])
        engine.remove_container(made)
        here.controller().start()
        app = here.app(here.organization("acme"), "shop")
        here.wait_ready(here.environment(app, image_ref=f"{image}:1", drain_seconds=drain))
        (task,) = engine.containers(filters={"label": f"com.docker.swarm.service.name={here.service()}"})
        asked = datetime.now(UTC)
        engine.stop(task["Id"], timeout=30)
        state = engine.inspect_container(task["Id"])["State"]
    finally:
        engine.close()
    ended = datetime.fromisoformat(f"{state['FinishedAt'].rstrip('Z')[:26]}+00:00")
    assert ended - asked >= timedelta(seconds=drain)
    assert state["ExitCode"] == 128 + SIGUSR1, "it was the image's own"


def test_what_no_node_may_run_is_told_with_the_labels_that_are_missing_and_runs_once_a_node_has_them(
    here: World,
) -> None:
    here.controller().start()
    environment = here.environment(here.app(here.organization("acme"), "shop"), region="eu", spread="zone")
    wanted = "It runs only on nodes with the label io.skypanel.region=eu"

    def told() -> bool:
        return any(wanted in condition["message"] for condition in here.conditions("environment", environment).values())

    eventually(told, seconds=30, what="the label is named")
    label_node(here, region="eu")
    try:
        here.wait_ready(environment)
    finally:
        label_node(here)
