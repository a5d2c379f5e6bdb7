"""The catalogue over the API: stacks, buildpacks and templates, and apps that are made of a template."""

from __future__ import annotations

from typing import Any

import pytest

from tests.store.api.conftest import World
from tests.store.api.test_config import everything
from tests.store.api.test_objects import problem

ADMIN = "/api/admin"
BUILDPACK = {"version": "2.1.0", "source": "docker://docker.io/paketobuildpacks/python:2.1.0"}
STACK = {"builderImage": "docker.io/a/builder:1", "runImage": "docker.io/a/run:1"}
BLOG: dict[str, Any] = {
    "image": "docker.io/library/blog:1",
    "repoUrl": "https://git.example.com/templates/blog.git",
    "environment": {"port": 8080, "tmpfs": ["/tmp", "/var/cache"]},
    "processes": {"web": {"port": 8080}, "worker": {"args": ["work"], "replicas": 2}},
    "config": {
        "SECRET_KEY": {"generate": 48},
        "ADMIN_EMAIL": {"required": True, "description": "who is told"},
        "THEME": {"value": "plain"},
    },
}
AT = "/api/paas/organizations/acme/templates/blog/deploy"


def put(world: World, kind: str, name: str, spec: dict[str, Any], who: str = "platform", **headers: str) -> Any:
    headers = headers or {"If-None-Match": "*"}
    return world.ask("PUT", f"{ADMIN}/{kind}/{name}", who, json={"spec": spec}, headers=headers)


@pytest.fixture
def world(own_world: World) -> World:
    answer = put(own_world, "templates", "blog", BLOG)
    assert answer.status_code == 201, answer.text
    return own_world


def test_a_stack_has_its_buildpacks_in_an_order_whoever_writes_it(world: World) -> None:
    database = world.database
    problem(put(world, "stacks", "jammy", {**STACK, "buildpacks": ["python"]}), "conflict")
    for name in ("python", "node"):
        assert put(world, "buildpacks", name, {**BUILDPACK, "id": f"paketo-buildpacks/{name}"}).status_code == 201
    assert put(world, "stacks", "jammy", {**STACK, "buildpacks": ["python", "node"]}).status_code == 201
    order = (
        "SELECT array_agg(b.slug ORDER BY x.order_index) FROM paas_stack_buildpacks x"
        " JOIN paas_buildpacks b ON b.id = x.buildpack_id"
    )
    assert database.one(order) == ["python", "node"]
    database.execute("UPDATE paas_stack_buildpacks SET order_index = 1 - order_index", role="panel")
    said = world.ask("GET", f"{ADMIN}/stacks/jammy", "platform")
    assert said.json()["spec"]["buildpacks"] == ["node", "python"]
    assert said.json()["status"]["ready"] is None, "nothing is said of what nothing is built with"
    database.execute("UPDATE paas_buildpacks SET slug = 'nodejs' WHERE slug = 'node'", role="panel")
    assert world.ask("GET", f"{ADMIN}/stacks/jammy", "platform").json()["spec"]["buildpacks"] == ["nodejs", "python"]
    problem(world.ask("DELETE", f"{ADMIN}/buildpacks/python", "platform", headers={"If-Match": "*"}), "conflict")
    assert put(world, "stacks", "jammy", {**STACK, "buildpacks": ["nodejs"]}, **{"If-Match": "*"}).status_code == 200
    assert world.ask("DELETE", f"{ADMIN}/buildpacks/python", "platform", headers={"If-Match": "*"}).status_code == 200
    assert database.one(order) == ["nodejs"]
    database.execute("INSERT INTO paas_buildpacks (name, version, source_uri) VALUES ('a/Go', '1.2', 'https://x.y/z')")
    assert database.one("SELECT slug FROM paas_buildpacks WHERE name = 'a/Go'") == "a-go-1-2"


def test_tenants_read_what_is_offered_and_write_none_of_it(world: World) -> None:
    assert put(world, "templates", "old", {**BLOG, "enabled": False}).status_code == 201
    listed = "/api/paas/templates"
    assert [each["metadata"]["name"] for each in world.ask("GET", listed).json()["items"]] == ["blog"]
    assert len(world.ask("GET", listed, "platform").json()["items"]) == 2
    assert world.ask("GET", f"{listed}/blog").status_code == 200
    problem(world.ask("GET", f"{listed}/old"), "not-found")
    problem(put(world, "templates", "mine", BLOG, "viewer"), "forbidden")
    problem(world.ask("POST", AT.replace("blog", "old"), json={"app": "x"}), "not-found")


