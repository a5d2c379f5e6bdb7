"""Tokens of an OpenID Connect issuer that listens: with bindings they have a role, and without they have none."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from controller.actions import tokens
from controller.actions.bindings import Asked, create
from controller.actions.permissions import of_token
from controller.api.access import real
from controller.api.app import make_app
from controller.issuers.fetching import NoKeysError, fetch
from controller.settings import Settings
from tests.store.api.issuer import Issuer, listening
from tests.store.api.test_objects import problem
from tests.store.conftest import Database, make_tenant
from tests.unit.access.issuing import AUDIENCE, jwk, token

AT = "/api/paas/organizations/acme/bindings"
SHOP = "/api/paas/organizations/acme/apps/shop"
REPOSITORY = {"repository": ["acme/shop"], "ref": ["refs/heads/main"]}
_SOON = 10.0


@dataclass
class Gate:
    """The API, with an issuer that it trusts."""

    database: Database
    client: TestClient
    issuer: Issuer
    settings: Settings

    def token(self, algorithm: str = "ES256", number: int = 0, **said: Any) -> str:
        claims = {"repository": "acme/shop", "ref": "refs/heads/main", **said}
        return token(algorithm, number, now=int(time.time()), **{"iss": self.issuer.address, **claims})

    def bind(self, name: str = "ci", **asked: Any) -> None:
        wanted = {"issuer": self.issuer.address, "claims": REPOSITORY, "organization": "acme", **asked}
        create(self.database.session("panel"), Asked(name, **wanted), [self.issuer.address])

    def machine(self, **asked: Any) -> str:
        wanted = {"name": "t", "organization": "acme", **asked}
        return tokens.create(self.database.session("panel"), tokens.Asked(**wanted)).token

    def ask(self, method: str, address: str, bearer: str, **more: Any) -> Any:
        headers = {"Authorization": f"Bearer {bearer}", **more.pop("headers", {})}
        return self.client.request(method, address, headers=headers, **more)

    def until(self, bearer: str, status: int) -> Any:
        """The answer, once the API has looked at the issuer."""
        ends = time.monotonic() + _SOON
        while (answer := self.ask("GET", SHOP, bearer)).status_code != status and time.monotonic() < ends:
            time.sleep(0.05)
        assert answer.status_code == status, answer.text
        return answer


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with listening() as found:
        yield found


@pytest.fixture
def gate(database: Database, issuer: Issuer) -> Iterator[Gate]:
    make_tenant(database)
    make_tenant(database, "globex")
    settings = Settings(
        skypanel_api_database_url=SecretStr(database.dsn("api")),
        skypanel_api_requests_per_minute=0,
        skypanel_oidc_issuers=(issuer.address,),
        skypanel_oidc_audience=AUDIENCE,
        docker_host="tcp://127.0.0.1:1",
    )
    with TestClient(make_app(settings, {}, access=real(settings)), raise_server_exceptions=False) as client:
        yield Gate(database, client, issuer, settings)


def test_a_workload_deploys_with_the_token_that_its_issuer_gave_it(gate: Gate) -> None:
    gate.bind(apps=["shop"], verbs=["read", "deploy"])
    gate.until(gate.token(), 200)
    where = f"{SHOP}/environments/production"
    answer = gate.ask("POST", f"{where}/deploy", gate.token(), json={"tag": "2"})
    assert answer.status_code == 200, answer.text
    problem(gate.ask("DELETE", SHOP, gate.token(), headers={"If-Match": "*"}), "forbidden")
    problem(gate.ask("GET", "/api/paas/organizations/globex", gate.token()), "not-found")
    author = gate.database.one(
        "SELECT actor || ' by ' || means FROM skypanel.audit WHERE did = 'changed' ORDER BY at DESC LIMIT 1"
    )
    assert author == f"oidc repo:acme/shop of {gate.issuer.address} by oidc ci"
    who = gate.ask("GET", "/api/whoami", gate.token())
    assert who.json()["means"] == "oidc ci"
    assert gate.database.one("SELECT count(*) FROM skypanel.activity WHERE user_id IS NOT NULL") == 0


def test_a_token_without_a_binding_is_known_and_may_nothing(gate: Gate) -> None:
    gate.bind()
    gate.until(gate.token(), 200)
    wrong_claims: list[dict[str, Any]] = [
        {"ref": "refs/heads/evil"},
        {"repository": "evil/shop"},
        {"repository": None},
        {"ref": [["x"]]},
    ]
    for said in wrong_claims:
        problem(gate.ask("GET", SHOP, gate.token(**said)), "forbidden")
    tricks: dict[str, Any] = {"repository=acme/shop": "x", "repository": "x=acme/shop", "ref=refs/heads/main": "x"}
    problem(gate.ask("GET", SHOP, gate.token(**tricks)), "forbidden")
    problem(gate.ask("GET", SHOP, gate.token(aud="https://other.example")), "unauthenticated")
    problem(gate.ask("GET", SHOP, gate.token(iss="https://evil.example")), "unauthenticated")
    problem(gate.ask("GET", SHOP, gate.token(exp=int(time.time()) - 60)), "unauthenticated")


def test_groups_are_mapped_to_roles_where_somebody_acts(gate: Gate) -> None:
    gate.bind("ops", claims={"groups": ["ops", "sre"]}, organization="", role="platform-admin")
    gate.bind("dev", claims={"groups": ["dev"]}, organization="globex", role="viewer")
    gate.bind("dev", claims={"groups": ["dev"]}, role="admin")
    ops, dev = gate.token(groups=["all", "sre"]), gate.token(groups=["dev"])
    gate.until(ops, 200)
    problem(gate.ask("GET", "/api/whoami", dev), "malformed")  # of two, without a word which
    assert gate.ask("GET", SHOP, dev).status_code == 200
    problem(gate.ask("GET", SHOP.replace("acme", "initech"), dev), "malformed")
    for organization, role in (("acme", "admin"), ("globex", "viewer")):
        here = {"X-Organization-ID": organization}
        assert gate.ask("GET", "/api/whoami", dev, headers=here).json()["role"] == role
    problem(gate.ask("GET", SHOP, dev, headers={"X-Organization-ID": "initech"}), "forbidden")


def test_a_binding_that_is_removed_is_none_with_the_next_request(gate: Gate) -> None:
    owner = gate.machine(role="owner")
    body = {"name": "ci", "claims": {"repository": "acme/shop"}, "role": "viewer"}
    answer = gate.ask("POST", AT, owner, json=body)
    assert (answer.status_code, answer.json()["claims"]) == (201, {"repository": ["acme/shop"]}), answer.text
    assert answer.json()["issuer"] == gate.issuer.address
    gate.until(gate.token(), 200)
    assert [each["name"] for each in gate.ask("GET", AT, owner).json()["items"]] == ["ci"]
    assert gate.ask("GET", answer.headers["Location"], owner).json() == answer.json()
    problem(gate.ask("POST", AT, owner, json=body), "conflict")
    assert gate.ask("DELETE", f"{AT}/ci?dryRun=true", owner).json() == {"changed": True, "rows": []}
    assert gate.ask("DELETE", f"{AT}/ci", owner).json() == answer.json()
    problem(gate.ask("GET", SHOP, gate.token()), "forbidden")
    problem(gate.ask("DELETE", f"{AT}/ci", owner), "not-found")


def test_nobody_gives_tokens_of_an_issuer_more_than_he_has(gate: Gate) -> None:
    admin, member = gate.machine(role="admin"), gate.machine(role="member")
    narrow = gate.machine(role="admin", apps=["shop"])
    body = {"name": "ci", "claims": {"repository": "acme/shop"}}
    problem(gate.ask("POST", AT, admin, json={**body, "role": "owner"}), "forbidden")
    problem(gate.ask("POST", AT, member, json=body), "forbidden")
    problem(gate.ask("GET", AT, member), "forbidden")
    problem(gate.ask("POST", AT, narrow, json=body), "not-found")
    problem(gate.ask("POST", "/api/admin/bindings", admin, json=body), "forbidden")
    problem(gate.ask("POST", AT.replace("acme", "globex"), admin, json=body), "not-found")
    problem(gate.ask("POST", AT, admin, json={**body, "issuer": "https://evil.example"}), "conflict")
    claims: list[dict[str, Any]] = [{}, {"aud": "x"}, {"sub": 7}, {"sub": "*"}]
    wrongs: list[dict[str, Any]] = [{"claims": each} for each in claims]
    for wrong in (*wrongs, {"role": "king"}, {"verbs": ["fly"]}):
        problem(gate.ask("POST", AT, admin, json={**body, **wrong}), "invalid")
    assert gate.database.one("SELECT count(*) FROM skypanel.role_bindings") == 0
    assert gate.ask("POST", AT, admin, json={**body, "apps": ["shop"], "verbs": ["read"]}).status_code == 201


def test_an_organization_has_no_more_bindings_than_can_be_looked_at(gate: Gate) -> None:
    gate.database.execute(
        "INSERT INTO skypanel.role_bindings (name, organization_id, issuer, claims, role)"
        """ SELECT 'n' || n, id, 'https://x.example', '{"sub": ["x"]}', 'viewer'"""
        " FROM organizations, generate_series(1, 99) n WHERE slug = 'acme'",
        role="panel",
    )
    admin, body = gate.machine(role="admin"), {"claims": {"repository": "acme/shop"}}
    assert gate.ask("POST", AT, admin, json={**body, "name": "last"}).status_code == 201
    answer = gate.ask("POST", AT, admin, json={**body, "name": "more"})
    problem(answer, "conflict")
    assert "100 role bindings at most" in answer.text
    gate.bind(organization="globex")
    gate.bind(organization="", role="platform-viewer")
    assert gate.ask("DELETE", f"{AT}/n1", admin).status_code == 200
    assert gate.ask("POST", AT, admin, json={**body, "name": "more"}).status_code == 201


def test_a_new_key_is_found_when_a_token_names_it_and_old_ones_go(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controller.issuers.keeper.AGAIN_SECONDS", 0.0)
    gate.bind()
    gate.until(gate.token(), 200)
    problem(gate.ask("GET", SHOP, gate.token("ES256", 1)), "unauthenticated")
    gate.issuer.keys = [jwk("ES256", 1)]
    gate.until(gate.token("ES256", 1), 200)
    problem(gate.ask("GET", SHOP, gate.token()), "unauthenticated")


def test_an_issuer_that_is_away_is_said_and_others_are_let_in(database: Database) -> None:
    make_tenant(database)
    away = "http://127.0.0.1:1"
    settings = Settings(
        skypanel_api_database_url=SecretStr(database.dsn("api")),
        skypanel_oidc_issuers=(away,),
        skypanel_oidc_audience=AUDIENCE,
        docker_host="tcp://127.0.0.1:1",
    )
    machine = tokens.create(database.session("panel"), tokens.Asked("t", "acme")).token
    with TestClient(make_app(settings, {}, access=real(settings)), raise_server_exceptions=False) as client:
        of_away = {"Authorization": f"Bearer {token(now=int(time.time()), iss=away)}"}
        answer = client.get(SHOP, headers=of_away)
        problem(answer, "unavailable")
        assert answer.headers["Retry-After"] == "5"
        assert client.get(SHOP, headers={"Authorization": f"Bearer {machine}"}).status_code == 200


def test_the_operator_asks_what_a_token_may(gate: Gate) -> None:
    gate.bind(verbs=["read"])
    with gate.database.connect("panel") as conn:
        caller = of_token(conn, gate.token(), "", gate.settings)
    assert (caller.organization_slug, [str(verb) for verb in caller.scope.verbs or ()]) == ("acme", ["read"])


def test_an_issuer_that_answers_otherwise_gives_no_keys(issuer: Issuer) -> None:
    assert [key.name for key in fetch(issuer.address)] == ["ES256-0"]
    issuer.redirect = "http://127.0.0.1:2/"
    with pytest.raises(NoKeysError, match="it answers 302"):
        fetch(issuer.address)
    issuer.redirect, issuer.status = "", 500
    with pytest.raises(NoKeysError, match="it answers 500"):
        fetch(issuer.address)
    issuer.status, issuer.keys = 200, [{"kty": "oct", "k": "x" * (1 << 19)}]
    with pytest.raises(NoKeysError, match="larger than"):
        fetch(issuer.address)
    with pytest.raises(NoKeysError, match="spelled"):
        fetch(f"{issuer.address}/")


def test_an_issuer_that_never_ends_its_answer_is_left(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controller.issuers.fetching._SECONDS", 0.2)
    issuer.drips = True
    with pytest.raises(NoKeysError, match="takes longer than"):
        fetch(issuer.address)
