"""Sessions of browsers: of each sort of token, never more than it, from the console's own pages, and ended at once."""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from pydantic import SecretStr, ValidationError
from starlette.testclient import TestClient

from controller.access.sessions import hash_of
from controller.actions import tokens
from controller.actions.bindings import Asked, create
from controller.actions.doctor import http_api
from controller.api import cookies
from controller.api.access import real
from controller.api.app import make_app
from controller.settings import Settings
from tests.store.api.conftest import HERE
from tests.store.api.issuer import Issuer, listening
from tests.store.api.test_config import everything
from tests.store.api.test_objects import problem
from tests.store.api.test_stream import Stream, serving
from tests.store.api.test_walk import ALL, OWN, address_of, of_tenants
from tests.store.conftest import Database, Tenant, make_tenant
from tests.unit.access.issuing import AUDIENCE, token
from tests.unit.access.test_panel_tokens import SECRET, signed

AT = "/api/session"
WHO = "/api/whoami"
CONSOLE = "https://console.example.com"
OURS = {"Sec-Fetch-Site": "same-origin"}

PAGES: list[tuple[str, dict[str, str], bool]] = [
    ("POST", {}, False),
    ("POST", {"Sec-Fetch-Site": "same-site"}, False),
    ("POST", {"Sec-Fetch-Site": "cross-site", "Origin": CONSOLE}, False),
    ("POST", {"Sec-Fetch-Site": "none"}, False),
    ("POST", {"Origin": "https://evil.example"}, False),
    ("POST", {"Origin": "null"}, False),
    ("POST", {"Sec-Fetch-Site": "same-origin", "Origin": "https://x.console.example.com"}, False),
    ("POST", {"Origin": CONSOLE}, True),
    ("POST", OURS, True),
    ("GET", {}, True),
    ("GET", {"Sec-Fetch-Site": "none"}, True),
    ("GET", {"Sec-Fetch-Site": "same-site"}, False),
    ("GET", {"Sec-Fetch-Site": "cross-site"}, False),
]
"""What a browser says of the page that asks, and whether that is one of the console."""


@dataclass
class Gate:
    """The API with a console, and whoever has a token for it."""

    database: Database
    settings: Settings
    client: TestClient
    acme: Tenant
    issuer: Issuer

    def machine(self, **asked: Any) -> str:
        wanted = {"name": "t", "organization": "acme", **asked}
        return tokens.create(self.database.session("panel"), tokens.Asked(**wanted)).token

    def person(self, lasts: int = 3600, **claims: Any) -> str:
        said = {"userId": str(self.acme.user), "email": "x@example.com", "exp": int(time.time()) + lasts, **claims}
        return signed(said)

    def ask(self, method: str, address: str, cookie: str = "", token: str = "", **more: Any) -> Any:
        headers = {
            **({"Cookie": f"{cookies.NAME}={cookie}"} if cookie else {}),
            **({"Authorization": f"Bearer {token}"} if token else {}),
            **more.pop("headers", OURS),
        }
        self.client.cookies.clear()
        return self.client.request(method, address, headers=headers, **more)

    def begin(self, token: str) -> str:
        answer = self.ask("POST", AT, token=token)
        assert answer.status_code == 201, answer.text
        return cookie_of(answer)


def cookie_of(answer: Any) -> str:
    value: str = answer.headers["Set-Cookie"]
    name, _, rest = value.partition("=")
    assert name == "__Host-skypanel"
    cookie, _, attributes = rest.partition("; ")
    assert {each for each in attributes.split("; ") if not each.startswith("Max-Age=")} == {
        "Path=/",
        "Secure",
        "HttpOnly",
        "SameSite=Strict",
    }
    return cookie


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with listening() as found:
        yield found


