"""What each forge is asked, as its documentation has it."""

from __future__ import annotations

import json

import pytest

from specs.forges import FAILURE, LONGEST, PENDING, SUCCESS, Said, api_of, call, forge_of

OURS = ("pending", "success", "failure")
COMMIT = "6113728f27ae82c7b1a177c8d03f9e96e0adf246"


@pytest.mark.parametrize(
    ("repository", "forge", "api"),
    [
        ("https://github.com/acme/specs.git", "github", "https://api.github.com"),
        ("https://github.example.com/acme/specs", "github", "https://github.example.com/api/v3"),
        ("https://gitlab.com/acme/team/specs.git", "gitlab", "https://gitlab.com/api/v4"),
        ("https://git.example.com:8443/a/b.git", "gitlab", "https://git.example.com:8443/api/v4"),
        ("https://codeberg.org/acme/specs.git", "gitea", "https://codeberg.org/api/v1"),
        ("https://bitbucket.org/acme/specs.git", "bitbucket", "https://api.bitbucket.org/2.0"),
    ],
)
def test_the_api_is_at_the_repositorys_host_or_where_that_forge_has_it(repository: str, forge: str, api: str) -> None:
    assert api_of(forge, repository) == api
    assert forge_of(repository) in (forge, None)
    assert forge_of("https://github.com.example.com/a/b") is None


@pytest.mark.parametrize(
    ("forge", "path", "header", "states"),
    [
        ("github", f"/repos/acme/specs/statuses/{COMMIT}", ("Authorization", "Bearer t"), OURS),
        ("gitea", f"/repos/acme/specs/statuses/{COMMIT}", ("Authorization", "token t"), OURS),
        (
            "gitlab", f"/projects/acme%2Fspecs/statuses/{COMMIT}", ("PRIVATE-TOKEN", "t"),
            ("pending", "success", "failed"),
        ),
        (
            "bitbucket", f"/repositories/acme/specs/commit/{COMMIT}/statuses/build", ("Authorization", "Bearer t"),
            ("INPROGRESS", "SUCCESSFUL", "FAILED"),
        ),
    ],
)  # fmt: skip
def test_each_forge_is_asked_in_its_own_form(
    forge: str, path: str, header: tuple[str, str], states: tuple[str, str, str]
) -> None:
    for state, word in zip((PENDING, SUCCESS, FAILURE), states, strict=True):
        asked = call(
            forge, "https://x.example/acme/specs.git", "t", Said(COMMIT, state, "skypanel/acme/main", "a\nb" * 99)
        )
        body = json.loads(asked.body)
        assert asked.path == path
        assert asked.headers[header[0]] == header[1]
        assert body["state"] == word
        assert "skypanel/acme/main" in (body.get("context"), body.get("name"))
        assert len(body["description"]) == LONGEST
        assert "\n" not in body["description"]
        assert len(body.get("key", "")) <= 40


def test_a_path_that_means_something_to_http_stays_a_path() -> None:
    asked = call("github", "https://x.example/a b/../%0d%0aX: y/c?.git", "t", Said(COMMIT, SUCCESS, "s", "x"))
    assert not set(" \r\n?#") & set(asked.path)
