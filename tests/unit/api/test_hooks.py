"""How forges sign what they send, and what it says: against examples of their documents, and who has no secret."""

from __future__ import annotations

import base64
import hmac
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.api.hooks.pushes import FORM, Push, followed, pushed
from controller.api.hooks.schemes import claimed

SAID: dict[str, Any] = json.loads((Path(__file__).parents[2] / "fixtures" / "webhooks.json").read_text())
NOW = 1_614_265_330.0
SECRET = b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def signed(body: bytes, key: bytes = SECRET, digest: str = "sha256") -> str:
    return hmac.new(key, body, digest).hexdigest()


def standard(body: bytes, number: str = "msg_1", at: int = int(NOW), key: bytes | None = None) -> dict[str, str]:
    secret = base64.b64decode(SECRET.decode().removeprefix("whsec_")) if key is None else key
    text = base64.b64encode(hmac.digest(secret, f"{number}.{at}.".encode() + body, "sha256")).decode()
    return {"webhook-id": number, "webhook-timestamp": str(at), "webhook-signature": f"v1,{text}"}


def test_examples_of_the_documents_hold() -> None:
    body = b"Hello, World!"  # docs.github.com, validating webhook deliveries
    given_ = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    claim = claimed({"x-github-event": "push", "x-hub-signature-256": given_}, body, NOW)
    assert claim is not None
    assert claim.forge == "GitHub"
    assert claim.holds(b"It's a Secret to Everybody")
    assert not claim.holds(b"It's a Secret to everybody")
    body = b"what do ya want for nothing?"  # RFC 4231, case 2
    text = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    for header, forge in (("x-gitea-signature", "Gitea"), ("x-forgejo-signature", "Forgejo")):
        claim = claimed({header: text}, body, NOW)
        assert claim is not None
        assert (claim.forge, claim.holds(b"Jefe")) == (forge, True)


@pytest.mark.parametrize(
    ("headers", "forge"),
    [
        ({"x-gitea-signature": signed(b"{}"), "x-github-event": "push", "x-hub-signature-256": "x"}, "Gitea"),
        ({"x-event-key": "repo:push", "x-hub-signature": f"sha256={signed(b'{}')}"}, "Bitbucket"),
        ({"x-gitlab-event": "Push Hook", "x-gitlab-token": SECRET.decode()}, "GitLab"),
        ({"x-gitlab-event": "Push Hook", "x-gitlab-token": "no", **standard(b"{}")}, "GitLab"),
        (standard(b"{}"), "a sender"),
        (standard(b"{}", key=SECRET), "a sender"),
        ({"authorization": f"Bearer {SECRET.decode()}"}, "a sender"),
    ],
)
def test_each_form_holds_for_its_secret_alone(headers: dict[str, str], forge: str) -> None:
    claim = claimed(headers, b"{}", NOW)
    assert claim is not None
    assert claim.forge == forge
    assert claim.holds(SECRET)
    assert not claim.holds(SECRET + b"x")
    assert not claim.holds(b"")
    other = claimed(headers, b"{ }", NOW)
    assert other is not None
    assert other.holds(SECRET) == (claim.over is None), "another body"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-github-event": "push"},
        {"x-github-event": "push", "x-hub-signature": f"sha1={signed(b'{}', digest='sha1')}"},
        {"x-hub-signature-256": f"sha1={signed(b'{}', digest='sha1')}"},
        {"x-hub-signature-256": signed(b"{}")},
        {"x-hub-signature-256": "sha256="},
        {"x-hub-signature-256": f"sha256={signed(b'{}').upper()}"},
        {"x-event-key": "repo:push"},
        {"x-event-key": "repo:push", "x-hub-signature": f"sha1={signed(b'{}', digest='sha1')}"},
        {"x-gitlab-event": "Push Hook"},
        {"x-gitlab-event": "Push Hook", "x-gitlab-token": ""},
        {"x-gitlab-event": "Push Hook", "webhook-signature": "v1,", "x-gitlab-token": SECRET.decode()},
        standard(b"{}", at=int(NOW) - 301),
        standard(b"{}", at=int(NOW) + 301),
        {**standard(b"{}"), "webhook-timestamp": "1e9"},
        {**standard(b"{}"), "webhook-id": ""},
        {**standard(b"{}"), "webhook-signature": standard(b"{}")["webhook-signature"].replace("v1", "v1a")},
        {"authorization": "Basic eDp5"},
        {"authorization": "Bearer"},
    ],
)
def test_what_is_unsigned_old_or_signed_with_sha1_claims_nothing(headers: dict[str, str]) -> None:
    assert claimed(headers, b"{}", NOW) is None