@pytest.fixture
def gate(database: Database, issuer: Issuer) -> Iterator[Gate]:
    acme = make_tenant(database)
    make_tenant(database, "globex")
    settings = Settings(
        skypanel_api_database_url=SecretStr(database.dsn("api")),
        skypanel_api_requests_per_minute=0,
        skypanel_console_origin=CONSOLE,
        skypanel_oidc_issuers=(issuer.address,),
        skypanel_oidc_audience=AUDIENCE,
        jwt_secret=SecretStr(SECRET),
        docker_host="tcp://127.0.0.1:1",
    )
    app = make_app(settings, {}, access=real(settings))
    with TestClient(app, base_url=CONSOLE, raise_server_exceptions=False) as client:
        yield Gate(database, settings, client, acme, issuer)


def test_a_token_is_exchanged_for_a_cookie_that_says_who_and_until_when(gate: Gate) -> None:
    answer = gate.ask("POST", AT, token=gate.person())
    cookie, made = cookie_of(answer), answer.json()
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Cookie" in answer.headers["Vary"]
    assert (made["role"], made["organization"]["name"]) == ("owner", "acme")
    said = gate.ask("GET", AT, cookie).json()
    assert said == made
    until = datetime.fromisoformat(said["expiresAt"])
    assert timedelta(minutes=59) < until - datetime.now(UTC) <= timedelta(hours=1), "no longer than its token"
    who = gate.ask("GET", WHO, cookie).json()
    assert who["means"] == f"session {made['session']}"
    assert who["actor"] == f"{gate.acme.user} ops@acme.example"
    merge = {**OURS, "Content-Type": "application/merge-patch+json"}
    changed = gate.ask("PATCH", HERE, cookie, headers=merge, content=b'{"spec": {"replicas": 2}}')
    assert changed.status_code == 200, changed.text
    author = gate.database.one("SELECT means FROM skypanel.audit WHERE did = 'changed' ORDER BY at DESC LIMIT 1")
    assert author == f"session {made['session']}"
    text = "\n".join([answer.text, everything(gate.database)])
    assert cookie not in text
    assert gate.ask("GET", AT, token=gate.machine()).json()["session"] is None
    short = gate.ask("POST", AT, token=gate.machine(expires="366d")).json()
    assert datetime.fromisoformat(short["expiresAt"]) - datetime.now(UTC) <= timedelta(days=7)


def test_whoever_logs_in_and_out_and_is_refused_is_on_record(gate: Gate) -> None:
    cookie = gate.begin(gate.person())
    problem(gate.ask("POST", AT, token="no-such-token"), "unauthenticated")
    out = gate.ask("DELETE", AT, cookie)
    assert out.headers["Set-Cookie"].startswith("__Host-skypanel=; Max-Age=0;")
    answer = gate.ask("GET", WHO, cookie)
    problem(answer, "unauthenticated")
    assert answer.headers["Set-Cookie"].startswith("__Host-skypanel=; Max-Age=0;")
    problem(gate.ask("DELETE", AT, cookie), "unauthenticated")
    problem(gate.ask("DELETE", AT, token=gate.machine()), "not-found")
    (one,) = out.json()["ended"]
    said = gate.database.execute(
        "SELECT did, path, coalesce(entry ->> 'tried', '') FROM skypanel.audit"
        " WHERE kind = 'api_sessions' OR did = 'refused' ORDER BY at"
    )
    assert said == [("created", one, ""), ("refused", None, "login"), ("deleted", one, "")]


def test_all_sessions_of_a_person_end_and_nobody_elses(gate: Gate) -> None:
    mine, other = [gate.begin(gate.person()) for _ in range(3)], gate.begin(gate.machine())
    ended = gate.ask("DELETE", f"{AT}?all=true", token=gate.person())
    assert len(ended.json()["ended"]) == 3
    assert [gate.ask("GET", WHO, each).status_code for each in (*mine, other)] == [401, 401, 401, 200]


