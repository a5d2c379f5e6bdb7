"""What always holds of the one table of permissions, whatever kinds there are."""

from __future__ import annotations

from itertools import pairwise, product
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.access.caller import EVERYTHING, Caller, Scope
from controller.access.permissions import allows, can, limited_by, may, table
from controller.access.roles import Role, Verb, lower
from specs import permits
from specs.kinds import KINDS, TENANT, ancestors, of_tenant
from specs.permits import LADDER, ROLES, VERBS

ACME = UUID(int=1)
OF_ORGANIZATION = [role for role in Role if not role.of_platform]
EVERY = list(product(KINDS, Verb))
DEEPEST = next(kind for kind in KINDS if limited_by(kind) is not None and len(ancestors(kind)) > 1)


def caller(role: Role, scope: Scope = EVERYTHING, **given_: Any) -> Caller:
    place = {} if role.of_platform else {"organization": ACME, "organization_slug": "acme"}
    return Caller(
        **{
            "actor": "ada",
            "means": "jwt",
            "user_id": None,
            "organization": None,
            "organization_slug": "",
            "role": role,
            "scope": scope,
            **place,
            **given_,
        }
    )


def path(kind: str, organization: str = "acme", app: str = "shop") -> tuple[str, ...]:
    names = [organization, app, "production", "web"]
    return tuple(names[: len(ancestors(kind)) + 1]) if of_tenant(kind) else ("nano",)


def test_roles_and_verbs_are_those_of_the_specs() -> None:
    assert [str(role) for role in Role] == list(ROLES)
    assert [str(verb) for verb in Verb] == list(VERBS)


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_verb_is_enough_for_is_a_field_of_the_kind_and_the_verb_is_one_that_it_has(kind: str) -> None:
    fields = KINDS[kind].model_json_schema(by_alias=True)["$defs"][f"{kind}Spec"].get("properties", {})
    assert KINDS[kind].facts.changed_by.keys() <= fields.keys()
    assert set(KINDS[kind].facts.changed_by.values()) <= set(map(str, table()[kind])) - {"read", "delete"}


def test_a_viewer_never_does_anything_but_read() -> None:
    for role in (Role.VIEWER, Role.PLATFORM_VIEWER):
        assert {verb for kind, verb in EVERY if allows(role, verb, kind)} == {Verb.READ}


def test_what_belongs_to_no_organization_is_written_by_the_platform_alone() -> None:
    for kind, verb in EVERY:
        if not of_tenant(kind) and verb is not Verb.READ:
            assert [role for role in Role if allows(role, verb, kind)] in ([], [Role.PLATFORM_ADMIN]), (kind, verb)


def test_a_role_may_all_that_those_below_it_may() -> None:
    for below, above in pairwise(LADDER):
        for kind, verb in EVERY:
            assert allows(Role(above), verb, kind) or not allows(Role(below), verb, kind), (above, verb, kind)
    assert all(allows(Role.PLATFORM_VIEWER, Verb.READ, kind) for kind in KINDS)


def test_a_tenant_itself_is_written_by_the_platform_as_its_quotas_are_there() -> None:
    for verb in (Verb.WRITE, Verb.DELETE, Verb.SUSPEND):
        assert [role for role in Role if allows(role, verb, TENANT)] == [Role.PLATFORM_ADMIN]