def test_a_form_that_is_there_is_not_made_up_for_by_another_one() -> None:
    good = {"x-gitea-signature": signed(b"{}"), "x-hub-signature-256": f"sha256={signed(b'{}')}"}
    claim = claimed({**good, "x-forgejo-signature": "0" * 64}, b"{}", NOW)
    assert claim is not None
    assert not claim.holds(SECRET)
    assert claimed({**good, "x-forgejo-signature": "x"}, b"{}", NOW) is None


@given(st.dictionaries(st.sampled_from([
    "x-forgejo-signature", "x-gitea-signature", "x-gitlab-event", "x-gitlab-token", "x-event-key", "x-hub-signature",
    "x-hub-signature-256", "webhook-id", "webhook-timestamp", "webhook-signature", "authorization", "x-github-event",
]), st.text(max_size=80)), st.binary(max_size=80))  # fmt: skip
def test_no_headers_hold_that_somebody_without_the_secret_makes_up(headers: dict[str, str], body: bytes) -> None:
    claim = claimed(headers, body, NOW)
    assert claim is None or not claim.holds(SECRET)
    assert claim is None or all(len(each) == 32 for each in claim.digests)


@pytest.mark.parametrize(
    ("event", "name", "references"),
    [
        ("push", "github push", ("refs/heads/master",)),
        ("push", "github tag", ("refs/tags/simple-tag",)),
        ("push", "gitea push", ("refs/heads/master",)),
        ("Push Hook", "gitlab push", ("refs/heads/master",)),
        ("Tag Push Hook", "gitlab tag", ("refs/tags/v1.0.0",)),
        ("repo:push", "bitbucket push", ("refs/heads/master",)),
        ("repo:push", "bitbucket deleted", ("refs/heads/gone",)),
        ("repo:refs_changed", "bitbucket dc push", ("refs/heads/master",)),
        ("release", "github push", None),
    ],
)
def test_what_was_pushed_is_read_of_each_forge(event: str, name: str, references: tuple[str, ...] | None) -> None:
    raw = json.dumps(SAID[name]).encode()
    assert pushed(event, "application/json", raw) == Push(references)
    assert pushed(event, FORM, urlencode({"payload": raw}).encode()) == Push(references)


def test_what_is_not_said_plainly_wakes() -> None:
    main = followed("main", None, None)
    assert main == "refs/heads/main"
    assert followed("main", "v1", None) == "refs/tags/v1"
    for raw in (
        b"",
        b"[]",
        b"{",
        b'{"ref": "main"}',
        b'{"ref": ["refs/heads/x"]}',
        b"[" * 100,
        b"\xff",
        b'{"push": 1}',
    ):
        for event in ("push", "repo:push", "", "issues"):
            assert pushed(event, "application/json", raw).concerns(main), (event, raw)
            assert pushed(event, FORM, raw).concerns(main), (event, raw)
    assert not Push(("refs/heads/x",)).concerns(main)
    assert Push(("refs/heads/x", "refs/heads/main")).concerns(main)
    assert Push(("refs/heads/x",)).concerns(followed("main", None, "0" * 40))
    assert pushed("ping", "application/json", b"{}").ping
    assert not Push(ping=True).concerns(None)
