"""Which of the bindings that fit a token counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest

from controller.access.bindings import by_bindings
from controller.access.caller import Caller
from controller.access.errors import NotBound, NotMember, WhichOrganization
from controller.access.roles import Role, Verb
from controller.actions.bindings import check_claims, claims_of, public_issuers
from controller.actions.errors import ActionError

ACME = {"id": str(UUID(int=1)), "slug": "acme"}
GLOBEX = {"id": str(UUID(int=2)), "slug": "globex"}


def binding(role: str = "member", place: dict[str, str] | None = ACME, **more: Any) -> dict[str, Any]:
    return {
        "name": "b", "role": role, "place": place, "of_platform": role.startswith("platform"), "apps": None,
        "verbs": None, **more,
    }  # fmt: skip


def who(found: Sequence[dict[str, Any]], asked: str = "") -> Caller:
    return by_bindings(found, asked, "oidc ci of https://id.example.com")


def test_a_binding_gives_its_role_and_its_limits() -> None:
    caller = who([binding(apps=["shop"], verbs=["read", "deploy"])])
    assert (caller.role, caller.organization_slug, caller.means) == (Role.MEMBER, "acme", "oidc b")
    assert caller.scope.apps == frozenset({"shop"})
    assert caller.scope.verbs == frozenset({Verb.READ, Verb.DEPLOY})
    assert caller.user_id is None


def test_the_highest_role_counts_with_its_limits() -> None:
    caller = who([binding("viewer"), binding("admin", verbs=["read"]), binding("member")])
    assert (caller.role, caller.scope.verbs) == (Role.ADMIN, frozenset({Verb.READ}))


def test_apps_of_the_same_role_and_verbs_are_taken_together() -> None:
    assert who([binding(apps=["a"], verbs=["read"]), binding(apps=["b"], verbs=["read"])]).scope.apps == frozenset(
        {"a", "b"}
    )
    assert who([binding(apps=["a"]), binding()]).scope.apps is None
    alone = who([binding(apps=["a"], verbs=["read"]), binding(apps=["b"], verbs=["read", "deploy"])])
    assert (alone.scope.apps, alone.scope.verbs) == (frozenset({"b"}), frozenset({Verb.READ, Verb.DEPLOY}))


def test_where_he_acts_is_asked_for_or_is_the_only_place() -> None:
    both = [binding(), binding("owner", GLOBEX)]
    assert who(both, "acme").role is Role.MEMBER
    assert who(both, GLOBEX["id"].upper()).role is Role.OWNER
    with pytest.raises(WhichOrganization):
        who(both)
    with pytest.raises(NotMember):
        who(both, "initech")
    with pytest.raises(NotBound):
        who([])
    with pytest.raises(NotBound):
        who([], "acme")


def test_whom_another_organization_binds_as_well_acts_where_what_he_asks_for_is() -> None:
    both = [binding(), binding("owner", GLOBEX)]
    for place, role in ((ACME, Role.MEMBER), (GLOBEX, Role.OWNER)):
        caller = by_bindings(both, "", "oidc ci", place["slug"])
        assert (caller.organization_slug, caller.role) == (place["slug"], role)
    assert by_bindings(both, "globex", "oidc ci", "acme").organization_slug == "globex"
    with pytest.raises(WhichOrganization):
        by_bindings(both, "", "oidc ci", "initech")
    assert by_bindings([binding()], "", "oidc ci", "globex").organization_slug == "acme"
    assert by_bindings([binding("platform-admin", None), *both], "", "oidc ci", "acme").platform


def test_an_organization_that_is_called_as_another_ones_id_gives_no_role_there() -> None:
    called_so = {"id": GLOBEX["id"], "slug": ACME["id"]}
    caller = who([binding("viewer"), binding("owner", called_so)], ACME["id"])
    assert (str(caller.organization), caller.role) == (ACME["id"], Role.VIEWER)
    assert who([binding("owner", called_so)], ACME["id"]).organization_slug == ACME["id"]


def test_a_role_of_the_platform_is_good_everywhere() -> None:
    caller = who([binding("platform-admin", None), binding()])
    assert (caller.role, caller.organization, caller.platform) == (Role.PLATFORM_ADMIN, None, True)
    here = who([binding("platform-admin", ACME), binding("viewer")], "acme")
    assert (here.role, here.organization_slug, here.platform) == (Role.PLATFORM_ADMIN, "acme", False)
    assert who([binding("platform-viewer", ACME), binding("member")], "acme").role is Role.MEMBER


@pytest.mark.parametrize(
    ("issuer", "claims", "said"),
    [
        ("https://id.example.com", {}, "of which tokens"),
        ("https://id.example.com", {"aud": ["x"]}, "is checked of every token"),
        ("https://id.example.com", {"a b": ["x"]}, "no name of a claim"),
        ("https://id.example.com", {"sub": []}, "1 to 20 values"),
        ("https://id.example.com", {"sub": [""]}, "1 to 20 values"),
        ("https://id.example.com", {"sub": ["repo:acme/*"]}, "stands for itself"),
        ("https://id.example.com", {str(n): ["x"] for n in range(9)}, "too many"),
        ("https://token.actions.githubusercontent.com", {"ref": ["refs/heads/main"]}, "whose they are"),
        (
            "https://token.actions.githubusercontent.com",
            {"job_workflow_ref": ["acme/flows/.github/workflows/deploy.yml@refs/heads/main"]},
            "whose they are",
        ),
        ("https://gitlab.com", {"ref_protected": ["true"]}, "whose they are"),
    ],
)
def test_claims_that_no_token_or_everybodys_has_are_refused(
    issuer: str, claims: dict[str, list[str]], said: str
) -> None:
    with pytest.raises(ActionError, match=said):
        check_claims(issuer, claims)


def test_claims_of_a_command_line_stand_one_by_one() -> None:
    assert claims_of(["groups=ops", "groups=dev", "sub=a=b"]) == {"groups": ["ops", "dev"], "sub": ["a=b"]}
    for word in ("groups", "groups="):
        with pytest.raises(ActionError, match="no claim with a value"):
            claims_of([word])
    assert all(issuer.startswith("https://") and said for issuer, said in public_issuers().items())