def test_a_token_that_is_limited_ends_its_own_sessions_and_not_those_of_its_person(gate: Gate) -> None:
    asked = {"name": "reads", "mine": True, "verbs": ["read"]}
    made = gate.ask("POST", "/api/paas/organizations/acme/tokens", token=gate.person(), json=asked)
    limited, mine = made.json()["token"], gate.begin(gate.person())
    for _ in range(11):
        own = gate.begin(limited)
    assert gate.ask("GET", WHO, mine).status_code == 200, "ten of a token push none of the person's out"
    assert len(gate.ask("DELETE", f"{AT}?all=true", token=limited).json()["ended"]) == 10
    assert [gate.ask("GET", WHO, each).status_code for each in (own, mine)] == [401, 200]
    own = gate.begin(limited)
    assert len(gate.ask("DELETE", f"{AT}?all=true", mine).json()["ended"]) == 2
    assert [gate.ask("GET", WHO, each).status_code for each in (own, mine)] == [401, 401]


def test_of_one_person_the_newest_ten_stay(gate: Gate) -> None:
    made = [gate.begin(gate.person()) for _ in range(12)]
    assert [gate.ask("GET", WHO, each).status_code for each in made] == [401] * 2 + [200] * 10


def test_a_session_that_is_not_used_ends_and_its_use_is_written_rarely(gate: Gate) -> None:
    cookie, database = gate.begin(gate.person(86_400)), gate.database
    database.execute("UPDATE skypanel.api_sessions SET used_at = now() - interval '11 hours'")
    assert gate.ask("GET", WHO, cookie).status_code == 200
    noted = database.one("SELECT used_at FROM skypanel.api_sessions")
    assert datetime.now(UTC) - noted < timedelta(minutes=1)
    assert gate.ask("GET", WHO, cookie).status_code == 200
    assert database.one("SELECT used_at FROM skypanel.api_sessions") == noted
    database.execute("UPDATE skypanel.api_sessions SET used_at = now() - interval '12 hours'")
    problem(gate.ask("GET", WHO, cookie), "unauthenticated")
    gate.begin(gate.machine())
    assert database.one("SELECT count(*) FROM skypanel.api_sessions") == 1, "what has ended is taken away"


def test_it_ends_with_what_it_was_made_of_and_does_not_come_back(gate: Gate) -> None:
    database = gate.database
    machine = gate.machine(name="m")
    of_token, of_user = gate.begin(machine), gate.begin(gate.person())
    token_id = database.one("SELECT id FROM skypanel.api_tokens")
    tokens.revoke(database.session("panel"), token_id)
    problem(gate.ask("GET", WHO, of_token), "unauthenticated")
    assert database.one("SELECT count(*) FROM skypanel.api_sessions") == 1
    database.execute("ALTER TABLE users ADD COLUMN IF NOT EXISTS status text")
    database.execute("UPDATE users SET status = 'suspended'")
    problem(gate.ask("GET", WHO, of_user), "forbidden")
    database.execute("UPDATE users SET status = 'active'")
    problem(gate.ask("GET", WHO, of_user), "unauthenticated")


def test_roles_are_those_of_now_and_never_more_than_its_token(gate: Gate) -> None:
    limited = gate.begin(gate.machine(role="admin", apps=["shop"], verbs=["read"]))
    assert gate.ask("GET", "/api/paas/organizations/acme/apps/shop", limited).status_code == 200
    problem(gate.ask("DELETE", "/api/paas/organizations/acme/apps/shop", limited), "forbidden")
    user = gate.database.one(
        "INSERT INTO users (email, password_hash, name) VALUES ('ada@example.com', 'x', 'Ada') RETURNING id"
    )
    assert isinstance(user, UUID)
    join = "INSERT INTO organization_members (organization_id, user_id, role) VALUES (%s, %s, 'admin')"
    gate.database.execute(join, gate.acme.organization, user)
    hers = gate.begin(gate.person(userId=str(user)))
    assert gate.ask("GET", WHO, hers).json()["role"] == "admin"
    gate.database.execute("UPDATE organization_members SET role = 'member' WHERE user_id = %s", user)
    assert gate.ask("GET", WHO, hers).json()["role"] == "member"
    gate.database.execute("DELETE FROM organization_members WHERE user_id = %s", user)
    problem(gate.ask("GET", WHO, hers), "forbidden")


