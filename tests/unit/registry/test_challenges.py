"""``WWW-Authenticate``, as registries write it and as they should not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.registry.challenges import Challenge, challenges

HUB = 'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push"'


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        (
            [HUB],
            [
                Challenge(
                    "bearer",
                    {
                        "realm": "https://auth.docker.io/token",
                        "service": "registry.docker.io",
                        "scope": "repository:a/b:pull,push",
                    },
                )
            ],
        ),
        (['Basic realm="Registry Realm"'], [Challenge("basic", {"realm": "Registry Realm"})]),
        (["BASIC REALM=plain"], [Challenge("basic", {"realm": "plain"})]),
        (['Bearer realm = "a" , service = b'], [Challenge("bearer", {"realm": "a", "service": "b"})]),
        (
            ['Bearer realm="a", Basic realm="b, c=d"'],
            [Challenge("bearer", {"realm": "a"}), Challenge("basic", {"realm": "b, c=d"})],
        ),
        (
            ['Basic realm="b"', 'Bearer realm="a"'],
            [Challenge("basic", {"realm": "b"}), Challenge("bearer", {"realm": "a"})],
        ),
        (["Negotiate, Basic realm=x"], [Challenge("negotiate"), Challenge("basic", {"realm": "x"})]),
        ([r'Bearer realm="a \"b\" \\ c"'], [Challenge("bearer", {"realm": 'a "b" \\ c'})]),
        (['Bearer realm="first",realm="second"'], [Challenge("bearer", {"realm": "first"})]),
        (["Bearer"], [Challenge("bearer")]),
        (['Bearer realm="never closed'], [Challenge("bearer"), Challenge("realm")][:1]),
        (['realm="x"'], []),
        (['""', "", ",,,", "=", '"'], []),
        ([], []),
    ],
)
def test_a_header_is_read(headers: list[str], found: list[Challenge]) -> None:
    assert challenges(headers) == found


@given(st.dictionaries(st.from_regex(r"[a-z]{1,8}", fullmatch=True), st.text(st.characters(codec="latin-1"))))
def test_what_is_quoted_comes_back(parameters: dict[str, str]) -> None:
    def quoted(value: str) -> str:
        return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")

    header = "Bearer " + ", ".join(f'{name}="{quoted(value)}"' for name, value in parameters.items())
    assert challenges([header]) == [Challenge("bearer", {n: v.replace("\n", " ") for n, v in parameters.items()})]


@given(st.lists(st.text(st.sampled_from('Bearer=",\\ \tBasic x')), max_size=4))
def test_nothing_breaks_it(headers: list[str]) -> None:
    assert len(challenges(headers)) <= 16
