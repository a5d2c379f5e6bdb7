"""What is done with an object by a word: deployed, rolled back, promoted, restarted, paused, resumed, looked at."""

from __future__ import annotations

from functools import partial
from typing import Any

import anyio
import pytest

from tests.store.api.conftest import BASE, HERE, World
from tests.store.api.test_objects import SPEC, problem
from tests.store.test_releases_cli import make

DIGEST = "sha256:" + "c0" * 32


def release(world: World, image: str, *, deployed: bool = True) -> int:
    """What is declared, with this image, as the controller makes a release of it."""
    world.database.execute(
        "UPDATE paas_environments SET image_ref = %s WHERE id = %s", image, world.acme.environment, role="panel"
    )
    return anyio.run(partial(make, world.database, world.acme, deployed=deployed))


def declared(world: World) -> tuple[Any, ...]:
    return world.database.execute(
        "SELECT image_ref, release, restart_token, change_reason, change_commit FROM paas_environments WHERE id = %s",
        world.acme.environment,
    )[0]


def test_another_tag_is_deployed_and_the_release_knows_who_and_why(own_world: World) -> None:
    world = own_world
    body = {"tag": "1.5", "reason": "faster", "commit": "c0ffee"}
    plan = world.ask("POST", f"{HERE}/deploy?dryRun=true", "deployer", json=body).json()
    assert plan["rows"][0]["changes"] == [{"field": "image", "before": "web:1", "after": "web:1.5"}]
    assert declared(world)[0] == "web:1"
    answer = world.ask("POST", f"{HERE}/deploy", "deployer", json=body, headers=world.tag())
    assert answer.status_code == 200, answer.text
    assert answer.json()["spec"]["image"] == "web:1.5"
    assert declared(world) == ("web:1.5", None, None, "faster", "c0ffee")
    assert world.ask("POST", f"{HERE}/deploy", json={"image": f"r.example/a@{DIGEST}"}).status_code == 200
    assert world.ask("POST", f"{HERE}/deploy", json={"tag": "2"}).json()["spec"]["image"] == "r.example/a:2"
    beyond: tuple[Any, ...] = ({}, {"tag": "1", "image": "a"}, {"tag": "a b"}, {"tag": 7}, {"tag": "1", "x": "y"}, [])
    for wrong in beyond:
        problem(world.ask("POST", f"{HERE}/deploy", json=wrong), "invalid")
    problem(world.ask("POST", f"{HERE}/deploy", json={"tag": "3"}, headers={"If-Match": '"g1"'}), "precondition-failed")


def test_releases_are_listed_and_the_one_before_runs_again(own_world: World) -> None:
    world = own_world
    assert world.ask("GET", f"{HERE}/releases").json() == {"items": []}
    problem(world.ask("POST", f"{HERE}/rollback"), "conflict")
    release(world, f"web@{DIGEST}")
    release(world, f"web@{DIGEST.replace('c0', 'd1')}")
    items = world.ask("GET", f"{HERE}/releases", "viewer").json()["items"]
    assert [(each["version"], each["state"], each["newest"]) for each in items] == [
        (2, "deployed", True),
        (1, "replaced", False),
    ]
    assert world.ask("GET", f"{HERE}/releases/1").json() == items[1]
    for none in ("3", "x", "01"):
        problem(world.ask("GET", f"{HERE}/releases/{none}"), "not-found")

    plan = world.ask("POST", f"{HERE}/rollback?dryRun=true", json={"reason": "checkout fails"}).json()
    assert (plan["release"], plan["rows"][0]["changes"]) == (1, [{"field": "release", "before": None, "after": 1}])
    assert declared(world)[1] is None
    back = world.ask("POST", f"{HERE}/rollback", json={"reason": "checkout fails"}, headers=world.tag())
    assert back.status_code == 200, back.text
    assert (back.json()["spec"]["release"], back.json()["written"]["release"]) == (1, 1)
    assert declared(world)[1:4] == (1, None, "checkout fails")
    undone = world.ask("POST", f"{HERE}/rollback", json={"undo": True}).json()
    assert undone["written"]["changes"] == [{"field": "release", "before": 1, "after": None}]
    problem(world.ask("POST", f"{HERE}/rollback", json={"release": 9}), "conflict")
    problem(world.ask("POST", f"{HERE}/rollback", json={"release": 1, "undo": True}), "invalid")
    problem(world.ask("POST", f"{HERE}/rollback", json={"release": "1"}), "invalid")
    problem(world.ask("POST", f"{HERE}/rollback", "deployer"), "forbidden")