def test_what_a_kind_does_not_say_is_safe(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in KINDS:
        monkeypatch.setattr(KINDS[kind], "facts", KINDS[kind].facts.__class__())
    table.cache_clear()
    try:
        for kind, verb in EVERY:
            able = {role for role in Role if allows(role, verb, kind)}
            if verb is Verb.READ:
                assert able == (set(Role) if of_tenant(kind) else {Role.PLATFORM_ADMIN, Role.PLATFORM_VIEWER})
            else:
                assert able <= {Role.ADMIN, Role.OWNER, Role.PLATFORM_ADMIN}
    finally:
        monkeypatch.undo()
        table.cache_clear()


def test_no_kind_can_let_a_viewer_write(monkeypatch: pytest.MonkeyPatch) -> None:
    everything = dict.fromkeys(VERBS, permits.VIEWER)
    assert not permits.fault(everything, {})
    for kind in KINDS:
        monkeypatch.setattr(KINDS[kind], "facts", KINDS[kind].facts.__class__(permits=everything))
    table.cache_clear()
    try:
        test_a_viewer_never_does_anything_but_read()
        test_what_belongs_to_no_organization_is_written_by_the_platform_alone()
    finally:
        monkeypatch.undo()
        table.cache_clear()


def test_a_kind_that_says_what_is_none_is_refused() -> None:
    assert "'fly' is no verb" in permits.fault({"fly": "member"}, {})
    assert "'god' is no least role" in permits.fault({"read": "god"}, {})
    assert "no least role" in permits.fault({"write": "platform-viewer"}, {})
    assert "is changed by scale" in permits.fault({"write": "member"}, {"replicas": "scale"})


@pytest.mark.parametrize("role", OF_ORGANIZATION)
def test_nobody_reaches_another_organization(role: Role) -> None:
    for kind in filter(of_tenant, KINDS):
        assert can(caller(role), kind, path(kind, "other")) == ()
        assert can(caller(role), kind, path(kind)) == can(caller(role), kind), "his own"
        assert can(caller(role, organization=None, organization_slug=""), kind) == (), "none at all"


def test_a_platform_role_that_asks_for_one_organization_stays_in_it() -> None:
    inside = caller(Role.PLATFORM_ADMIN, organization=ACME, organization_slug="acme")
    assert may(inside, Verb.DELETE, DEEPEST, path(DEEPEST))
    assert not may(inside, Verb.DELETE, DEEPEST, path(DEEPEST, "other"))
    assert may(caller(Role.PLATFORM_ADMIN), Verb.DELETE, DEEPEST, path(DEEPEST, "other"))


def test_a_path_that_is_none_is_nobodys() -> None:
    for wrong in ("acme//production", "acme/shop/production/web/more", "/", "acme/"):
        assert not may(caller(Role.OWNER), Verb.READ, DEEPEST, wrong)
    assert may(caller(Role.OWNER), Verb.READ, DEEPEST, "")
    assert not may(caller(Role.PLATFORM_ADMIN), Verb.READ, "Nothing")


def test_a_token_of_one_app_reaches_nothing_beside_it() -> None:
    limited = caller(Role.OWNER, Scope(apps=frozenset({"shop"})))
    for kind in KINDS:
        if not of_tenant(kind):
            assert set(can(limited, kind)) <= {Verb.READ}
        elif limited_by(kind) is None:
            assert can(limited, kind, path(kind)) == ()
        else:
            assert can(limited, kind, path(kind)) == can(caller(Role.OWNER), kind, path(kind))
            assert can(limited, kind, path(kind, app="blog")) == ()


SCOPES = st.builds(
    Scope,
    st.none() | st.frozensets(st.sampled_from(["shop", "blog"])),
    st.none() | st.frozensets(st.sampled_from(list(Verb))),
)


@given(
    st.sampled_from(list(Role)),
    SCOPES,
    st.sampled_from(list(KINDS)),
    st.sampled_from(["acme", "other"]),
    st.sampled_from(["shop", "blog"]),
)
def test_a_token_may_never_more_than_its_role(role: Role, scope: Scope, kind: str, tenant: str, app: str) -> None:
    place = path(kind, tenant, app)
    with_scope = set(can(caller(role, scope), kind, place))
    assert with_scope <= set(can(caller(role), kind, place))
    assert scope.verbs is None or with_scope <= scope.verbs


@given(st.sampled_from(list(Role)), st.sampled_from(list(Role)))
def test_the_lower_of_two_roles_may_only_what_both_may(one: Role, other: Role) -> None:
    found = lower(one, other)
    assert (found is None) == (one.of_platform != other.of_platform)
    for kind, verb in EVERY:
        if found is not None and allows(found, verb, kind):
            assert allows(one, verb, kind)
            assert allows(other, verb, kind)
