"""Where the registry of a reference is."""

from __future__ import annotations

import pytest

from controller.registry.places import Origin, Repository
from specs.images import parse_image


@pytest.mark.parametrize(
    ("reference", "authority", "path"),
    [
        ("nginx", "registry-1.docker.io", "library/nginx"),
        ("nginx:1", "registry-1.docker.io", "library/nginx"),
        ("team/app", "registry-1.docker.io", "team/app"),
        ("docker.io/nginx", "registry-1.docker.io", "library/nginx"),
        ("index.docker.io/library/nginx", "registry-1.docker.io", "library/nginx"),
        ("registry.example.com/app", "registry.example.com", "app"),
        ("registry.example.com:5000/a/b/c:1", "registry.example.com:5000", "a/b/c"),
        ("localhost/app", "localhost", "app"),
        ("localhost:5000/app", "localhost:5000", "app"),
        ("127.0.0.1:5000/app", "127.0.0.1:5000", "app"),
        ("[2606:4700::1111]:5000/app", "[2606:4700::1111]:5000", "app"),
    ],
)
def test_a_reference_means_a_repository(reference: str, authority: str, path: str) -> None:
    found = Repository.of(parse_image(reference))
    assert (found.authority, found.path) == (authority, path)


def test_the_spellings_of_one_repository_are_equal() -> None:
    names = ("nginx", "library/nginx", "docker.io/nginx", "docker.io/library/nginx:2", "index.docker.io/nginx")
    assert len({Repository.of(parse_image(name)) for name in names}) == 1


def test_a_host_is_listed_with_and_without_the_port_that_is_its_scheme_s_own() -> None:
    assert Origin("https", "a.example", 443).spellings == ("a.example", "a.example:443")
    assert Origin("https", "a.example", 5000).spellings == ("a.example:5000",)
    assert Origin("http", "::1", 80).spellings == ("[::1]", "[::1]:80")
    assert Origin("http", "a.example", 443).authority == "a.example:443"
