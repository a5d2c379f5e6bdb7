"""Objects: read, made, replaced, changed, deleted, explained; what is refused says what to do."""

from __future__ import annotations

from typing import Any

import pytest

from controller.api.idempotency import prune
from controller.declared.readiness import Progress
from tests.store.api.conftest import BASE, HERE, World

SPEC = {"image": "registry.example.com/web:2", "replicas": 2, "port": 8080}


def problem(answer: Any, name: str) -> dict[str, Any]:
    found: dict[str, Any] = answer.json()
    assert found["type"] == f"/problems/{name}", found
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.status_code == found["status"]
    assert found["request"] == answer.headers["X-Request-Id"]
    return found


def test_an_object_says_what_is_asked_and_how_it_stands(world: World) -> None:
    answer = world.ask("GET", HERE)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert found["spec"]["image"] == "web:1"
    assert found["status"]["tone"] == "on its way"
    assert found["status"]["serves"] is False
    assert found["status"]["mend"]
    assert found["can"] == ["read", "write", "delete"]
    assert answer.headers["ETag"] == f'"g{found["metadata"]["generation"]}"'
    assert answer.headers["Cache-Control"] == "no-store"
    assert len(answer.headers["X-Request-Id"]) == 32


def test_a_new_one_is_made_and_stands_where_location_says(world: World) -> None:
    answer = world.ask("PUT", f"{BASE}/staging", json={"spec": SPEC})
    assert answer.status_code == 201, answer.text
    assert answer.json()["written"] == {"action": "created", "changes": []}
    again = world.ask("GET", answer.headers["Location"])
    assert again.json()["spec"]["replicas"] == 2
    assert again.headers["ETag"] == answer.headers["ETag"]


def test_what_was_read_can_be_sent_back_and_changes_nothing(world: World) -> None:
    read = world.ask("GET", HERE)
    answer = world.ask("PUT", HERE, json=read.json(), headers={"If-Match": read.headers["ETag"]})
    assert answer.status_code == 200, answer.text
    assert answer.json()["written"]["action"] == "unchanged"
    assert answer.headers["ETag"] == read.headers["ETag"]


def test_replacing_needs_the_generation_that_was_seen(world: World) -> None:
    problem(world.ask("PUT", HERE, json={"spec": SPEC}), "precondition-required")
    problem(world.ask("PUT", HERE, json={"spec": SPEC}, headers={"If-Match": '"g999"'}), "precondition-failed")
    problem(world.ask("PUT", HERE, json={"spec": SPEC}, headers={"If-None-Match": "*"}), "precondition-failed")
    problem(world.ask("PUT", f"{BASE}/new", json={"spec": SPEC}, headers={"If-Match": "*"}), "precondition-failed")
    problem(world.ask("PUT", HERE, json={"spec": SPEC}, headers={"If-Match": "7"}), "malformed")


def test_a_patch_changes_what_it_names(own_world: World) -> None:
    world = own_world
    patch = {"spec": {"replicas": 5, "port": None}}
    headers = {"Content-Type": "application/merge-patch+json", **world.tag()}
    answer = world.ask("PATCH", HERE, json=patch, headers=headers)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert found["spec"]["replicas"] == 5
    assert "port" not in found["spec"]
    assert found["spec"]["image"] == "web:1"
    assert {change["field"] for change in found["written"]["changes"]} == {"replicas", "port"}
    problem(world.ask("PATCH", HERE, json=patch, headers=headers), "precondition-failed")
    entry = own_world.database.one(
        "SELECT entry FROM skypanel.audit_unsealed WHERE entry ->> 'did' = 'changed' ORDER BY id DESC LIMIT 1"
    )
    assert entry["said"]["actor"] == "owner@example"
    assert entry["said"]["request"] == answer.headers["X-Request-Id"]


def test_who_may_deploy_alone_changes_the_image_and_nothing_else(own_world: World) -> None:
    deployed = own_world.ask("PATCH", HERE, "deployer", json={"spec": {"image": "web:2"}})
    assert (deployed.status_code, deployed.json()["spec"]["image"]) == (200, "web:2"), deployed.text
    beyond: tuple[Any, ...] = (
        {"spec": {"image": "web:3", "replicas": 5}},
        {"spec": {"port": None}},
        {"spec": {"image": "web:3"}, "metadata": {"renamedFrom": "staging"}},
        {"spec": {}},
        {"spec": None},
        {},
        [],
    )
    for patch in beyond:
        problem(own_world.ask("PATCH", HERE, "deployer", json=patch), "forbidden")
    problem(own_world.ask("PUT", HERE, "deployer", json={"spec": SPEC}, headers={"If-Match": "*"}), "forbidden")
    problem(own_world.ask("DELETE", HERE, "deployer", headers={"If-Match": "*"}), "forbidden")
    assert own_world.ask("GET", HERE).json()["spec"]["image"] == "web:2"