def test_what_one_environment_runs_is_promoted_to_another(own_world: World) -> None:
    world = own_world
    release(world, f"web@{DIGEST}")
    target = f"{BASE}/live"
    assert world.ask("PUT", target, json={"spec": {**SPEC, "image": "web:0"}}).status_code == 201
    body = {"from": "production", "reason": "checked"}
    plan = world.ask("POST", f"{target}/promote?dryRun=true", json=body).json()
    assert plan["changed"] is True
    assert world.ask("GET", target).json()["spec"]["image"] == "web:0"
    answer = world.ask("POST", f"{target}/promote", json=body, headers=world.tag(target))
    assert answer.status_code == 200, answer.text
    assert answer.json()["spec"]["image"] == f"web@{DIGEST}"
    assert answer.json()["spec"]["replicas"] == SPEC["replicas"]
    assert answer.json()["written"]["promoted"]["release"] == 1
    assert world.ask("POST", f"{target}/promote", json=body).json()["written"]["action"] == "unchanged"
    problem(world.ask("POST", f"{target}/promote", json={"from": "none"}), "not-found")
    problem(world.ask("POST", f"{target}/promote", json={}), "invalid")
    problem(world.ask("POST", f"{target}/promote", json={"from": "live"}), "conflict")
    problem(world.ask("POST", f"{target}/promote", "deployer", json=body), "forbidden")
    problem(world.ask("POST", f"{target}/promote", json=body, headers={"If-Match": '"g99"'}), "precondition-failed")


def test_tasks_are_restarted_of_all_or_of_one_process(own_world: World) -> None:
    world = own_world
    worker = f"{HERE}/processes/worker"
    assert world.ask("PUT", worker, json={"spec": {"command": ["work"]}}).status_code == 201
    plan = world.ask("POST", f"{HERE}/restart?dryRun=true").json()
    assert [each["field"] for each in plan["rows"][0]["changes"]] == ["restartToken"]
    assert declared(world)[2] is None
    answer = world.ask("POST", f"{HERE}/restart", json={"reason": "leak"})
    assert answer.status_code == 200, answer.text
    assert declared(world)[2] == answer.json()["spec"]["restartToken"]
    one = world.ask("POST", f"{worker}/restart")
    assert [each["field"] for each in one.json()["written"]["changes"]] == ["restartToken"]
    assert declared(world)[2] == answer.json()["spec"]["restartToken"], "the others are left alone"
    assert world.ask("PATCH", worker, json={"spec": {"replicas": 3}}).json()["spec"]["replicas"] == 3
    problem(world.ask("POST", f"{HERE}/processes/none/restart"), "not-found")
    world.ask("PATCH", HERE, json={"spec": {"suspended": True}})
    problem(world.ask("POST", f"{HERE}/restart"), "conflict")


def test_it_is_paused_by_who_may_and_named_and_goes_on(own_world: World) -> None:
    world = own_world
    plan = world.ask("POST", f"{HERE}/pause?dryRun=true", json={"reason": "leak"}).json()
    assert plan == {"changed": True, "rows": []}
    query = "SELECT scope, paused, paused_reason, paused_by FROM skypanel.reconcile_controls"
    assert world.database.execute(query) == []
    answer = world.ask("POST", f"{HERE}/pause", json={"reason": "leak"})
    assert answer.json()["written"] == {"paused": True, "changed": True}, answer.text
    assert world.ask("POST", f"{HERE}/pause", json={"reason": "leak"}).json()["written"]["changed"] is False
    assert world.database.execute(query) == [("object", True, "leak", "owner@example")]
    assert world.ask("POST", f"{HERE}/resume").json()["written"] == {"paused": False, "changed": True}
    assert world.ask("POST", f"{HERE}/resume").json()["written"]["changed"] is False
    whole = "/api/admin/organizations/acme"
    assert world.ask("POST", f"{whole}/pause", "platform").json()["written"]["changed"] is True
    assert world.database.execute(f"{query} WHERE paused")[0][0] == "organization"
    assert world.ask("POST", f"{whole}/resume", "platform").json()["written"]["changed"] is True
    problem(world.ask("POST", f"{HERE}/pause", "deployer"), "forbidden")


def test_the_controller_is_asked_to_look_now(own_world: World) -> None:
    world = own_world
    answer = world.ask("POST", f"{HERE}/reconcile")
    assert answer.status_code == 202, answer.text
    token = world.database.one("SELECT reconcile_token FROM skypanel.reconcile_controls")
    key = {"Idempotency-Key": "once"}
    first = world.ask("POST", f"{HERE}/reconcile", headers=key)
    assert world.database.one("SELECT reconcile_token FROM skypanel.reconcile_controls") != token
    token = world.database.one("SELECT reconcile_token FROM skypanel.reconcile_controls")
    assert world.ask("POST", f"{HERE}/reconcile", headers=key).content == first.content
    assert world.database.one("SELECT reconcile_token FROM skypanel.reconcile_controls") == token


@pytest.mark.parametrize("deed", ["deploy", "rollback", "promote", "restart", "pause", "resume", "reconcile"])
def test_nothing_is_done_with_what_is_not_there_or_goes(own_world: World, deed: str) -> None:
    world = own_world
    body = {"deploy": {"tag": "2"}, "promote": {"from": "production"}}.get(deed, {})
    problem(world.ask("POST", f"{BASE}/none/{deed}", json=body), "not-found")
    problem(world.ask("POST", f"{HERE}/{deed}", "other", json=body), "not-found")


def test_a_deed_without_a_body_needs_no_form_and_one_with_needs_it(world: World) -> None:
    problem(world.ask("POST", f"{HERE}/deploy"), "unsupported-media-type")
    problem(world.ask("POST", f"{HERE}/restart", content=b"{}"), "unsupported-media-type")