def test_a_session_of_an_issued_token_is_by_bindings_and_no_longer_than_it(gate: Gate) -> None:
    wanted = Asked("ci", gate.issuer.address, {"groups": ["dev"]}, "acme", "admin")
    create(gate.database.session("panel"), wanted, [gate.issuer.address])
    issued = token(now=int(time.time()), iss=gate.issuer.address, groups=["dev"], exp=int(time.time()) + 600)
    ends = time.monotonic() + 10
    while (answer := gate.ask("POST", AT, token=issued)).status_code == 503 and time.monotonic() < ends:
        time.sleep(0.05)
    cookie = cookie_of(answer)
    said = gate.ask("GET", AT, cookie).json()
    assert said["role"] == "admin"
    assert datetime.fromisoformat(said["expiresAt"]) - datetime.now(UTC) <= timedelta(seconds=600)
    made = gate.ask("POST", "/api/paas/organizations/acme/tokens", cookie, json={"name": "x"})
    assert made.json()["expiresAt"][:16] == said["expiresAt"][:16], made.text
    longer = {"name": "y", "expires": "1h"}
    for who in ({"cookie": cookie}, {"token": issued}):
        problem(gate.ask("POST", "/api/paas/organizations/acme/tokens", json=longer, **who), "invalid")
    gate.database.execute("DELETE FROM skypanel.role_bindings")
    problem(gate.ask("GET", WHO, cookie), "forbidden")


def test_a_person_gives_what_lasts_and_a_token_no_longer_than_itself(gate: Gate) -> None:
    at, body = "/api/paas/organizations/acme/{}", {"name": "b", "claims": {"repository": "acme/shop"}}
    bindings = at.format("bindings")
    cookie, hour = gate.begin(gate.person()), gate.machine(name="h", role="admin", expires="1h")
    assert gate.ask("POST", bindings, cookie, json=body).json()["expiresAt"] is None
    problem(gate.ask("POST", at.format("tokens"), token=hour, json={"name": "x", "expires": "2h"}), "invalid")
    short = gate.ask("POST", at.format("tokens"), token=hour, json={"name": "x"}).json()
    kept = gate.ask("POST", at.format("tokens"), cookie, json={"name": "k", "expires": "30d"}).json()
    bound = gate.ask("POST", bindings, token=hour, json={**body, "name": "c"}).json()
    longer = gate.ask("POST", f"{at.format('tokens')}/{kept['id']}/rotate", token=hour).json()
    within = datetime.now(UTC) + timedelta(hours=1)
    for made in (short, bound, longer):
        assert datetime.fromisoformat(made["expiresAt"]) <= within
    gate.database.execute("UPDATE skypanel.role_bindings SET expires_at = now() WHERE name = 'c'")
    claims = '{"repository": "acme/shop"}'
    found = gate.database.one("SELECT skypanel.bindings_of(%s, %s)", gate.issuer.address, claims)
    assert [each["name"] for each in found] == ["b"]


