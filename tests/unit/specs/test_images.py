"""Image references, after the table of github.com/distribution/reference."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specs.images import ImageReference, parse_image
from specs.problems import RefusedError

SHA256 = "sha256:" + "f" * 64
SHA512 = "sha512:" + "f" * 128


@pytest.mark.parametrize(
    ("text", "domain", "path", "tag", "digest"),
    [
        ("redis", "", "redis", "", ""),
        ("test_com", "", "test_com", "", ""),
        ("test.com:tag", "", "test.com", "tag", ""),
        ("test.com:5000", "", "test.com", "5000", ""),
        ("test.com/repo:tag", "test.com", "repo", "tag", ""),
        ("test:5000/repo", "test:5000", "repo", "", ""),
        ("test:5000/repo:tag", "test:5000", "repo", "tag", ""),
        (f"test:5000/repo@{SHA256}", "test:5000", "repo", "", SHA256),
        (f"test:5000/repo:tag@{SHA256}", "test:5000", "repo", "tag", SHA256),
        ("lowercase:Uppercase", "", "lowercase", "Uppercase", ""),
        ("library/redis", "", "library/redis", "", ""),
        ("localhost/repo", "localhost", "repo", "", ""),
        (
            "sub-dom1.foo.com/bar/baz/quux:some-long-tag",
            "sub-dom1.foo.com",
            "bar/baz/quux",
            "some-long-tag",
            "",
        ),
        (
            "b.gcr.io/test.example.com/my-app:test.example.com",
            "b.gcr.io",
            "test.example.com/my-app",
            "test.example.com",
            "",
        ),
        (f"xn--7o8h.com/myimage:xn--7o8h.com@{SHA512}", "xn--7o8h.com", "myimage", "xn--7o8h.com", SHA512),
        ("192.168.1.1:5000/repo:5050", "192.168.1.1:5000", "repo", "5050", ""),
        ("[2001:db8::1]/repo", "[2001:db8::1]", "repo", "", ""),
        ("[2001:db8::1]:5000/repo:tag", "[2001:db8::1]:5000", "repo", "tag", ""),
        ("a__b/c--d/e.f", "", "a__b/c--d/e.f", "", ""),
        ("127.0.0.1:5000/skypanel/web:1", "127.0.0.1:5000", "skypanel/web", "1", ""),
        ("a/" * 127 + "a:tag-puts-this-over-255", "", "a/" * 127 + "a", "tag-puts-this-over-255", ""),
    ],
)
def test_a_reference_has_the_parts_that_docker_sees(text: str, domain: str, path: str, tag: str, digest: str) -> None:
    parsed = parse_image(text)
    assert parsed == ImageReference(domain, path, tag, digest)
    assert str(parsed) == text


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no name"),
        (":justtag", "no name"),
        (f"@{SHA256}", "no name"),
        ("UPPER/x", "upper case"),
        ("Uppercase:tag", "upper case"),
        ("test:5000/Uppercase/lowercase:tag", "upper case"),
        ("a/" * 128 + "a:tag", "257 characters"),
        ("aa/asdf$$^/aa", "not a repository name"),
        ("a//b", "not a repository name"),
        ("a/b/", "not a repository name"),
        ("a___b", "not a repository name"),
        ("a..b", "not a repository name"),
        ("re po", "not a repository name"),
        ("repo\n", "not a repository name"),
        ("repo:", "tag"),
        ("repo:.x", "tag"),
        ("repo:" + "x" * 129, "tag"),
        ("repo:tag\n", "tag"),
        ("repo@sha256:" + "f" * 34, "digest"),
        ("repo@sha256:" + "F" * 64, "digest"),
        ("repo@md5:" + "f" * 32, "digest"),
        ("repo@", "digest"),
        ("f" * 64, "image id"),
        ("https://example.com/repo", "scheme"),
        ("[2001:db8::1]", "not a repo"),
        ("[fe80::1%eth0]:5000/repo", "registry host"),
        ("test:0/repo", "registry host"),
        ("test:65536/repo", "registry host"),
        ("-x.com/repo", "registry host"),
    ],
)
def test_what_is_no_reference_is_refused_and_the_message_says_which_part(text: str, says: str) -> None:
    with pytest.raises(RefusedError, match="is not an image reference") as refused:
        parse_image(text)
    assert says in refused.value.message


@given(st.text(max_size=300))
def test_any_text_is_parsed_to_itself_or_refused(text: str) -> None:
    try:
        parsed = parse_image(text)
    except RefusedError:
        return
    assert str(parsed) == text
