"""Which images a policy lets run: patterns, spellings, and which of two policies holds."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specs.image_policies import ImagePolicy, check_patterns, matches, violations
from specs.problems import RefusedError

DIGEST = f"sha256:{'a' * 64}"


def found(image: str, *, digest: str = "", runs: bool = False, **policy: Any) -> list[str]:
    one = [("acme", ImagePolicy(**policy))]
    return [each.reason for each in violations(one, image, digest=digest, runs=runs)]


@pytest.mark.parametrize("image", ["nginx", "nginx:latest", "docker.io/nginx", "index.docker.io/library/nginx"])
@pytest.mark.parametrize(
    "pattern", ["nginx", "nginx:latest", "*:latest", "docker.io/library/*", "library/nginx", "docker.io/library/nginx"]
)
def test_what_is_blocked_is_found_in_every_spelling(image: str, pattern: str) -> None:
    assert found(image, blocked_patterns=[pattern]) == ["ImageBlocked"]


def test_content_is_blocked_by_its_digest_whether_it_is_declared_or_found() -> None:
    policy: dict[str, Any] = {"blocked_patterns": [f"*@{DIGEST}"]}
    assert found(f"ghcr.io/a/b@{DIGEST}", **policy) == ["ImageBlocked"]
    assert found("ghcr.io/a/b:1", digest=DIGEST, **policy) == ["ImageBlocked"]
    assert found("ghcr.io/a/b:1", **policy) == []


def test_content_is_blocked_and_allowed_by_the_index_that_it_is_of_as_well() -> None:
    own, of_index = f"sha256:{'b' * 64}", [f"*@{DIGEST}"]
    blocks, allows = [("acme", ImagePolicy(**{name: of_index})) for name in ("blocked_patterns", "allowed_patterns")]
    for image, runs in ((f"ghcr.io/a/b:1@{own}", True), ("ghcr.io/a/b:1", False)):
        digest = "" if runs else own
        assert [each.reason for each in violations([blocks], image, digest=digest, index=DIGEST, runs=runs)] == [
            "ImageBlocked"
        ]
        assert not violations([allows], image, digest=digest, index=DIGEST, runs=runs)
        assert violations([allows], image, digest=digest, runs=runs)


def test_a_tag_beside_a_declared_digest_allows_nothing() -> None:
    policy: dict[str, Any] = {"allowed_patterns": ["ghcr.io/a/b:1.*"]}
    assert found("ghcr.io/a/b:1.2", **policy) == []
    assert found(f"ghcr.io/a/b:1.2@{DIGEST}", **policy) == ["ImageNotAllowed"]
    assert found(f"ghcr.io/a/b:1.2@{DIGEST}", runs=True, **policy) == [], "it was found under the tag"


@pytest.mark.parametrize(
    ("image", "allowed"),
    [("nginx", True), ("docker.io/a/b", True), ("ghcr.io/a/b", False), ("evil.example/docker.io/a", False)],
)
def test_a_registry_is_allowed_as_a_whole(image: str, allowed: bool) -> None:
    assert found(image, allowed_registries=["docker.io"]) == ([] if allowed else ["ImageNotAllowed"])


def test_names_of_docker_hub_allow_nothing_elsewhere() -> None:
    assert found("team/app", allowed_patterns=["team/*"]) == []
    assert found("evil.example/team/app", allowed_patterns=["team/*"]) == ["ImageNotAllowed"]


def test_a_digest_has_to_be_declared_and_what_runs_names_one() -> None:
    assert found("nginx:1", require_digest=True, digest=DIGEST) == ["DigestRequired"]
    assert found(f"nginx:1@{DIGEST}", require_digest=True) == []


def test_no_policy_loosens_another() -> None:
    installation = ImagePolicy(blocked_patterns=("*:latest",), enforcement="all")
    own = ImagePolicy(allowed_patterns=("*",), enforcement="audit")
    both = [("the installation", installation), ("acme", own)]
    assert [each.enforcement for each in violations(both, "nginx")] == ["all"]


@given(st.text("ab*", max_size=8), st.text("ab", max_size=8))
def test_a_pattern_is_read_as_its_regular_expression(pattern: str, text: str) -> None:
    expression = ".*".join(map(re.escape, pattern.split("*")))
    assert matches(pattern, text) == bool(re.fullmatch(expression, text))


def test_a_pattern_of_many_stars_takes_no_time() -> None:
    began = time.process_time()
    assert not matches("*a" * 127 + "*b", "a" * 400 + "c")
    assert time.process_time() - began < 0.5


@pytest.mark.parametrize("pattern", ["", "a b", "x" * 256, "a\n"])
def test_a_pattern_is_a_word(pattern: str) -> None:
    with pytest.raises(RefusedError):
        check_patterns((pattern,))