def test_what_a_token_made_goes_with_it_when_it_is_revoked(gate: Gate) -> None:
    """Who has stolen one would else stay, by what he made before it was noticed."""
    here, issuer = "/api/paas/organizations/acme", {"sub": ["x"]}

    def make(token: str = "", cookie: str = "") -> str:
        made = gate.ask("POST", f"{here}/tokens", cookie, token, json={"name": "child", "role": "owner"})
        assert made.status_code == 201, made.text
        return str(made.json()["token"])

    stolen, other = (gate.machine(name=name, role="owner") for name in ("stolen", "other"))
    children = [make(stolen), make(cookie=gate.begin(stolen))]
    children.append(make(children[0]))
    turned = gate.ask("POST", f"{here}/tokens/{other.split('_')[1]}/rotate", token=stolen, json={"overlap": "0"})
    children.append(turned.json()["token"])
    kept = [make(gate.person()), make(gate.machine(name="third", role="owner"))]
    bound = {"name": "back-door", "issuer": gate.issuer.address, "claims": issuer, "role": "owner"}
    assert gate.ask("POST", f"{here}/bindings", token=children[2], json=bound).status_code == 201
    assert [gate.ask("GET", AT, token=each).status_code for each in [*children, *kept]] == [200] * 6
    with gate.database.connect("panel") as conn:
        tokens.revoke(conn, stolen.split("_")[1])
    assert [gate.ask("GET", AT, token=each).status_code for each in [*children, *kept]] == [401] * 4 + [200] * 2
    assert gate.ask("GET", f"{here}/bindings/back-door", token=kept[0]).status_code == 404
    again = "UPDATE skypanel.api_tokens SET revoked_at = NULL, revoked_by = NULL WHERE id = %s"
    with pytest.raises(psycopg.errors.CheckViolation):
        gate.database.execute(again, stolen.split("_")[1])


def test_a_token_that_is_revoked_meanwhile_makes_nothing(gate: Gate) -> None:
    stolen = gate.machine(name="stolen", role="owner").split("_")[1]
    with gate.database.connect("panel") as owner, gate.database.connect("panel") as thief:
        owner.autocommit = thief.autocommit = False
        thief.execute("SELECT set_config('skypanel.means', %s, true)", (f"token {stolen}",))
        owner.execute("UPDATE skypanel.api_tokens SET revoked_at = now() WHERE id = %s", (stolen,))
        made = (
            "INSERT INTO skypanel.api_tokens (id, name, hash, organization_id, role, expires_at)"
            " VALUES ('aaaaaaaaaaaa', 'child', sha256('x'), %s, 'owner', now() + interval '1 day')"
        )
        with ThreadPoolExecutor(1) as threads:
            makes = threads.submit(thief.execute, made, (gate.acme.organization,))
            owner.commit()
            with pytest.raises(psycopg.errors.CheckViolation, match="was revoked"):
                makes.result(10)
        thief.rollback()


def test_a_cookie_is_taken_from_pages_of_the_console_alone(gate: Gate) -> None:
    cookie = gate.begin(gate.person())
    refused = 0
    for method, headers, good in PAGES:
        address = WHO if method == "GET" else f"{HERE}/restart"
        answer = gate.ask(method, address, cookie, headers=headers)
        assert answer.headers.get("access-control-allow-origin") is None
        if good:
            assert answer.status_code == 200, (headers, answer.text)
            continue
        problem(answer, "forbidden")
        if method == "POST":
            problem(gate.ask("POST", AT, token=gate.person(), headers=headers), "forbidden")
            refused += 2
    assert gate.database.one("SELECT count(*) FROM skypanel.audit WHERE did = 'refused'") == refused
    assert gate.ask("OPTIONS", WHO, cookie, headers={"Origin": "https://evil.example"}).status_code == 405


def test_a_token_beside_a_cookie_counts_alone_and_two_cookies_are_none(gate: Gate) -> None:
    cookie, machine = gate.begin(gate.person()), gate.machine()
    both = gate.ask("GET", WHO, cookie, machine)
    assert both.json()["means"].startswith("token ")
    problem(gate.ask("GET", WHO, cookie, "no-such-token"), "unauthenticated")
    twice = {"Cookie": f"{cookies.NAME}={cookie}; {cookies.NAME}={cookie}"}
    problem(gate.ask("GET", WHO, headers=twice), "unauthenticated")
    for name in ("skypanel", "__host-skypanel", "__Secure-skypanel"):
        problem(gate.ask("GET", WHO, headers={"Cookie": f"{name}={cookie}"}), "unauthenticated")
    for made_up in ("x", "A" * 43, "é", "A" * 4000):
        problem(gate.ask("GET", WHO, headers={"Cookie": f"{cookies.NAME}={made_up}".encode()}), "unauthenticated")
    problem(gate.ask("POST", AT, cookie), "forbidden")
    problem(gate.ask("GET", WHO, hash_of(cookie).hex()[:43]), "unauthenticated")


