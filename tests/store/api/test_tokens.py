"""API tokens by those who really have them: shown once, kept nowhere, and never more than who makes one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from controller.access.token_text import hash_of, is_token
from controller.actions.tokens import Asked, create
from controller.api.access import real
from controller.api.app import make_app
from controller.settings import Settings
from tests.store.api.test_config import everything
from tests.store.api.test_objects import problem
from tests.store.conftest import Database, Tenant, make_tenant

AT = "/api/paas/organizations/acme/tokens"
PLATFORM = "/api/admin/tokens"


@dataclass
class Gate:
    """The API with tokens of ours alone."""

    database: Database
    client: TestClient
    acme: Tenant

    def token(self, **asked: Any) -> str:
        wanted = {"name": "t", "organization": "acme", **asked}
        return create(self.database.session("panel"), Asked(**wanted)).token

    def ask(self, method: str, address: str, token: str, **more: Any) -> Any:
        headers = {"Authorization": f"Bearer {token}", **more.pop("headers", {})}
        return self.client.request(method, address, headers=headers, **more)


@pytest.fixture
def gate(database: Database) -> Iterator[Gate]:
    acme = make_tenant(database)
    make_tenant(database, "globex")
    settings = Settings(
        skypanel_api_database_url=SecretStr(database.dsn("api")),
        skypanel_api_requests_per_minute=0,
        docker_host="tcp://127.0.0.1:1",
    )
    with TestClient(make_app(settings, {}, access=real(settings)), raise_server_exceptions=False) as client:
        yield Gate(database, client, acme)


def test_a_token_is_made_shown_once_used_and_ended(gate: Gate, capfd: pytest.CaptureFixture[str]) -> None:
    admin = gate.token(role="admin")
    body = {"name": "ci-deploy", "apps": ["shop"], "verbs": ["read", "deploy"], "expires": "30d"}
    answer = gate.ask("POST", AT, admin, json=body)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert is_token(made["token"])
    assert answer.headers["Cache-Control"] == "no-store"
    assert (made["role"], made["apps"], made["verbs"], made["state"]) == (
        "member",
        ["shop"],
        ["read", "deploy"],
        "good",
    )
    assert made["madeBy"] == "machine t"
    one = answer.headers["Location"]
    assert gate.ask("GET", "/api/whoami", made["token"]).json()["actor"] == "machine ci-deploy"
    seen = [gate.ask("GET", address, admin).text for address in (AT, one, "/api/events")]
    assert made["id"] in seen[0]
    assert gate.ask("GET", one, admin).json()["usedAt"]

    rotated = gate.ask("POST", f"{one}/rotate", admin, json={"overlap": "0"}).json()
    assert rotated["id"] == made["id"]
    assert gate.ask("GET", "/api/whoami", made["token"]).status_code == 401
    assert gate.ask("GET", "/api/whoami", rotated["token"]).status_code == 200
    ended = gate.ask("DELETE", one, admin)
    assert ended.json()["state"] == "revoked", ended.text
    assert gate.ask("GET", "/api/whoami", rotated["token"]).status_code == 401
    problem(gate.ask("DELETE", one, admin), "conflict")
    problem(gate.ask("POST", f"{one}/rotate", admin), "conflict")
    assert made["id"] not in gate.ask("GET", AT, admin).text
    assert made["id"] in gate.ask("GET", f"{AT}?all=true", admin).text
    shown = "\n".join([*seen, ended.text, everything(gate.database), *capfd.readouterr()])
    for secret in (made["token"], rotated["token"]):
        assert secret not in shown
        assert secret.rpartition("_")[2][:20] not in shown


def test_a_key_makes_one_token_alone_and_never_shows_it_again(gate: Gate) -> None:
    admin = gate.token(role="admin")
    key = {"Idempotency-Key": "make-1"}
    first = gate.ask("POST", AT, admin, json={"name": "a"}, headers=key).json()
    again = gate.ask("POST", AT, admin, json={"name": "a"}, headers=key)
    assert again.json() == {**first, "token": None}
    assert again.headers["Idempotency-Replayed"] == "true"
    assert gate.database.one("SELECT count(*) FROM skypanel.api_tokens") == 2
    kept = bytes(gate.database.one("SELECT body FROM skypanel.api_idempotency"))
    assert first["token"].encode() not in kept
    plan = gate.ask("POST", f"{AT}?dryRun=true", admin, json={"name": "b"})
    assert plan.json() == {"changed": True, "rows": []}
    assert gate.database.one("SELECT count(*) FROM skypanel.api_tokens") == 2


def test_nobody_gives_more_than_he_has(gate: Gate) -> None:
    admin = gate.token(role="admin")
    limited = gate.token(role="owner", verbs=["read", "admin"])
    owners = gate.token(name="owners", role="owner")
    owned = next(each["id"] for each in gate.ask("GET", AT, admin).json()["items"] if each["name"] == "owners")
    problem(gate.ask("POST", AT, admin, json={"name": "x", "role": "owner"}), "forbidden")
    problem(gate.ask("POST", f"{AT}/{owned}/rotate", admin), "forbidden")
    problem(gate.ask("POST", AT, limited, json={"name": "x"}), "forbidden")
    problem(gate.ask("POST", AT, limited, json={"name": "x", "verbs": ["write"]}), "forbidden")
    problem(gate.ask("POST", f"{AT}/{owned}/rotate", limited), "forbidden")
    assert gate.ask("POST", AT, limited, json={"name": "x", "verbs": ["read"]}).status_code == 201
    assert gate.ask("GET", "/api/whoami", owners).status_code == 200, "its rotation was refused"
    for role in ("member", "viewer"):
        problem(gate.ask("POST", AT, gate.token(role=role), json={"name": "x"}), "forbidden")
        problem(gate.ask("GET", AT, gate.token(role=role)), "forbidden")
    problem(gate.ask("GET", AT, gate.token(role="owner", apps=["shop"])), "not-found")
    problem(gate.ask("POST", AT, admin, json={"name": "x", "role": "platform-admin"}), "forbidden")
    for method, address in (("GET", PLATFORM), ("POST", PLATFORM)):
        more: dict[str, Any] = {"json": {"name": "x"}} if method == "POST" else {}
        problem(gate.ask(method, address, gate.token(role="owner"), **more), "forbidden")


def test_a_users_token_is_his_own(gate: Gate) -> None:
    database = gate.database
    user = database.one(
        "INSERT INTO users (email, password_hash, name) VALUES ('ada@example.com', 'x', 'Ada') RETURNING id",
        role="panel",
    )
    assert isinstance(user, UUID)
    database.execute(
        "INSERT INTO organization_members (organization_id, user_id, role) VALUES (%s, %s, 'admin')",
        gate.acme.organization, user, role="panel",
    )  # fmt: skip
    hers = gate.token(name="hers", user="ada@example.com")
    made = gate.ask("POST", AT, hers, json={"name": "laptop", "mine": True})
    assert made.status_code == 201, made.text
    assert (made.json()["user"], made.json()["role"]) == ("ada@example.com", "admin")
    one = made.headers["Location"]
    owner = gate.token(role="owner")
    problem(gate.ask("POST", f"{one}/rotate", owner), "forbidden")
    problem(gate.ask("POST", AT, owner, json={"name": "x", "mine": True}), "invalid")
    problem(gate.ask("POST", AT, hers, json={"name": "x", "mine": True, "role": "owner"}), "forbidden")
    assert gate.ask("POST", f"{one}/rotate", hers).status_code == 200
    assert gate.ask("DELETE", one, owner).json()["state"] == "revoked"


def test_what_is_another_organizations_or_the_platforms_is_not_there(gate: Gate) -> None:
    admin, root = gate.token(role="admin"), gate.token(organization="", role="platform-admin")
    other = gate.token(name="other", organization="globex", role="owner")
    ids = {row[1]: row[0] for row in gate.database.execute("SELECT id, hash FROM skypanel.api_tokens")}
    theirs, platforms = (ids[hash_of(token)] for token in (other, root))
    for token_id in (theirs, platforms, "0" * 12):
        problem(gate.ask("GET", f"{AT}/{token_id}", admin), "not-found")
        problem(gate.ask("DELETE", f"{AT}/{token_id}", admin), "not-found")
        problem(gate.ask("POST", f"{AT}/{token_id}/rotate", admin), "not-found")
    problem(gate.ask("GET", AT, other), "not-found")
    problem(gate.ask("DELETE", f"{PLATFORM}/{theirs}", root), "not-found")
    assert [each["id"] for each in gate.ask("GET", PLATFORM, root).json()["items"]] == [platforms]
    made = gate.ask("POST", PLATFORM, root, json={"name": "watch"})
    assert made.json()["role"] == "platform-viewer", made.text
    assert gate.ask("POST", AT, root, json={"name": "given", "role": "owner"}).status_code == 201
    reader = gate.token(organization="", role="platform-viewer")
    problem(gate.ask("POST", PLATFORM, reader, json={"name": "x"}), "forbidden")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/name"),
        ({"name": "x", "role": "king"}, "/role"),
        ({"name": "x", "verbs": ["read", "fly"]}, "/verbs/1"),
        ({"name": "x", "verbs": [7]}, "/verbs"),
        ({"name": "x", "apps": ["a"] * 101}, "/apps"),
        ({"name": "x", "expires": "never"}, "/expires"),
        ({"name": "x", "expires": "367d"}, "/expires"),
        ({"name": "x", "hash": "y"}, "/hash"),
        ([], ""),
    ],
)
def test_each_word_that_is_none_is_pointed_to(gate: Gate, body: Any, pointer: str) -> None:
    found = problem(gate.ask("POST", AT, gate.token(role="owner"), json=body), "invalid")
    assert [error["pointer"] for error in found["errors"]] == [pointer]


def test_an_app_that_is_not_there_and_a_name_that_is_none_are_refused(gate: Gate) -> None:
    admin = gate.token(role="admin")
    problem(gate.ask("POST", AT, admin, json={"name": "x", "apps": ["none"]}), "conflict")
    problem(gate.ask("POST", AT, admin, json={"name": "a b"}), "conflict")


def test_tokens_that_somebody_makes_up_are_counted_together_and_keep_nobody_out(database: Database) -> None:
    make_tenant(database)
    good = create(database.session("panel"), Asked("t", "acme")).token
    settings = Settings(
        skypanel_api_database_url=SecretStr(database.dsn("api")),
        skypanel_api_requests_per_minute=8,  # two at once
        docker_host="tcp://127.0.0.1:1",
    )
    with TestClient(make_app(settings, {}, access=real(settings)), raise_server_exceptions=False) as client:

        def ask(token: str) -> int:
            return client.get("/api/whoami", headers={"Authorization": f"Bearer {token}"}).status_code

        assert ask(good) == 200
        assert 429 in [ask(f"made-up-{number}") for number in range(8)]
        assert ask(good) == 200
