"""Words for kinds and paths of names."""

from __future__ import annotations

import pytest

from controller.actions.errors import ActionError
from controller.actions.paths import form, full_path, is_full, kind_of, listed, looked_after, path_of


@pytest.mark.parametrize("word", ["environment", "environments", "Environment", "env", "ENVS"])
def test_a_kind_has_many_words(word: str) -> None:
    assert kind_of(word) == "Environment"


@pytest.mark.parametrize(("word", "kind"), [("processes", "Process"), ("ps", "Process"), ("orgs", "Organization")])
def test_plurals_and_short_forms_are_known(word: str, kind: str) -> None:
    assert kind_of(word) == kind


def test_an_unknown_kind_is_answered_with_the_nearest() -> None:
    with pytest.raises(ActionError, match="'enviroment' is not a kind") as refused:
        kind_of("enviroment")
    assert refused.value.hint == "did you mean environment?"


def test_a_path_may_be_shorter_than_the_kind() -> None:
    assert path_of("Environment", "acme/shop") == ("acme", "shop")
    assert path_of("Environment", None) == ()


@pytest.mark.parametrize("name", ["a/b/c/d", "a//c", "/"])
def test_a_path_that_cannot_be_is_refused_with_its_form(name: str) -> None:
    with pytest.raises(ActionError) as refused:
        path_of("Environment", name)
    assert "ORGANIZATION/APP/ENVIRONMENT" in refused.value.hint


def test_one_object_needs_its_whole_path() -> None:
    assert full_path("Environment", "acme/shop/production") == ("acme", "shop", "production")
    with pytest.raises(ActionError, match="not the whole path"):
        full_path("Environment", "acme/shop")


def test_a_host_name_is_a_whole_path_and_an_organization_is_not() -> None:
    assert full_path("Domain", "shop.example.com") == ("shop.example.com",)
    assert is_full("Domain", ("shop.example.com",))
    assert not is_full("Domain", ("acme",))


def test_all_kinds_are_listed_in_one_line() -> None:
    assert listed() == (
        "organization, app, imagepolicy, registry, source, environment, process, run, domain, buildpack, plan, stack "
        "or template"
    )


@pytest.mark.parametrize(
    ("kind", "by"),
    [
        ("Environment", "Environment"),
        ("Process", "Environment"),
        ("Domain", "Environment"),
        ("App", "Environment"),
        ("Plan", "Organization"),
        ("Organization", "Organization"),
    ],
)
def test_what_has_no_reconciler_is_looked_after_by_the_nearest_that_has_one(kind: str, by: str) -> None:
    assert looked_after(kind) == by


def test_a_name_that_is_unique_everywhere_needs_no_path() -> None:
    assert form("Domain") == "its host name"
    assert form("Process") == "ORGANIZATION/APP/ENVIRONMENT/PROCESS"