def test_without_a_console_no_cookie_is_taken(database: Database) -> None:
    make_tenant(database)
    machine = tokens.create(database.session("panel"), tokens.Asked("t", "acme")).token
    settings = Settings(skypanel_api_database_url=SecretStr(database.dsn("api")), docker_host="tcp://127.0.0.1:1")
    with TestClient(make_app(settings, {}, access=real(settings)), raise_server_exceptions=False) as client:
        header = {"Authorization": f"Bearer {machine}"}
        problem(client.post(AT, headers=header | OURS), "not-found")
        problem(client.get(WHO, headers={"Cookie": f"{cookies.NAME}={'A' * 43}"}), "unauthenticated")
        assert client.get(AT, headers=header).json()["session"] is None


@pytest.mark.parametrize(
    ("origin", "base"),
    [
        ("https://console.example.com/", ""),
        ("http://console.example.com", ""),
        ("https://console.example.com:443", ""),
        ("https://Console.example.com", ""),
        ("https://user@console.example.com", ""),
        (CONSOLE, "console.example.com"),
        (CONSOLE, "example.com"),
        (CONSOLE, "apps.console.example.com"),
    ],
)
def test_a_console_that_is_none_or_shares_its_host_with_tenants_is_refused(origin: str, base: str) -> None:
    with pytest.raises(ValidationError, match=r"CONSOLE_ORIGIN|console's"):
        Settings(skypanel_console_origin=origin, paas_base_domain=base)
    assert Settings(skypanel_console_origin=CONSOLE, paas_base_domain="apps.example.net").console_host


@pytest.mark.parametrize("operation", ALL, ids=lambda o: o.name)
def test_by_a_session_nobody_learns_what_he_would_not_by_a_token(walked: tuple[Gate, str, str], operation: Any) -> None:
    gate, theirs, ended = walked
    more: dict[str, Any] = {"json": operation.sent} if operation.forms else {}
    if "seconds" in operation.queried:
        more["params"] = {"seconds": 1}
    nobody = gate.ask(operation.method, address_of(operation), ended, **more)
    assert nobody.status_code == 401, nobody.text
    if of_tenants(operation):
        there = gate.ask(operation.method, address_of(operation, **OWN), theirs, **more)
        absent = gate.ask(operation.method, address_of(operation, organization="nobody"), theirs, **more)
        assert there.status_code == absent.status_code == 404, there.text
        said = [{k: v for k, v in a.json().items() if k not in ("request", "instance")} for a in (there, absent)]
        assert said[0] == said[1]
        if operation.method != "GET":
            other_page = {"Sec-Fetch-Site": "same-site"}
            problem(
                gate.ask(operation.method, address_of(operation, **OWN), theirs, headers=other_page, **more),
                "forbidden",
            )


@pytest.fixture(scope="module")
def walked(database_of_module: Database) -> Iterator[tuple[Gate, str, str]]:
    database = database_of_module
    acme = make_tenant(database)
    make_tenant(database, "globex")
    settings = Settings(
        skypanel_api_database_url=SecretStr(database.dsn("api")),
        skypanel_api_requests_per_minute=0,
        skypanel_console_origin=CONSOLE,
        docker_host="tcp://127.0.0.1:1",
    )
    app = make_app(settings, {}, access=real(settings))
    with TestClient(app, base_url=CONSOLE, raise_server_exceptions=False) as client, listening() as found:
        gate = Gate(database, settings, client, acme, found)
        theirs = gate.begin(gate.machine(organization="globex", role="owner"))
        ended = gate.begin(gate.machine(name="ended"))
        gate.ask("DELETE", AT, ended)
        yield gate, theirs, ended


