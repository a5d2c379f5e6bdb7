"""Who calls, by a real database: tokens, the panel's users of each age, and what nobody may see."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql
from pydantic import SecretStr

from controller.access import token_rows
from controller.access.authentication import authenticate
from controller.access.caller import Caller
from controller.access.errors import (
    AccessError,
    AccountSuspended,
    LookupRefused,
    NoOrganization,
    NotMember,
    TokenExpired,
    TokenRevoked,
    Unauthenticated,
    WhichOrganization,
)
from controller.access.permissions import can, may
from controller.access.roles import Role, Verb
from controller.access.token_text import hash_of, new_token
from controller.actions import tokens
from controller.actions.errors import ActionError
from controller.actions.tokens import Asked, Made
from controller.declared import audit as audit_rows
from controller.declared.audit import Which
from controller.schema import migrate
from tests.store.conftest import Database, Tenant, make_tenant
from tests.store.test_migrations import panel as panel_of_age
from tests.unit.access.test_panel_tokens import SECRET, part, signed

LATER = 4_000_000_000


@dataclass(frozen=True)
class Settings:
    jwt_secret: SecretStr


SETTINGS = Settings(SecretStr(SECRET))


@pytest.fixture
def api(database: Database) -> Iterator[psycopg.Connection]:
    with database.connect("api") as conn:
        yield conn


@pytest.fixture
def panel(database: Database) -> psycopg.Connection:
    return database.session("panel")


def bearer(user: UUID, **claims: Any) -> str:
    return f"Bearer {signed({'userId': str(user), 'email': 'x@example.com', 'exp': LATER, **claims})}"


def call(conn: psycopg.Connection, authorization: str, organization: str | None = None) -> Caller:
    return authenticate(conn, authorization, organization, SETTINGS)


def by(token: Made | str) -> str:
    return f"Bearer {token if isinstance(token, str) else token.token}"


def member(database: Database, organization: UUID, role: str, email: str = "bob@example.com") -> UUID:
    user = database.one(
        "INSERT INTO users (email, password_hash, name) VALUES (%s, 'x', 'Bob') ON CONFLICT (email) DO UPDATE"
        " SET name = 'Bob' RETURNING id",
        email,
    )
    database.execute(
        "INSERT INTO organization_members (organization_id, user_id, role) VALUES (%s, %s, %s)",
        organization,
        user,
        role,
    )
    assert isinstance(user, UUID)
    return user


# Users of the panel.


def test_members_and_owners_act_in_their_organization(
    database: Database, tenant: Tenant, api: psycopg.Connection
) -> None:
    owner = call(api, bearer(tenant.user))
    assert (owner.role, owner.organization, owner.organization_slug) == (Role.OWNER, tenant.organization, "acme")
    assert owner.actor == f"{tenant.user} ops@acme.example"
    bob = member(database, tenant.organization, "member")
    assert call(api, bearer(bob)).role is Role.MEMBER
    assert call(api, bearer(bob), "acme") == call(api, bearer(bob), str(tenant.organization))
    other = make_tenant(database, "other").organization
    for asked in ("other", str(other), str(uuid4()), "nothing"):
        with pytest.raises(NotMember):
            call(api, bearer(bob), asked)
    database.execute(
        "INSERT INTO organization_members (organization_id, user_id, role) VALUES (%s, %s, 'admin')", other, bob
    )
    with pytest.raises(WhichOrganization):
        call(api, bearer(bob))
    assert call(api, bearer(bob), "other").role is Role.ADMIN
    database.execute("DELETE FROM organization_members WHERE user_id = %s", bob)
    with pytest.raises(NoOrganization):
        call(api, bearer(bob))
    database.execute("DELETE FROM users WHERE id = %s", bob)
    with pytest.raises(Unauthenticated):
        call(api, bearer(bob))


def test_an_administrator_of_the_panel_and_who_he_acts_as(
    database: Database, tenant: Tenant, api: psycopg.Connection
) -> None:
    root = database.one(
        "INSERT INTO users (email, password_hash, name, role)"
        " VALUES ('root@example.com', 'x', 'R', 'admin') RETURNING id"
    )
    assert call(api, bearer(root)).platform
    assert call(api, bearer(root), "acme").organization == tenant.organization
    with pytest.raises(NotMember):
        call(api, bearer(root), "nothing")
    acting = bearer(tenant.user, originalAdminId=str(root), isImpersonating=True)
    found = call(api, acting)
    assert (found.user_id, found.impersonator, found.role) == (tenant.user, root, Role.OWNER)
    assert found.actor == f"{root} root@example.com as {tenant.user} ops@acme.example"
    database.execute("UPDATE users SET role = 'user' WHERE id = %s", root)
    with pytest.raises(Unauthenticated):
        call(api, acting)


@pytest.fixture(params=["then", "today"])
def aged(request: pytest.FixtureRequest, empty: Database) -> Database:
    panel_of_age(empty, request.param)
    with empty.connect() as conn:
        migrate.apply(conn)
        conn.execute("UPDATE users SET role = 'user'")
    return empty


def test_the_panels_columns_of_each_age_count(aged: Database) -> None:
    today = bool(aged.execute("SELECT 1 FROM pg_attribute WHERE attrelid = 'users'::regclass AND attname = 'status'"))
    ((owner, organization),) = aged.execute("SELECT owner_id, id FROM organizations")
    bob = member(aged, organization, "admin")
    with aged.connect("api") as api:
        assert call(api, bearer(owner)).role is Role.OWNER
        assert call(api, bearer(bob)).role is Role.ADMIN
        if not today:
            return
        for name, role in (("viewer", Role.VIEWER), ("vps_manager", Role.VIEWER), ("member", Role.MEMBER)):
            named = aged.one(
                "INSERT INTO organization_roles (organization_id, name) VALUES (%s, %s) RETURNING id",
                organization,
                name,
            )
            aged.execute("UPDATE organization_members SET role_id = %s WHERE user_id = %s", named, bob)
            assert call(api, bearer(bob)).role is role
        aged.execute("DELETE FROM organization_roles")
        assert call(api, bearer(bob)).role is Role.ADMIN, "it has none any more"
        second = aged.one(
            "INSERT INTO organizations (name, slug, owner_id) VALUES ('S', 'second', %s) RETURNING id", bob
        )
        with pytest.raises(WhichOrganization):
            call(api, bearer(bob))
        aged.execute("UPDATE users SET active_organization_id = %s WHERE id = %s", second, bob)
        assert call(api, bearer(bob)).organization == second
        aged.execute("UPDATE users SET status = 'suspended' WHERE id = %s", bob)
        with pytest.raises(AccountSuspended):
            call(api, bearer(bob))


def test_a_column_that_the_panel_adds_later_counts_at_once_and_none_is_held(aged: Database) -> None:
    owner = aged.one("SELECT owner_id FROM organizations")
    with aged.connect("api") as api:
        aged.execute("ALTER TABLE users DROP COLUMN IF EXISTS status, DROP COLUMN phone, ADD nickname text")
        aged.execute("ALTER TABLE users ALTER COLUMN email TYPE text, ALTER COLUMN timezone TYPE text")
        assert call(api, bearer(owner)).role is Role.OWNER
        aged.execute("ALTER TABLE users ADD COLUMN status varchar(9) DEFAULT 'inactive'")
        with pytest.raises(AccountSuspended):
            call(api, bearer(owner))


def test_where_the_panels_owner_granted_nothing_the_error_says_so(aged: Database) -> None:
    owner = aged.one("SELECT owner_id FROM organizations")
    with aged.connect("postgres") as conn:
        conn.execute("CREATE ROLE test_panel_owner")
        try:
            conn.execute("ALTER TABLE users OWNER TO test_panel_owner")
            with aged.connect("api") as api, pytest.raises(LookupRefused, match=r"docs/access\.md"):
                call(api, bearer(owner))
            conn.execute("GRANT SELECT ON users TO skypanel_owner")
            with aged.connect("api") as api:
                assert call(api, bearer(owner)).role is Role.OWNER
            conn.execute("ALTER TABLE users ENABLE ROW LEVEL SECURITY")
            with aged.connect("api") as api, pytest.raises(LookupRefused, match="row-level security"):
                call(api, bearer(owner))
        finally:
            conn.execute("REASSIGN OWNED BY test_panel_owner TO skypanel_owner")
            conn.execute("DROP OWNED BY test_panel_owner")
            conn.execute("DROP ROLE test_panel_owner")


def test_a_column_with_somebody_elses_code_is_not_read(aged: Database) -> None:
    owner = aged.one("SELECT owner_id FROM organizations")
    for statement in (
        "CREATE TABLE spied (who text)",
        "CREATE TYPE spying AS (a text)",
        """CREATE FUNCTION spy(spying) RETURNS text LANGUAGE plpgsql AS
           $$ BEGIN INSERT INTO public.spied VALUES (current_user); RETURN 'admin'; END $$""",
        "CREATE CAST (spying AS text) WITH FUNCTION spy(spying) AS ASSIGNMENT",
        "ALTER TABLE users DROP CONSTRAINT IF EXISTS users_role_check, DROP COLUMN role, ADD role spying DEFAULT '(x)'",
    ):
        aged.session("skypanel_owner").execute(statement.encode())
    with aged.connect("api") as api, pytest.raises(psycopg.errors.DatatypeMismatch):
        call(api, bearer(owner))
    assert aged.execute("SELECT * FROM spied") == []


@pytest.mark.parametrize("first", ["acme", "globex"])
def test_an_organization_that_is_called_as_another_ones_id_is_not_taken_for_it(
    database: Database, api: psycopg.Connection, panel: psycopg.Connection, first: str
) -> None:
    for name in sorted(("acme", "globex"), key=lambda each: each != first):
        make_tenant(database, name)
    acme = database.one("SELECT id FROM organizations WHERE slug = 'acme'")
    database.execute("UPDATE organizations SET slug = %s WHERE slug = 'globex'", str(acme), role="panel")
    root = database.one(
        "INSERT INTO users (email, password_hash, name, role)"
        " VALUES ('root@example.com', 'x', 'R', 'admin') RETURNING id"
    )
    of_platform = tokens.create(panel, Asked("t", role="platform-admin"))
    panel.execute(
        "INSERT INTO skypanel.role_bindings (name, issuer, claims, role)"
        """ VALUES ('ops', 'https://id.example.com', '{"sub": ["ops"]}', 'platform-admin')"""
    )
    for asked in (str(acme), str(acme).upper()):
        assert call(api, bearer(root), asked).organization == acme
        assert call(api, by(of_platform), asked).organization == acme
        found = api.execute(
            """SELECT skypanel.bindings_of('https://id.example.com', '{"sub": "ops"}', %s)""", [asked]
        ).fetchone()
        assert found is not None
        assert found[0][0]["place"]["id"] == str(acme)


# API tokens.


def made(panel: psycopg.Connection, name: str = "ci", organization: str = "acme", **asked: Any) -> Made:
    return tokens.create(panel, Asked(name, organization, **asked))


def test_a_machines_token_has_its_role_and_nothing_beside_its_limits(
    tenant: Tenant, panel: psycopg.Connection, api: psycopg.Connection
) -> None:
    token = made(panel, apps=["shop"], verbs=["read", "deploy"])
    found = call(api, by(token))
    assert (found.role, found.organization, found.user_id) == (Role.MEMBER, tenant.organization, None)
    assert (found.actor, found.means) == ("machine ci", f"token {token.id}")
    assert can(found, "Environment", "acme/shop/production") == (Verb.READ, Verb.DEPLOY)
    assert can(found, "Environment", "acme/blog/production") == ()
    assert can(found, "Environment", "other/shop/production") == ()
    assert not may(found, Verb.READ, "Organization", "acme")
    for other in ("other", str(uuid4())):
        with pytest.raises(NotMember):
            call(api, by(token), other)


def test_a_users_token_follows_him(database: Database, tenant: Tenant, api: psycopg.Connection) -> None:
    panel = database.session("panel")
    bob = member(database, tenant.organization, "admin")
    token = made(panel, user="BOB@example.com")
    assert call(api, by(token)).role is Role.ADMIN
    assert call(api, by(token)).actor == f"{bob} bob@example.com"
    database.execute("UPDATE organization_members SET role = 'member' WHERE user_id = %s", bob)
    assert call(api, by(token)).role is Role.MEMBER
    database.execute("DELETE FROM organization_members WHERE user_id = %s", bob)
    with pytest.raises(NotMember):
        call(api, by(token))
    database.execute("DELETE FROM users WHERE id = %s", bob)
    with pytest.raises(Unauthenticated):
        call(api, by(token))


def test_a_token_cannot_be_asked_for_with_more_than_there_is(
    database: Database, tenant: Tenant, panel: psycopg.Connection
) -> None:
    member(database, tenant.organization, "member")
    make_tenant(database, "other")
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"user": "bob@example.com", "role": "owner"}, "bob@example.com is member, and a token of his cannot be owner"),
        ({"user": "ops@other.example"}, "is not a member of organization acme"),
        ({"user": "nobody@example.com"}, "there is no user"),
        ({"role": "platform-admin"}, "is no role of an organization"),
        ({"role": "god"}, "is not a role"),
        ({"verbs": ["fly"]}, "is not a verb"),
        ({"apps": ["nothing"]}, "has no app nothing"),
        ({"expires": "367d"}, "is not between"),
        ({"expires": "0s"}, "is not between"),
        ({"expires": "soon"}, "is no time"),
        ({"organization": "nothing"}, "there is no organization nothing"),
        ({"organization": "", "role": "owner"}, "is no role of the platform"),
        ({"organization": "", "apps": ["shop"]}, "not limited to apps"),
        ({"organization": "", "user": "bob@example.com"}, "is not an administrator of the platform"),
        ({"name": "two words"}, "is no name of a token"),
        ({"name": "ada@example.com"}, "is no name of a token"),
    ]
    for asked, said in wrong:
        with pytest.raises(ActionError, match=said):
            made(panel, **asked)
    assert database.one("SELECT count(*) FROM skypanel.api_tokens") == 0
    for good in ({"user": "bob@example.com", "role": "viewer"}, {"organization": ""}):
        made(panel, **good)
    assert database.one("SELECT count(*) FROM skypanel.api_tokens") == 2


def test_a_rotated_token_is_good_for_the_overlap_and_a_revoked_one_for_nothing(
    database: Database, tenant: Tenant, panel: psycopg.Connection, api: psycopg.Connection
) -> None:
    first = made(panel)
    second = tokens.rotate(panel, first.id, "1h", "")
    assert second.token != first.token
    before, now = call(api, by(first)), call(api, by(second))
    assert replace(before, until=None) == replace(now, until=None)
    assert before.until is not None
    assert now.until is not None
    assert before.until - datetime.now(UTC) <= timedelta(hours=1) < now.until - datetime.now(UTC)
    third = tokens.rotate(panel, first.id, "0", "30d")
    with pytest.raises(Unauthenticated) as error:
        call(api, by(first))
    assert not isinstance(error.value, TokenRevoked), "nobody knows it any more"
    with pytest.raises(TokenRevoked):
        call(api, by(second))
    assert call(api, by(third)).token == first.id
    assert tokens.revoke(panel, first.id) == "ci"
    for token in (second, third):
        with pytest.raises(TokenRevoked):
            call(api, by(token))
    with pytest.raises(ActionError, match="was revoked"):
        tokens.rotate(panel, first.id, "1h", "")
    with pytest.raises(ActionError, match="was revoked already"):
        tokens.revoke(panel, first.id)
    with pytest.raises(psycopg.errors.CheckViolation):
        panel.execute("UPDATE skypanel.api_tokens SET revoked_at = NULL")
    for do in (lambda: tokens.revoke(panel, "nothing"), lambda: tokens.rotate(panel, "nothing", "1h", "")):
        with pytest.raises(ActionError, match="there is no token nothing"):
            do()


def test_an_expired_token_is_over(
    database: Database, tenant: Tenant, panel: psycopg.Connection, api: psycopg.Connection
) -> None:
    token = made(panel)
    database.execute("UPDATE skypanel.api_tokens SET expires_at = now() - interval '1 second'")
    with pytest.raises(TokenExpired):
        call(api, by(token))
    assert tokens.listed(panel, "acme") == []
    (row,) = tokens.listed(panel, "acme", every=True)
    assert row.state == "expired"
    with pytest.raises(psycopg.errors.CheckViolation):
        panel.execute("UPDATE skypanel.api_tokens SET expires_at = now() + interval '367 days'")


def test_a_token_is_nowhere_but_in_the_answer(database: Database, tenant: Tenant, panel: psycopg.Connection) -> None:
    first = made(panel, user="ops@acme.example")
    second = tokens.rotate(panel, first.id, "1h", "")
    tokens.revoke(panel, first.id)
    stands = database.execute("SELECT to_jsonb(t)::text FROM skypanel.api_tokens t")
    entries = [entry for (entry,) in database.execute("SELECT entry FROM skypanel.audit_unsealed ORDER BY id")]
    of_token = [entry for entry in entries if entry["kind"] == "api_tokens"]
    assert [(entry["did"], entry["path"]) for entry in of_token] == [
        ("created", "acme/ci"),
        ("changed", "acme/ci"),
        ("changed", "acme/ci"),
    ]
    assert of_token[1]["changes"]["hash"] == ["***", "***"]
    everything = json.dumps([str(stands), entries])
    for token in (first.token, second.token):
        assert token not in everything
        assert token[17:] not in everything
        assert hash_of(token).hex() not in json.dumps(entries)


def test_a_use_is_noted_once_a_minute_and_nobody_waits_for_it(
    database: Database, tenant: Tenant, panel: psycopg.Connection, api: psycopg.Connection
) -> None:
    token = made(panel)
    authenticate(api, by(token), None, SETTINGS, address="192.0.2.7")
    (row,) = tokens.listed(panel, "acme")
    assert row.used_at is not None
    assert row.used_from == "192.0.2.7"
    authenticate(api, by(token), None, SETTINGS, address="192.0.2.8")
    assert tokens.listed(panel, "acme")[0].used_from == "192.0.2.7"
    database.execute("UPDATE skypanel.api_token_uses SET used_at = now() - interval '2 minutes'")
    api.execute("SET lock_timeout = '2s'")
    with database.connect() as busy, busy.transaction():
        busy.execute("SELECT FROM skypanel.api_token_uses FOR UPDATE")
        assert authenticate(api, by(token), None, SETTINGS, address="192.0.2.9").token == token.id
    assert tokens.listed(panel, "acme")[0].used_from == "192.0.2.7"
    authenticate(api, by(token), None, SETTINGS, address="192.0.2.9")
    assert tokens.listed(panel, "acme")[0].used_from == "192.0.2.9"
    assert [
        e for (e,) in database.execute("SELECT entry ->> 'table' FROM skypanel.audit_unsealed") if "uses" in e
    ] == []


def test_many_uses_at_once_are_one(database: Database, tenant: Tenant, panel: psycopg.Connection) -> None:
    token = made(panel)
    failed: list[Exception] = []

    def use() -> None:
        try:
            with database.connect("api") as conn:
                for _ in range(20):
                    call(conn, by(token))
        except Exception as error:  # noqa: BLE001 - whatever it is
            failed.append(error)

    threads = [threading.Thread(target=use) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert database.one("SELECT count(*) FROM skypanel.api_token_uses") == 1


def test_a_read_only_server_lets_in_too(
    database: Database, tenant: Tenant, panel: psycopg.Connection, api: psycopg.Connection
) -> None:
    token = made(panel)
    api.execute("SET default_transaction_read_only = on")
    assert call(api, by(token)).token == token.id
    assert call(api, bearer(tenant.user)).role is Role.OWNER


def test_the_audit_finds_a_user_by_his_address_and_the_panel_by_his_id(
    database: Database, tenant: Tenant, api: psycopg.Connection
) -> None:
    root = database.one(
        "INSERT INTO users (email, password_hash, name, role) VALUES ('root@x.example', 'x', 'R', 'admin') RETURNING id"
    )
    himself = call(api, bearer(tenant.user))
    acting = call(api, bearer(tenant.user, originalAdminId=str(root), isImpersonating=True))
    machine = call(api, by(made(database.session("panel"))))
    interface = database.session("interface")
    for number, caller in enumerate((himself, acting, machine), 2):
        with interface.transaction():
            for name, said in (("actor", caller.actor), ("means", caller.means)):
                interface.execute("SELECT set_config('skypanel.' || %s, %s, true)", [name, said])
            interface.execute("UPDATE paas_environments SET instances = %s", [number])
    database.execute("SELECT skypanel.seal_audit(1000)", role="controller")
    seen = database.execute(
        "SELECT user_id, entity_type FROM skypanel.activity WHERE event_type = 'paas.environment.changed'"
        " ORDER BY created_at",
        role="panel",
    )
    assert seen == [(tenant.user, "environment"), (root, "environment"), (None, "system")]
    for actor, times in (("ops@acme.example", 2), ("root@x.example", 1), (str(root), 1), (machine.actor, 1), ("no", 0)):
        found = audit_rows.listed(database.session("panel"), Which(kind="environment", actor=actor))
        assert len([entry for entry in found if entry["did"] == "changed"]) == times, actor


# What nobody may see.


@pytest.mark.parametrize("role", ["panel", "controller", "reader", "scanner", "interface", "api"])
def test_no_group_reads_a_hash_or_the_panels_users_as_they_are(standing: Database, role: str) -> None:
    columns = ["hash", "previous_hash"]
    asked: list[sql.SQL | sql.Composed] = [
        sql.SQL("SELECT {} FROM skypanel.api_tokens").format(sql.Identifier(column)) for column in columns
    ]
    views = ("people", "memberships", "owners")
    asked += [sql.SQL("SELECT * FROM {}").format(sql.Identifier("skypanel", view)) for view in views]
    asked.append(sql.SQL("UPDATE skypanel.api_tokens SET role = 'owner'"))
    asked.append(sql.SQL("UPDATE skypanel.api_tokens SET organization_id = NULL"))
    asked.append(sql.SQL("DELETE FROM skypanel.api_tokens"))
    for query in asked:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            standing.session(role).execute(query)


@pytest.mark.parametrize("role", ["controller", "reader", "scanner"])
def test_only_who_lets_in_looks_callers_up(standing: Database, role: str) -> None:
    for function in ("person_of(gen_random_uuid())", "token_of('')", "token_used('x')"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            standing.session(role).execute(f"SELECT skypanel.{function}".encode())


def test_a_look_up_tells_nothing_of_a_user_but_who_he_is(standing: Database) -> None:
    user = standing.one("SELECT id FROM users LIMIT 1")
    found = standing.one("SELECT skypanel.person_of(%s)", user, role="api")
    assert found.keys() == {"id", "email", "role", "status", "active", "memberships"}
    assert standing.one("SELECT skypanel.person_of(%s, 'acme')", user, role="api") == found, "he is no administrator"
    assert standing.one("SELECT skypanel.person_of(%s)", uuid4(), role="api") is None
    assert standing.one("SELECT skypanel.token_of(%s)", b"x" * 32, role="api") is None


BYTES = st.one_of(
    st.binary().map(lambda raw: raw.decode("latin-1")),
    st.text(),
    st.binary().map(signed),
    st.builds(lambda name, value: signed({"userId": name, "email": value, "exp": LATER}), st.text(), st.text()),
    st.uuids().map(lambda user: signed({"userId": str(user), "email": "x", "exp": LATER})),
    st.text("0123456789ABCDEFabcdef", min_size=12, max_size=12).map(new_token),
    st.binary(min_size=1).map(lambda raw: f"{part(raw)}.{part(raw)}.{part(raw)}"),
)
ORGANIZATIONS = st.none() | st.text() | st.uuids().map(str) | st.sampled_from(["acme", "a' OR 1=1", "a,b"])


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(BYTES, ORGANIZATIONS)
def test_no_bytes_let_anybody_in_or_are_told(standing: Database, token: str, organization: str | None) -> None:
    with pytest.raises(AccessError) as error:
        authenticate(standing.session("api"), f"Bearer {token}", organization, SETTINGS)
    said = str(error.value)
    assert not any(token[i : i + 12] in said for i in range(len(token) - 11))


def test_a_token_of_everybody_and_for_ever_cannot_be_written_by_sql_either(
    database: Database, tenant: Tenant, panel: psycopg.Connection
) -> None:
    good: dict[str, Any] = {"organization": tenant.organization, "role": Role.MEMBER, "lasts": timedelta(days=1)}
    good |= {"name": "ci", "user": None, "apps": (), "verbs": ()}
    changes: tuple[dict[str, Any], ...] = (
        {"organization": None},
        {"role": Role.PLATFORM_ADMIN},
        {"lasts": timedelta(days=400)},
    )
    for wrong in changes:
        with pytest.raises(psycopg.errors.CheckViolation):
            token_rows.add(panel, token_rows.Wanted(**{**good, **wrong}))
