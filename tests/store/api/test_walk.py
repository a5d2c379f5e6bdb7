"""Every operation: as nobody, as another organization's member, as one who may only read; what the document says."""

from __future__ import annotations

import re
from typing import Any

import pytest

from controller.api.examples import names
from controller.api.operations import Operation
from controller.api.problems import types
from controller.api.routes import operations
from specs.kinds import KINDS
from tests.store.api.conftest import World

ALL = operations()
_NAMES = {name: value for kind in KINDS for name, value in names(kind).items()} | {
    "release": "1",
    "token": "0" * 12,
    "binding": "ci",
}
OWN = {"organization": "acme", "app": "shop", "environment": "production"}


def address_of(operation: Operation, **own: str) -> str:
    return operation.address.format(**{**_NAMES, **own})


def ask(world: World, operation: Operation, who: str, **own: str) -> Any:
    address = address_of(operation, **own)
    more: dict[str, Any] = {"json": operation.sent} if operation.forms else {}
    if "seconds" in operation.queried:  # else it has no end
        more["params"] = {"seconds": 1}
    return world.ask(operation.method, address, who, **more)


def of_tenants(operation: Operation) -> bool:
    return "{organization}" in operation.address


@pytest.mark.parametrize("operation", ALL, ids=lambda o: o.name)
def test_nobody_learns_anything(world: World, operation: Operation) -> None:
    for who in ("", "wrong"):
        answer = ask(world, operation, who)
        assert answer.status_code == 401, answer.text
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert not re.search("acme|globex", answer.json()["detail"])


@pytest.mark.parametrize("operation", [o for o in ALL if of_tenants(o)], ids=lambda o: o.name)
def test_what_is_another_organizations_is_not_told_from_what_is_not_there(world: World, operation: Operation) -> None:
    there = ask(world, operation, "other", **OWN)
    absent = ask(world, operation, "other", organization="nobody")
    assert there.status_code == absent.status_code == 404, there.text
    said = [{k: v for k, v in a.json().items() if k not in ("request", "instance")} for a in (there, absent)]
    assert said[0] == said[1]


@pytest.mark.parametrize("operation", [o for o in ALL if o.writes], ids=lambda o: o.name)
def test_who_may_only_read_writes_nothing_and_that_is_on_record(world: World, operation: Operation) -> None:
    before = world.database.one("SELECT count(*) FROM skypanel.audit_unsealed WHERE entry ->> 'did' = 'refused'")
    answer = ask(world, operation, "viewer", **OWN)
    assert answer.status_code == 403, answer.text
    after = world.database.one("SELECT count(*) FROM skypanel.audit_unsealed WHERE entry ->> 'did' = 'refused'")
    assert after == before + 1


@pytest.mark.parametrize("operation", [o for o in ALL if o.method == "GET"], ids=lambda o: o.name)
def test_what_is_read_never_fails_here(world: World, operation: Operation) -> None:
    answer = ask(world, operation, "owner", **OWN)
    ours = "/admin/" not in operation.address
    assert answer.status_code in (200, 400, 404, *(() if ours else (403,))), answer.text


def test_every_operation_has_a_summary_an_example_and_problems(world: World) -> None:
    document = world.client.get("/openapi.json").json()
    assert document["openapi"] == "3.1.0"
    assert set(document["paths"]) == {operation.address for operation in ALL}
    seen: set[str] = set()
    for path, methods in document["paths"].items():
        for method, said in methods.items():
            assert said["summary"].endswith("."), (path, method)
            assert said["operationId"] not in seen
            seen.add(said["operationId"])
            assert "401" in said["responses"], (path, method)
            done = [answer for code, answer in said["responses"].items() if code < "300"]
            assert done
            assert all(form["example"] is not None for a in done for form in a["content"].values())
            bodies = said.get("requestBody", {}).get("content", {})
            assert all("example" in body for form, body in bodies.items() if form.endswith("json"))


def test_every_kind_has_an_example_that_can_be_declared() -> None:
    for kind, cls in KINDS.items():
        own = dict(names(kind))
        document = {"metadata": {"name": own.pop(cls.word()), **own}, "kind": kind, "spec": dict(cls.facts.example)}
        cls.model_validate(document)


def test_each_problem_has_a_page_where_its_address_leads(world: World) -> None:
    for name, kind in types().items():
        page = world.client.get(kind.address)
        assert page.status_code == 200
        assert f"## {name}" in page.text
    assert world.client.get("/problems/none").status_code == 404
    assert all(kind.mend in world.client.get("/problems").text for kind in types().values())


def test_it_says_that_it_lives_and_that_it_reaches_the_database(world: World) -> None:
    assert world.client.get("/healthz").text == "ok\n"
    assert world.client.get("/readyz").json() == {"ready": True, "database": True}
    assert (
        world.client.get("/healthz", headers={"Origin": "https://x"}).headers.get("access-control-allow-origin") is None
    )


def test_editors_get_the_schemas_without_a_token(world: World) -> None:
    whole = world.client.get("/schemas/skypanel.json")
    assert whole.headers["Content-Type"] == "application/schema+json"
    for each in whole.json()["allOf"]:  # one beside the other
        assert world.client.get(f"/schemas/{each['then']['$ref']}").status_code == 200
    assert world.client.get("/schemas/none.json").status_code == 404
