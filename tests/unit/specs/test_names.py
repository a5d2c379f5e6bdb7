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
swarm_names = st.lists(slugs, min_size=3, max_size=3).map("-".join)


@given(swarm_names, process_types)
def test_every_service_name_is_one_that_swarm_takes(swarm_name: str, process: str) -> None:
    name = names.service_name(swarm_name, process)
    assert SWARM_NAME.fullmatch(name)
    assert len(name) <= names.NAME_LIMIT
    assert name.endswith(f"-{process}")


@given(slugs)
def test_every_network_name_is_one_that_swarm_takes(slug: str) -> None:
    name = names.network_name(slug)
    assert SWARM_NAME.fullmatch(name)
    assert len(name) <= names.NAME_LIMIT


@given(swarm_names, swarm_names, process_types, process_types)
def test_two_processes_never_share_a_service_name(one: str, other: str, first: str, second: str) -> None:
    assume((one, first) != (other, second))
    assert names.service_name(one, first) != names.service_name(other, second)


def test_a_name_that_fits_is_not_changed() -> None:
    assert names.service_name("acme-hello-production", "web") == "acme-hello-production-web"
    assert names.network_name("acme") == "org-acme"


def test_names_that_differ_only_beyond_the_cut_stay_apart() -> None:
    long = "a" * 80
    assert names.service_name(long + "1", "web") != names.service_name(long + "2", "web")


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
