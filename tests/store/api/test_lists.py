"""Lists, in pages; sets of specs; who calls; events."""

from __future__ import annotations

from typing import Any

from tests.store.api.conftest import BASE, World
from tests.store.api.test_objects import SPEC, problem


def test_a_list_comes_in_pages_that_leave_nothing_out(own_world: World) -> None:
    world = own_world
    for number in range(5):
        assert world.ask("PUT", f"{BASE}/e{number}", json={"spec": SPEC}).status_code == 201
    names: list[str] = []
    address = f"{BASE}?limit=2"
    while address:
        answer = world.ask("GET", address)
        assert answer.status_code == 200, answer.text
        names += [item["metadata"]["name"] for item in answer.json()["items"]]
        cursor = answer.json()["next"]
        address = f"{BASE}?limit=2&cursor={cursor}" if cursor else ""
        assert (f"cursor={cursor}" in answer.headers.get("Link", "")) == bool(cursor)
    assert names == ["e0", "e1", "e2", "e3", "e4", "production"]


def test_a_cursor_is_good_for_its_own_list_alone(own_world: World) -> None:
    world = own_world
    world.ask("PUT", f"{BASE}/another", json={"spec": SPEC})
    cursor = world.ask("GET", f"{BASE}?limit=1").json()["next"]
    assert world.ask("GET", f"{BASE}?limit=5&cursor={cursor}").status_code == 200
    problem(world.ask("GET", f"{BASE}?limit=1&cursor={cursor}&reason=Pending"), "malformed")
    problem(world.ask("GET", f"/api/paas/environments?cursor={cursor}"), "malformed")
    problem(world.ask("GET", f"{BASE}?cursor={cursor[:-2]}AA"), "malformed")
    problem(world.ask("GET", f"{BASE}?cursor=%C3%A4"), "malformed")


def test_filters_and_fields_choose(world: World) -> None:
    assert world.ask("GET", f"{BASE}?reason=Pending&ready=false").json()["items"]
    assert world.ask("GET", f"{BASE}?ready=true").json()["items"] == []
    (item,) = world.ask("GET", f"{BASE}?fields=metadata").json()["items"]
    assert "status" not in item
    assert item["metadata"]["name"] == "production"
    problem(world.ask("GET", f"{BASE}?fields=secrets"), "malformed")
    problem(world.ask("GET", f"{BASE}?limit=0"), "malformed")
    problem(world.ask("GET", f"{BASE}?limit=2&limit=3"), "malformed")
    problem(world.ask("GET", "/api/paas/organizations/acme/apps/none/environments"), "not-found")


def test_an_organization_sees_its_own_alone_and_the_platform_all(world: World) -> None:
    def organizations(who: str, more: str = "") -> set[str]:
        items = world.ask("GET", f"/api/paas/environments{more}", who).json()["items"]
        return {item["metadata"]["organization"] for item in items}

    assert organizations("owner") == {"acme"}
    assert organizations("other") == {"globex"}
    assert organizations("platform") == {"acme", "globex"}
    assert organizations("owner", "?organization=globex") == set()
    assert organizations("platform", "?organization=globex") == {"globex"}


def test_an_app_is_listed_as_its_environments_are(world: World) -> None:
    (item,) = world.ask("GET", "/api/paas/apps").json()["items"]
    assert item["status"]["details"]["environments"] >= 1


def test_a_set_is_planned_and_declared_as_a_whole(own_world: World) -> None:
    world = own_world
    environment = {
        "apiVersion": "skypanel.io/v1",
        "kind": "Environment",
        "metadata": {"name": "staging", "app": "blog", "organization": "acme"},
        "spec": SPEC,
    }
    app = {"apiVersion": "skypanel.io/v1", "kind": "App", "metadata": {"name": "blog", "organization": "acme"}}
    items = {"items": [environment, app]}
    plan = world.ask("POST", "/api/plan", json=items)
    assert plan.status_code == 200, plan.text
    assert [(row["kind"], row["action"]) for row in plan.json()["rows"]] == [
        ("App", "created"),
        ("Environment", "created"),
    ]
    problem(world.ask("POST", "/api/apply", json={"items": [environment]}), "conflict")
    written = world.ask("POST", "/api/apply", json=items)
    assert [each["action"] for each in written.json()["written"]] == ["created", "created"], written.text
    wrong = {"items": [app, {**environment, "spec": {"replicas": -1}}]}
    found = problem(world.ask("POST", "/api/plan", json=wrong), "invalid")
    assert found["errors"][0]["pointer"] == "/items/1/spec/replicas"
    text = "apiVersion: skypanel.io/v1\nkind: App\nmetadata: {name: blog, organization: acme}\n"
    yaml = world.ask("POST", "/api/plan", content=text, headers={"Content-Type": "application/yaml"})
    assert yaml.json()["changed"] is False, yaml.text
    alien = {**app, "metadata": {"name": "blog", "organization": "globex"}}
    problem(world.ask("POST", "/api/apply", json={"items": [alien]}), "not-found")
    problem(world.ask("POST", "/api/apply", "viewer", json={"items": [app]}), "forbidden")
    strange: Any
    for strange in ([], {}, 7, "x", [[]], {"items": [7]}, {"items": {"a": 1}}, [app, app]):
        problem(world.ask("POST", "/api/plan", json=strange), "invalid")


def test_who_calls_is_said_and_what_he_may(world: World) -> None:
    assert world.ask("GET", "/api/whoami").json()["organization"]["name"] == "acme"
    assert world.ask("GET", "/api/whoami", "platform").json()["platform"] is True
    assert world.ask("GET", "/api/can?verb=write&kind=environment", "viewer").json()["may"] is False
    assert world.ask("GET", "/api/can?verb=write&kind=environment").json()["may"] is True
    problem(world.ask("GET", "/api/can"), "malformed")


def test_events_are_those_of_ones_own(own_world: World) -> None:
    world = own_world
    for tenant in (world.acme, world.globex):
        world.database.execute(
            "INSERT INTO skypanel.events (kind, object_id, organization_id, type, reason, message)"
            " VALUES ('environment', %s, %s, 'Warning', 'CrashLoop', 'it ends again and again')",
            tenant.environment, tenant.organization,
        )  # fmt: skip
    (event,) = world.ask("GET", "/api/events").json()["items"]
    assert event["path"] == "acme/shop/production"
    assert len(world.ask("GET", "/api/events", "platform").json()["items"]) == 2
    assert world.ask("GET", "/api/events?kind=app").json()["items"] == []
    assert len(world.ask("GET", "/api/events?path=acme/shop").json()["items"]) == 1


def test_a_name_may_be_any_text_that_is_asked_for(world: World) -> None:
    for text in ("%25", "a%25sb", "%25(kind)s", "{0}", "'", '"', "%5C", "%F0%9F%8F%BB"):
        problem(world.ask("GET", f"{BASE}/{text}"), "not-found")
        problem(world.ask("POST", f"{BASE}/{text}/reconcile"), "not-found")
        assert world.ask("GET", f"{BASE}?reason={text}").json()["items"] == []
        assert world.ask("GET", f"/api/events?path={text}").json()["items"] == []
        problem(world.ask("GET", f"/api/admin/organizations/{text}", "platform"), "not-found")
        answer = world.ask("GET", f"/api/paas/environments?organization={text}", "platform")
        assert answer.json()["items"] == []
