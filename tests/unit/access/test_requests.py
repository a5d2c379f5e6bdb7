"""What the headers of a request say of who makes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from controller.access.authentication import answer
from controller.access.errors import (
    AccessError,
    AccountSuspended,
    NoOrganization,
    NotMember,
    TokenExpired,
    TokenRevoked,
    Unauthenticated,
    WhichOrganization,
)
from controller.access.requests import Question, question
from controller.access.roles import Role, Verb
from controller.access.token_text import hash_of, new_token
from tests.unit.access.test_panel_tokens import ACTING, ADMIN, NOW, SECRET, USER, signed

TOKEN = new_token("0aZ" * 4)
ACME, OTHER = UUID(int=1), UUID(int=2)


@dataclass(frozen=True)
class Settings:
    jwt_secret: SecretStr


SETTINGS = Settings(SecretStr(SECRET))


def ask(authorization: Any, organization: Any = None) -> Question:
    return question(authorization, organization, SETTINGS, now=NOW)


def test_a_token_is_sent_as_bearer_in_any_case() -> None:
    for header in (f"Bearer {TOKEN}", f"bearer {TOKEN}", f"BEARER  {TOKEN}", [f"Bearer {TOKEN}"]):
        assert ask(header).parameters["hash"] == hash_of(TOKEN)
    assert ask(f"Bearer {signed()}").parameters["user"] == USER


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        [],
        "Bearer",
        "Bearer ",
        TOKEN,
        f"Basic {TOKEN}",
        f"Token {TOKEN}",
        f"Bearer\t{TOKEN}",
        f" Bearer {TOKEN}",
        f"Bearer {TOKEN} ",
        f"Bearer {TOKEN}\n",
        f"Bearer {TOKEN}, Bearer {TOKEN}",
        f"Bearer {TOKEN[:-1]}",
        f"Bearer {TOKEN}A",
        f"Bearer {TOKEN.lower()}",
        f"Bearer {TOKEN.replace('skp_', 'SKP_')}",
        "Bearer skp_",
        "Bearer " + "A" * 9000,
        "Bearer a.b",
        "Bearer ..",
        "Bearer é.é.é",
        [f"Bearer {TOKEN}", f"Bearer {TOKEN}"],
        ["", f"Bearer {TOKEN}"],
    ],
)
def test_anything_else_is_no_token(header: Any) -> None:
    with pytest.raises(Unauthenticated) as error:
        ask(header)
    assert TOKEN[:16] not in str(error.value)


@pytest.mark.parametrize(
    "header",
    ["", "acme,other", "acme, acme", "acme other", "acme\n", "acme\r\nX-Admin: 1", "' OR 1=1 --", "é", "a" * 300,
     "acme/other", "acme%00", ["acme", "other"], ["acme", "acme"], "-acme", "\u212a"],
)  # fmt: skip
def test_an_organization_is_one_id_or_one_slug(header: Any) -> None:
    with pytest.raises(NotMember):
        ask(f"Bearer {TOKEN}", header)


def test_without_the_panels_secret_none_of_its_tokens_is_taken() -> None:
    with pytest.raises(Unauthenticated):
        question(f"Bearer {signed(secret=b'')}", None, Settings(SecretStr("")), now=NOW)


def person(**changes: Any) -> dict[str, Any]:
    member = {"id": str(ACME), "slug": "acme", "role": "member"}
    return {"id": str(USER), "email": "ada@example.com", "role": "user", "memberships": [member], **changes}


def panel(organization: str | None = None, claims: Any = None, **document: Any) -> Any:
    asked = ask(f"Bearer {signed(*([claims] if claims else []))}", organization)
    return answer(asked, {"person": person(), "admin": None, **document})


def test_a_member_acts_in_his_only_organization_with_his_role_there() -> None:
    found = panel()
    assert (found.organization, found.organization_slug, found.role) == (ACME, "acme", Role.MEMBER)
    assert (found.actor, found.means, found.user_id) == (f"{USER} ada@example.com", "jwt", USER)
    assert panel("acme") == panel(str(ACME)) == panel(str(ACME).upper()) == found


def test_who_is_a_member_of_several_says_which_or_has_chosen_one() -> None:
    both = [*person()["memberships"], {"id": str(OTHER), "slug": "other", "role": "owner"}]
    with pytest.raises(WhichOrganization) as error:
        panel(person=person(memberships=both))
    assert "acme" not in str(error.value), "nothing is listed"
    assert panel("other", person=person(memberships=both)).role is Role.OWNER
    assert panel(person=person(memberships=both, active=str(OTHER))).organization == OTHER
    with pytest.raises(WhichOrganization):
        panel(person=person(memberships=both, active=str(UUID(int=9))))


def test_another_organization_is_as_one_that_is_not_there() -> None:
    for asked in ("other", str(OTHER), "nothing"):
        with pytest.raises(NotMember):
            panel(asked)
    with pytest.raises(NoOrganization):
        panel(person=person(memberships=[]))


def test_roles_that_the_panel_calls_otherwise_may_read() -> None:
    for word in ("vps_manager", "support_agent", "OWNER", None, ""):
        member = {"id": str(ACME), "slug": "acme", "role": word}
        assert panel(person=person(memberships=[member])).role is Role.VIEWER


def test_an_administrator_of_the_panel_is_one_of_the_platform() -> None:
    admin = panel(person=person(role="admin"))
    assert (admin.role, admin.organization, admin.platform) == (Role.PLATFORM_ADMIN, None, True)
    inside = panel("other", person=person(role="admin", asked={"id": str(OTHER), "slug": "other"}))
    assert (inside.role, inside.organization, inside.platform) == (Role.PLATFORM_ADMIN, OTHER, False)
    with pytest.raises(NotMember):
        panel("nothing", person=person(role="admin", asked=None))


def test_who_is_not_active_is_not_let_in() -> None:
    for status in ("suspended", "inactive", "", "whatever"):
        with pytest.raises(AccountSuspended):
            panel(person=person(status=status))
    assert panel(person=person(status="active"))
    with pytest.raises(Unauthenticated):
        panel(person=None)


def test_who_acts_as_a_user_has_to_be_an_administrator_still_and_is_named() -> None:
    root = person(id=str(ADMIN), email="root@example.com", role="admin")
    found = panel(claims=ACTING, admin=root)
    assert (found.role, found.impersonator, found.user_id) == (Role.MEMBER, ADMIN, USER)
    assert found.actor == f"{ADMIN} root@example.com as {USER} ada@example.com"
    with pytest.raises(AccountSuspended):
        panel(claims=ACTING, admin={**root, "status": "suspended"})
    for other in (None, {**root, "role": "user"}):
        with pytest.raises(Unauthenticated):
            panel(claims=ACTING, admin=other)


def machine(asked_for: str | None = None, **document: Any) -> Any:
    found = {
        "id": "0aZ" * 4,
        "name": "ci",
        "user_id": None,
        "role": "admin",
        "apps": None,
        "verbs": None,
        "of_platform": False,
        "place": {"id": str(ACME), "slug": "acme"},
        "state": "good",
        "until": NOW + 60,
        "used": True,
        "person": None,
    }
    return answer(ask(f"Bearer {TOKEN}", asked_for), {**found, **document})


def of_user(most: str = "owner", role: str = "member", **changes: Any) -> Any:
    member = {"id": str(ACME), "slug": "acme", "role": role}
    return machine(role=most, user_id=str(USER), person=person(memberships=[member], **changes))


def test_a_machine_has_the_role_of_its_token_in_its_organization() -> None:
    found = machine(apps=["shop"], verbs=["read", "deploy", "fly"])
    assert (found.role, found.organization, found.user_id) == (Role.ADMIN, ACME, None)
    assert (found.actor, found.means, found.token) == ("machine ci", "token 0aZ0aZ0aZ0aZ", "0aZ0aZ0aZ0aZ")
    assert found.scope.verbs == {Verb.READ, Verb.DEPLOY}
    assert machine("acme") == machine(str(ACME)) == machine()
    for other in ("other", str(OTHER)):
        with pytest.raises(NotMember):
            machine(other)


def test_a_users_token_is_the_less_of_its_role_and_his_as_it_is_now() -> None:
    assert of_user("owner", "member").role is Role.MEMBER
    assert of_user("viewer", "owner").role is Role.VIEWER
    assert of_user("owner", "owner").role is Role.OWNER
    with pytest.raises(NotMember):
        machine(user_id=str(USER), person=person(memberships=[]))
    with pytest.raises(AccountSuspended):
        machine(user_id=str(USER), person=person(status="suspended"))
    with pytest.raises(Unauthenticated):
        machine(user_id=str(USER), person=None)


def test_a_token_of_the_platform_is_good_for_its_administrators_alone() -> None:
    platform: dict[str, Any] = {"of_platform": True, "place": None, "role": "platform-admin"}
    assert machine(**platform).platform
    inside = machine("acme", **{**platform, "place": {"id": str(ACME), "slug": "acme"}})
    assert (inside.role, inside.platform) == (Role.PLATFORM_ADMIN, False)
    with pytest.raises(NotMember):
        machine("nothing", **platform)
    with pytest.raises(NotMember):
        machine(**platform, user_id=str(USER), person=person())
    admin = machine(**{**platform, "role": "platform-viewer"}, user_id=str(USER), person=person(role="admin"))
    assert admin.role is Role.PLATFORM_VIEWER


def test_a_token_that_is_over_is_none() -> None:
    with pytest.raises(TokenExpired):
        machine(state="expired")
    with pytest.raises(TokenRevoked):
        machine(state="revoked")
    with pytest.raises(Unauthenticated):
        answer(ask(f"Bearer {TOKEN}"), None)


HEADERS = st.one_of(
    st.none(),
    st.text(),
    st.text().map(lambda text: f"Bearer {text}"),
    st.binary().map(lambda raw: f"Bearer {signed(raw)}"),
    st.lists(st.text(), max_size=3),
    st.text(max_size=3).map(lambda text: f"Bearer {TOKEN[:-3]}{text}"),
)


@given(HEADERS, st.one_of(st.none(), st.text(), st.lists(st.text(), max_size=3)))
def test_no_headers_make_it_fail_by_anything_but_its_own_errors(authorization: Any, organization: Any) -> None:
    said = ""
    try:
        ask(authorization, organization)
    except AccessError as error:
        said = str(error)
    text = authorization if isinstance(authorization, str) else "".join(authorization or ())
    assert not any(text[i : i + 12] in said for i in range(len("Bearer "), len(text) - 11))