def test_deleting_needs_the_generation_and_says_that_it_goes(own_world: World) -> None:
    world = own_world
    problem(world.ask("DELETE", HERE), "precondition-required")
    plan = world.ask("DELETE", f"{HERE}?dryRun=true", headers=world.tag()).json()
    assert [row["action"] for row in plan["rows"]] == ["deleted"]
    answer = world.ask("DELETE", HERE, headers=world.tag())
    assert answer.status_code == 202, answer.text
    assert answer.json()["status"]["reason"] == "Deleting"
    assert world.ask("GET", HERE).json()["metadata"]["deletedAt"]
    assert world.ask("PUT", HERE, json={"spec": SPEC}).status_code == 201


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"spec": {"replicas": "x"}}, "/spec/replicas"),
        ({"spec": {"imag": "web:1"}}, "/spec/imag"),
        ({"spec": SPEC, "metadata": {"name": "other"}}, "/metadata/name"),
        ({"spec": SPEC, "kind": "App"}, "/kind"),
        ({"spec": SPEC, "owner": "me"}, "/owner"),
        ([], ""),
    ],
)
def test_each_wrong_field_is_named_by_its_pointer(world: World, body: Any, pointer: str) -> None:
    found = problem(world.ask("PUT", f"{BASE}/wrong", json=body), "invalid")
    assert pointer in [error["pointer"] for error in found["errors"]]


def test_what_is_declared_stands_against_it_with_a_pointer_and_a_mend(world: World) -> None:
    found = problem(world.ask("PUT", f"{BASE}/planned", json={"spec": {**SPEC, "plan": "none"}}), "conflict")
    assert found["errors"][0]["pointer"] == "/spec/plan"
    assert "there is no plan none" in found["errors"][0]["detail"]
    found = problem(world.ask("PUT", f"{BASE.replace('shop', 'none')}/x", json={"spec": SPEC}), "conflict")
    assert "its app acme/none does not exist" in found["errors"][0]["detail"]


def test_a_dry_run_answers_the_plan_and_changes_nothing(world: World) -> None:
    before = world.ask("GET", HERE).headers["ETag"]
    answer = world.ask("PATCH", f"{HERE}?dryRun=true", json={"spec": {"replicas": 7}})
    assert answer.status_code == 200, answer.text
    (row,) = answer.json()["rows"]
    assert row["changes"] == [{"field": "replicas", "before": 1, "after": 7}]
    assert "127.0.0.1" not in answer.text
    assert world.ask("GET", HERE).headers["ETag"] == before


def test_waiting_says_how_far_it_came(own_world: World) -> None:
    answer = own_world.ask("PATCH", f"{HERE}?wait=1", json={"spec": {"replicas": 3}})
    assert answer.status_code == 200, answer.text
    waited = answer.json()["waited"]
    assert waited["converged"] is False
    assert "no controller has ever been alive" in waited["why"]


