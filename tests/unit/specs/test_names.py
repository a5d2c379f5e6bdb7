"""Forms of names, and names on Swarm."""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from specs import names
from specs.problems import RefusedError

SWARM_NAME = re.compile(r"[a-zA-Z0-9](?:[-_]*[A-Za-z0-9]+)*")  # swarmkit manager/controlapi/common.go
slugs = st.from_regex(names.SLUG_PATTERN.replace("$", r"\Z"))
process_types = st.from_regex(names.PROCESS_TYPE_PATTERN.replace("$", r"\Z"))
stems = st.one_of(
    st.lists(slugs, min_size=3, max_size=3).map("-".join),
    # As somebody would write them who wants the name of another: what is cut, and what names look like.
    st.text("a-0", max_size=70).map(lambda text: f"a{text}z"),
    st.sampled_from(["acme-shop-eu", "acme-shop", "org-acme", "pin", "a" * 63, "a" * 30 + "-web"]),
)
ids = st.uuids().map(str)
installations = st.sampled_from(["skypanel", "staging", "sky", "panel"])
owners = st.tuples(installations, ids, ids)


def service(stem: str, process: str, owner: tuple[str, str, str]) -> str:
    installation, organization, environment = owner
    return names.service_name(
        stem, process, installation=installation, organization=organization, environment=environment
    )


def network(slug: str, owner: tuple[str, str]) -> str:
    return names.network_name(slug, installation=owner[0], organization=owner[1])


@given(stems, process_types, owners)
def test_every_service_name_is_one_that_swarm_takes(stem: str, process: str, owner: tuple[str, str, str]) -> None:
    name = service(stem, process, owner)
    assert SWARM_NAME.fullmatch(name)
    assert len(name) <= names.NAME_LIMIT
    assert name.rpartition("_")[0].endswith(f"-{process}")


@given(slugs, installations, ids)
def test_every_name_of_an_organization_is_one_that_swarm_takes(slug: str, installation: str, found: str) -> None:
    for name in (
        names.network_name(slug, installation=installation, organization=found),
        names.pin_name(installation=installation, organization=found),
    ):
        assert SWARM_NAME.fullmatch(name)
        assert len(name) <= names.NAME_LIMIT


@given(stems, stems, process_types, process_types, owners, owners)
def test_names_of_different_owners_never_meet(
    one: str, other: str, first: str, second: str, mine: tuple[str, str, str], theirs: tuple[str, str, str]
) -> None:
    assume(mine != theirs)
    assert service(one, first, mine) != service(other, second, theirs)
    assert network(one, mine[:2]) != network(other, theirs[:2]) or mine[:2] == theirs[:2]


@given(stems, process_types, process_types, owners)
def test_two_processes_of_one_environment_never_share_a_name(
    stem: str, first: str, second: str, owner: tuple[str, str, str]
) -> None:
    assume(first != second)
    assert service(stem, first, owner) != service(stem, second, owner)


@given(stems, process_types, owners, slugs, ids)
def test_a_service_a_network_and_a_pin_never_share_a_name(
    stem: str, process: str, owner: tuple[str, str, str], slug: str, other: str
) -> None:
    pin = names.pin_name(installation=owner[0], organization=other)
    assert len({service(stem, process, owner), network(slug, (owner[0], other)), pin}) == 3


@given(stems, process_types, owners)
def test_no_name_can_be_chosen_by_a_tenant(stem: str, process: str, owner: tuple[str, str, str]) -> None:
    """What tenants choose are slugs: names on Swarm are none."""
    for name in (service(stem, process, owner), network(stem, owner[:2])):
        with pytest.raises(RefusedError):
            names.check_slug(name)


def test_a_name_can_be_read() -> None:
    owner = ("skypanel", "00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002")
    assert service("acme-hello-production", "web", owner) == "acme-hello-production-web_e95b01a01c"
    assert network("acme", owner[:2]) == "org-acme_90c8829d7d"
    assert names.pin_name(installation=owner[0], organization=owner[1]) == "pin_90c8829d7d"


def test_a_name_that_is_too_long_is_cut_where_it_can_still_be_read() -> None:
    name = service("a-very-long-customer-name-of-somebody-with-a-lot-of-words", "web", ("skypanel", "1", "2"))
    assert name == "a-very-long-customer-name-of-somebody-with-a-lot-web_36f1fda39f"


def test_an_environment_that_moves_to_another_organization_gets_other_names() -> None:
    assert service("acme-shop-production", "web", ("skypanel", "1", "9")) != service(
        "acme-shop-production", "web", ("skypanel", "2", "9")
    )


def test_a_router_name_has_no_dot_which_would_end_it_in_a_label() -> None:
    assert names.router_name("acme-hello-web", "www.example.com") == "acme-hello-web-www_example_com"


@pytest.mark.parametrize("text", ["a", "0", "a-b", "a--b", "acme", "x" * 63])
def test_a_slug_is_lower_case_letters_digits_and_inner_hyphens(text: str) -> None:
    assert names.check_slug(text) == text


@pytest.mark.parametrize("text", ["", "-a", "a-", "A", "a_b", "a.b", "a b", "é", "a\n", "x" * 64])
def test_what_is_no_slug_is_refused(text: str) -> None:
    with pytest.raises(RefusedError):
        names.check_slug(text)


def test_the_refusal_of_a_slug_proposes_one() -> None:
    with pytest.raises(RefusedError) as refused:
        names.check_slug("My Shop!")
    assert "my-shop" in refused.value.hint


def test_the_refusal_of_a_long_name_gives_its_length() -> None:
    with pytest.raises(RefusedError, match="has 70 characters"):
        names.check_slug("x" * 70)


@pytest.mark.parametrize("text", ["web", "w", "worker2", "x" * 20])
def test_a_process_type_is_a_short_word(text: str) -> None:
    assert names.check_process_type(text) == text


@pytest.mark.parametrize("text", ["", "2web", "my-web", "Web", "x" * 21, "web\n"])
def test_what_is_no_process_type_is_refused(text: str) -> None:
    with pytest.raises(RefusedError):
        names.check_process_type(text)


@pytest.mark.parametrize("text", ["hello.localhost", "www.example.com", "a.b.c.d", "xn--n3h.example", "1.example"])
def test_a_host_name_is_labels_with_dots_between(text: str) -> None:
    assert names.check_hostname(text) == text


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("WWW.Example.com", "write www.example.com"),
        ("www.example.com.", "write www.example.com"),
        ("https://www.example.com/", "without scheme"),
        ("www.example.com:8080", "without scheme, port"),
        ("*.example.com", "wildcards"),
        ("bücher.example", "ASCII form"),
        ("localhost", "with its domain"),
        ("127.0.0.1", "not an address"),
        ("a_b.example.com", "labels of"),
        ("", "labels of"),
        ("www.example.com\n", "write www.example.com"),
        (".".join(["x" * 60] * 5), "at most 253"),
        ("x" * 64 + ".example.com", "labels of"),
    ],
)
def test_what_is_no_host_name_is_refused_with_the_way_to_mend_it(text: str, hint: str) -> None:
    with pytest.raises(RefusedError) as refused:
        names.check_hostname(text)
    assert hint in refused.value.hint