@pytest.mark.parametrize(
    ("spec", "pointer"),
    [
        ({"image": "UPPER:1"}, "/spec/image"),
        ({}, "/spec/image"),
        ({"deployMode": "buildpack"}, "/spec/repoUrl"),
        ({**BLOG, "environment": {"image": "x:1"}}, "/spec/environment/image"),
        ({**BLOG, "environment": {"port": "eighty"}}, "/spec/environment/port"),
        ({**BLOG, "processes": {"worker": {"replicas": -1}}}, "/spec/processes/worker/replicas"),
        ({**BLOG, "config": {"SKYPANEL_X": {"value": "1"}}}, "/spec/config/SKYPANEL_X"),
        ({**BLOG, "config": {"A": {"value": "1", "generate": 20}}}, "/spec/config/A/value"),
        ({**BLOG, "config": {"A": {"generate": 4}}}, "/spec/config/A/generate"),
    ],
)
def test_a_template_that_nothing_could_be_made_of_is_refused_where_it_is_wrong(spec: Any, pointer: str) -> None:
    from controller.api.places import posted  # noqa: PLC0415 - beside what it shows
    from controller.api.problems import pointer as pointer_of  # noqa: PLC0415 - as above
    from specs.kinds import TEMPLATE  # noqa: PLC0415 - as above
    from specs.problems import InvalidSpec  # noqa: PLC0415 - as above

    with pytest.raises(InvalidSpec) as refused:
        posted(TEMPLATE, ("blog",), {"spec": spec})
    assert pointer in [pointer_of(each.path) for each in refused.value.problems]


def test_an_app_is_made_whole_of_a_template_and_secrets_are_told_to_nobody(
    world: World, capfd: pytest.CaptureFixture[str]
) -> None:
    before = world.database.one("SELECT count(*) FROM paas_apps")
    body = {"app": "news", "config": {"ADMIN_EMAIL": "planted-0d41@acme.example"}}
    plan = world.ask("POST", f"{AT}?dryRun=true", json=body)
    assert plan.status_code == 200, plan.text
    assert world.database.one("SELECT count(*) FROM paas_apps") == before
    answer = world.ask("POST", AT, json=body, headers={"Idempotency-Key": "one"})
    assert answer.status_code == 201, answer.text
    assert [row["name"] for row in answer.json()["rows"]] == [
        "acme/news", "acme/news/production", "acme/news/production/web", "acme/news/production/worker",
    ]  # fmt: skip
    assert answer.json()["config"] == ["ADMIN_EMAIL", "SECRET_KEY", "THEME"]
    one = world.ask("GET", answer.headers["Location"]).json()
    assert (one["spec"]["image"], one["spec"]["port"]) == (BLOG["image"], 8080)
    again = world.ask("POST", AT, json=body, headers={"Idempotency-Key": "one"})
    assert again.json() == answer.json()
    listed = world.ask("GET", f"{answer.headers['Location']}/config")
    assert {each["name"] for each in listed.json()["items"]} == {"ADMIN_EMAIL", "SECRET_KEY", "THEME"}
    shown = "\n".join([plan.text, answer.text, listed.text, everything(world.database), *capfd.readouterr()])
    assert "planted-0d41" not in shown
    problem(world.ask("POST", AT, json=body), "conflict")

    assert put(world, "templates", "blog", {**BLOG, "image": "blog:2"}, **{"If-Match": "*"}).status_code == 200
    assert (
        world.ask("GET", answer.headers["Location"]).json()["metadata"]["generation"] == one["metadata"]["generation"]
    )
    assert world.ask("DELETE", f"{ADMIN}/templates/blog", "platform", headers={"If-Match": "*"}).status_code == 200
    assert world.ask("GET", answer.headers["Location"]).json()["spec"] == one["spec"]


def test_what_cannot_be_deployed_says_why_and_nothing_of_it_is_made(world: World) -> None:
    before = world.database.one("SELECT count(*) FROM paas_apps")
    built = {"deployMode": "buildpack", "repoUrl": "https://git.example.com/a/b.git"}
    assert put(world, "templates", "built", built).status_code == 201
    said = problem(world.ask("POST", AT.replace("blog", "built"), json={"app": "x"}), "conflict")
    assert "nothing is built yet" in said["detail"]
    missing = problem(world.ask("POST", AT, json={"app": "x"}), "conflict")
    assert "ADMIN_EMAIL" in missing["detail"]
    assert "who is told" in missing["errors"][0]["detail"]
    given = {"ADMIN_EMAIL": "a@b.example"}
    unknown = problem(world.ask("POST", AT, json={"app": "x", "config": {**given, "OTHER": "1"}}), "conflict")
    assert "OTHER" in unknown["detail"]
    wrong: list[Any] = [{}, [], {"app": "x", "other": 1}, {"app": "x", "config": {"A B": "1"}}]
    for body in (*wrong, {"app": "x", "config": 1}):
        problem(world.ask("POST", AT, json=body), "invalid")
    for app in ("UPPER", "a/b"):
        problem(world.ask("POST", AT, json={"app": app, "config": given}), "conflict")
    problem(world.ask("POST", AT, json={"app": "x", "plan": "none", "config": given}), "conflict")
    problem(world.ask("POST", AT.replace("blog", "none"), json={"app": "x"}), "not-found")
    for who, name in (("viewer", "forbidden"), ("deployer", "forbidden"), ("other", "not-found")):
        problem(world.ask("POST", AT, who, json={"app": "x", "config": given}), name)
    assert world.database.one("SELECT count(*) FROM paas_apps") == before