@pytest.mark.parametrize("way", ["patch", "deploy", "apply"])
def test_what_is_ready_but_was_changed_meanwhile_is_not_called_converged(
    own_world: World, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A source that takes it back at once has the environment be ready again, as it was before."""

    def ready(_progress: Progress) -> bool:
        if steps.pop(0) == "undo":
            own_world.database.execute("UPDATE paas_environments SET image_ref = 'shop:0', instances = 9", role="panel")
        return True

    def ask() -> Any:
        if way == "deploy":
            return own_world.ask("POST", f"{HERE}/deploy?wait=5", json={"image": "shop:5"}).json()["waited"]
        if way == "patch":
            return own_world.ask("PATCH", f"{HERE}?wait=5", json={"spec": {"replicas": 3}}).json()["waited"]
        document = own_world.ask("GET", HERE).json()
        sent = {name: document[name] for name in ("apiVersion", "kind")}
        sent |= {"metadata": {name: document["metadata"][name] for name in ("name", "app", "organization")}}
        sent |= {"spec": {"image": "shop:6", "replicas": 2}}
        return own_world.ask("POST", "/api/apply?wait=5", json=[sent]).json()["waited"]

    monkeypatch.setattr(Progress, "converged", property(ready))
    steps = ["go"] * 50
    assert ask()["converged"] is True
    own_world.database.execute("UPDATE paas_environments SET image_ref = 'shop:1', instances = 1", role="panel")
    steps = ["undo", *["go"] * 50]
    waited = ask()
    assert waited["converged"] is False
    assert "changed by somebody else meanwhile" in waited["why"]


def test_the_same_key_is_answered_as_the_first_time(own_world: World) -> None:
    world = own_world
    headers = {"Idempotency-Key": "k-1", "If-None-Match": "*"}
    first = world.ask("PUT", f"{BASE}/once", json={"spec": SPEC}, headers=headers)
    again = world.ask("PUT", f"{BASE}/once", json={"spec": SPEC}, headers=headers)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.headers["Location"] == first.headers["Location"]
    problem(world.ask("PUT", f"{BASE}/twice", json={"spec": SPEC}, headers=headers), "key-reused")
    other = world.ask("PUT", f"{BASE}/once", "second", json={"spec": SPEC}, headers=headers)
    problem(other, "precondition-failed")  # another token of his, which may be limited, is answered by what it may do
    world.database.execute("UPDATE skypanel.api_idempotency SET status = NULL, body = NULL, headers = NULL")
    problem(world.ask("PUT", f"{BASE}/once", json={"spec": SPEC}, headers=headers), "in-progress")
    world.database.execute("UPDATE skypanel.api_idempotency SET made_at = now() - interval '6 minutes'")
    problem(world.ask("PUT", f"{BASE}/once", json={"spec": SPEC}, headers=headers), "precondition-failed")
    assert world.database.one("SELECT count(*) FROM skypanel.api_idempotency") == 0


def test_a_key_is_free_again_where_nothing_was_done_and_goes_after_a_day(own_world: World) -> None:
    world = own_world
    headers = {"Idempotency-Key": "k-2"}
    problem(world.ask("PUT", f"{BASE}/bad", json={"spec": {"replicas": -1}}, headers=headers), "invalid")
    assert world.ask("PUT", f"{BASE}/good", json={"spec": SPEC}, headers=headers).status_code == 201
    world.database.execute("UPDATE skypanel.api_idempotency SET made_at = now() - interval '25 hours'")
    prune(world.database.session("skypanel_owner"))
    assert world.database.one("SELECT count(*) FROM skypanel.api_idempotency") == 0


def test_explain_says_the_cause_first_and_nothing_of_the_platform(world: World) -> None:
    answer = world.ask("GET", f"{HERE}/explain")
    assert answer.status_code == 200, answer.text
    assert answer.json()["cause"]["link"] == "controller"
    assert "127.0.0.1" not in answer.text
    problem(world.ask("GET", f"{BASE}/none/explain"), "not-found")


def test_a_head_has_the_headers_of_a_get(world: World) -> None:
    answer = world.ask("HEAD", HERE)
    assert answer.status_code == 200
    assert answer.headers["ETag"]


def test_what_cannot_be_read_is_said(world: World) -> None:
    def send(content: bytes, form: str = "application/json", method: str = "PUT", address: str = HERE) -> Any:
        return world.ask(method, address, content=content, headers={"Content-Type": form})

    problem(send(b"{"), "malformed")
    problem(send(b"[" * 5000), "malformed")
    problem(send(b'{"spec": ' * 100 + b"1" + b"}" * 100), "malformed")
    problem(send(b"{}", "text/plain"), "unsupported-media-type")
    problem(send(b" " * 1_100_000), "too-large")
    problem(send(b"", method="GET", address=f"{HERE}?wait=5"), "malformed")
    assert "/healthz" not in send(b"", method="POST").headers
    found = problem(send(b"", method="POST"), "method-not-allowed")
    assert "PATCH" in found["detail"]
    problem(world.ask("GET", "/api/none"), "not-found")
    problem(world.ask("GET", f"{BASE}/a%00b"), "not-found")


def test_a_plan_belongs_to_the_platform(own_world: World) -> None:
    world = own_world
    spec = {"spec": {"cpu": "0.5", "memory": "64Mi"}}
    assert world.ask("PUT", "/api/admin/plans/mini", "platform", json=spec).status_code == 201
    assert world.ask("GET", "/api/paas/plans/mini").status_code == 200
    problem(world.ask("PUT", "/api/paas/plans/mini", "platform", json=spec), "method-not-allowed")
    tag = world.tag("/api/paas/plans/mini")
    assert world.ask("DELETE", "/api/admin/plans/mini", "platform", headers=tag).status_code == 200
    problem(world.ask("GET", "/api/paas/plans/mini"), "not-found")


def test_a_set_prunes_what_is_below_a_path_where_the_caller_may_delete_it(own_world: World) -> None:
    own = {"app": "shop", "organization": "acme"}
    staging = {**own_world.ask("GET", HERE).json(), "metadata": {"name": "staging", **own}}
    assert own_world.ask("POST", "/api/apply", json={"items": [staging]}).status_code == 200
    prune = "?prune=acme/shop"
    planned = own_world.ask("POST", f"/api/plan{prune}", json={"items": [staging]})
    assert {row["name"]: row["action"] for row in planned.json()["rows"]} == {
        "acme/shop/staging": "unchanged",
        "acme/shop/production": "deleted",
    }
    for who, address, name in (
        ("other", f"/api/apply{prune}", "not-found"),
        ("viewer", f"/api/apply{prune}", "forbidden"),
        ("owner", "/api/apply?prune=globex/shop", "not-found"),
        ("owner", "/api/apply?prune=acme/none", "not-found"),
        ("owner", "/api/apply?prune=acme//shop", "malformed"),
    ):
        problem(own_world.ask("POST", address, who, json={"items": [staging]}), name)
        assert own_world.ask("GET", HERE).json()["metadata"]["deletedAt"] is None
    done = own_world.ask("POST", f"/api/apply{prune}", json={"items": [staging]})
    assert [row["action"] for row in done.json()["written"]] == ["unchanged", "deleted"]
    assert own_world.ask("GET", HERE).json()["metadata"]["deletedAt"] is not None