def test_a_stream_by_the_cookie_acts_where_it_is_told_and_ends_with_the_session(gate: Gate) -> None:
    root = gate.database.one(
        "INSERT INTO users (email, password_hash, name, role) VALUES ('r@example.com', 'x', 'R', 'admin') RETURNING id"
    )
    cookie = gate.begin(gate.person(userId=str(root)))
    with serving(make_app(gate.settings, {}, access=real(gate.settings))) as port:
        headers = {"Cookie": f"{cookies.NAME}={cookie}", **OURS}
        stream = Stream(port, "", "?organization=acme", headers=headers).first()
        gate.database.execute("UPDATE paas_environments SET instances = 2")
        seen = stream.until(lambda m: m.event == "object")
        assert {m.data["path"].split("/")[0] for m in seen if m.event == "object"} == {"acme"}
        out = urllib.request.Request(f"http://127.0.0.1:{port}{AT}", headers=headers, method="DELETE")
        with urllib.request.urlopen(out, timeout=20) as answer:
            assert answer.status == 200
        last = stream.until(lambda m: m.event == "end")[-1]
        assert last.data["why"] == "the session has ended"
        stream.close()
        refused = Stream(port, "", "?organization=nobody", headers=headers)
        assert refused.answer.status == 401
        refused.close()


def test_a_page_of_somebody_else_uses_up_nothing_of_the_session(gate: Gate) -> None:
    """A tenant's page on the same site has the browser send the cookie, as often as it likes."""
    cookie = gate.begin(gate.person())
    settings = gate.settings.model_copy(update={"skypanel_api_requests_per_minute": 20})
    with TestClient(make_app(settings, {}, access=real(settings)), raise_server_exceptions=False) as client:
        theirs, ours = (
            {"Cookie": f"{cookies.NAME}={cookie}", "Sec-Fetch-Site": site} for site in ("same-site", "same-origin")
        )
        assert client.get(WHO, headers=ours).status_code == 200
        said = {client.get(WHO, headers=theirs).status_code for _ in range(9)}
        assert said == {403, 429}
        assert client.get(WHO, headers=ours).status_code == 200


def test_whoever_has_many_sessions_has_no_more_streams(gate: Gate) -> None:
    settings = gate.settings.model_copy(update={"skypanel_api_streams_per_caller": 2})
    with serving(make_app(settings, {}, access=real(settings))) as port:
        streams = [
            Stream(port, "", headers={"Cookie": f"{cookies.NAME}={gate.begin(gate.person())}", **OURS})
            for _ in range(3)
        ]
        assert [each.answer.status for each in streams] == [200, 200, 429]
        for each in streams:
            each.close()


def test_who_tries_to_log_in_again_and_again_has_to_wait(database: Database) -> None:
    make_tenant(database)
    settings = Settings(
        skypanel_api_database_url=SecretStr(database.dsn("api")),
        skypanel_console_origin=CONSOLE,
        docker_host="tcp://127.0.0.1:1",
    )
    with TestClient(make_app(settings, {}, access=real(settings)), raise_server_exceptions=False) as client:
        tried = [
            client.post(AT, headers={**OURS, "Authorization": f"Bearer made-up-{number}"}).status_code
            for number in range(9)
        ]
        assert tried == [401] * 7 + [429] * 2
        assert client.get(WHO, headers={"Authorization": "Bearer x"}).status_code == 401


def test_doctor_says_what_stands_between_tenants_and_the_console() -> None:
    base: dict[str, Any] = {"skypanel_serve_api": False, "skypanel_console_origin": CONSOLE}
    levels = [
        [each.level for each in http_api.examine(Settings(**base, **more))]
        for more in ({}, {"paas_base_domain": "apps.example.net"}, {"skypanel_api_host": "api.example.com"})
    ]
    assert levels == [["ok", "warn"], ["ok", "ok"], ["ok", "warn"]]
