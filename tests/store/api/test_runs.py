"""Runs over HTTP: made by who may deploy, once for a key, stopped, and in no set."""

from __future__ import annotations

import pytest

from tests.store.api.conftest import HERE, World
from tests.store.api.test_deeds import DIGEST, release
from tests.store.api.test_objects import problem

RUNS = f"{HERE}/runs"
BODY = {"spec": {"command": ["rake", "db:migrate"], "timeout": "10m"}}


def test_who_may_deploy_has_a_command_run_once_for_a_key(own_world: World) -> None:
    world = own_world
    problem(world.ask("POST", RUNS, json=BODY), "conflict")  # nothing was released
    release(world, f"web@{DIGEST}")
    problem(world.ask("POST", RUNS, "viewer", json=BODY), "forbidden")
    plan = world.ask("POST", f"{RUNS}?dryRun=true", "deployer", json=BODY).json()
    assert plan["rows"][0]["action"] == "created"
    key = {"Idempotency-Key": "build-7"}
    first = world.ask("POST", RUNS, "deployer", json=BODY, headers=key)
    assert first.status_code == 201, first.text
    made = first.json()
    assert made["spec"]["command"] == ["rake", "db:migrate"]
    assert first.headers["Location"].endswith(f"/runs/{made['metadata']['name']}")
    again = world.ask("POST", RUNS, "deployer", json=BODY, headers=key)
    assert again.headers["Idempotency-Replayed"] == "true"
    problem(world.ask("POST", RUNS, "deployer", json={"spec": {"command": ["rm"]}}, headers=key), "key-reused")
    world.database.execute("DELETE FROM skypanel.api_idempotency")  # as where its answer was lost
    taken_over = world.ask("POST", RUNS, "deployer", json=BODY, headers=key)
    assert (taken_over.status_code, taken_over.json()["metadata"]["id"]) == (200, made["metadata"]["id"])
    assert world.database.one("SELECT count(*) FROM paas_runs") == 1
    other = world.ask("POST", RUNS, json=BODY)
    assert other.json()["metadata"]["id"] != made["metadata"]["id"], "without a key it is another one"
    assert len(world.ask("GET", RUNS, "viewer").json()["items"]) == 2


def test_it_is_stopped_and_not_changed(own_world: World) -> None:
    world = own_world
    release(world, f"web@{DIGEST}")
    name = world.ask("POST", RUNS, json=BODY).json()["metadata"]["name"]
    here = f"{RUNS}/{name}"
    tag = {"If-Match": world.ask("GET", here).headers["ETag"]}
    problem(world.ask("PATCH", here, json={"spec": {"timeout": "1h"}}, headers=tag), "conflict")
    problem(world.ask("POST", f"{here}/stop", "viewer"), "forbidden")
    stopped = world.ask("POST", f"{here}/stop", "deployer")
    assert stopped.json()["spec"]["stopped"] is True, stopped.text
    assert world.ask("POST", f"{here}/stop").json()["written"]["action"] == "unchanged"


@pytest.mark.parametrize("body", [{}, {"spec": {}}, {"spec": {"command": []}}, {"metadata": {"name": "x"}, **BODY}, []])
def test_what_is_no_command_is_refused(own_world: World, body: object) -> None:
    problem(own_world.ask("POST", RUNS, json=body), "invalid")


def test_no_set_has_one(own_world: World) -> None:
    names = {"name": "r", "environment": "production", "app": "shop", "organization": "acme"}
    run = {"apiVersion": "skypanel.io/v1", "kind": "Run", "metadata": names, **BODY}
    answer = own_world.ask("POST", "/api/apply", json={"items": [run]})
    problem(answer, "invalid")
    assert "would do it again" in answer.text
