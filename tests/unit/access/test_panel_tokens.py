"""The attack list of the panel's tokens, and what a good one is."""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import urlsafe_b64encode
from typing import Any
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from controller.access.errors import AccessError, TokenExpired, Unauthenticated
from controller.access.panel_tokens import PanelToken, read
from controller.access.signing_secret import fault
from controller.access.token_parts import LEEWAY_SECONDS

SECRET = "Rk2v0Q8sXnTq7cJ1mZ5uLw9yBd3fGh6a"
NOW = 1_796_000_000
USER, ADMIN = UUID(int=7), UUID(int=8)
GOOD: dict[str, Any] = {"userId": str(USER), "email": "ada@example.com", "iat": NOW - 60, "exp": NOW + 600}
HEADER: dict[str, Any] = {"alg": "HS256", "typ": "JWT"}
ACTING = {"userId": str(USER), "originalAdminId": str(ADMIN), "isImpersonating": True, "exp": NOW + 600}


def part(value: object) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def signed(claims: object = GOOD, header: object = HEADER, secret: bytes = SECRET.encode(), how: str = "sha256") -> str:
    body = f"{part(header)}.{part(claims)}"
    return f"{body}.{part(hmac.digest(secret, body.encode(), how))}"


def without(*names: str, **changes: Any) -> dict[str, Any]:
    return {name: value for name, value in {**GOOD, **changes}.items() if name not in names}


def refused(token: str) -> None:
    with pytest.raises(Unauthenticated):
        read(token, SECRET, NOW)


def test_a_token_of_the_panel_says_who_he_is() -> None:
    assert read(signed(), SECRET, NOW) == PanelToken(USER)
    assert read(signed({**GOOD, "role": "user"}), SECRET, NOW) == PanelToken(USER), "which is not believed"
    assert read(signed(header={"alg": "HS256"}), SECRET, NOW) == PanelToken(USER)


def test_a_token_of_an_administrator_who_acts_as_a_user_says_both() -> None:
    assert read(signed(ACTING), SECRET, NOW) == PanelToken(USER, ADMIN)


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "none", "typ": "JWT"},
        {"alg": "None"},
        {"alg": "HS512", "typ": "JWT"},
        {"alg": "RS256", "typ": "JWT"},
        {"alg": "hs256"},
        {"alg": ["HS256"]},
        {"alg": None},
        {"typ": "JWT"},
        {**HEADER, "typ": "at+jwt"},
        {**HEADER, "kid": "../../dev/null"},
        {**HEADER, "kid": "' OR 1=1 --"},
        {**HEADER, "jku": "https://evil.example/keys"},
        {**HEADER, "jwk": {"kty": "oct", "k": "AA"}},
        {**HEADER, "x5u": "https://evil.example"},
        {**HEADER, "crit": ["exp"]},
        {**HEADER, "b64": False},
        {**HEADER, "zip": "DEF"},
        [],
        "HS256",
        None,
    ],
    ids=str,
)
def test_a_good_signature_under_another_header_is_for_another_purpose(header: object) -> None:
    refused(signed(header=header))


def test_the_algorithm_is_ours_whatever_the_token_says() -> None:
    for how in ("sha384", "sha512", "sha1", "md5"):
        refused(signed(how=how))
    body = f"{part({'alg': 'none'})}.{part(GOOD)}"
    for signature in ("", "AA", part(b"")):
        refused(f"{body}.{signature}")
    key = generate_private_key(65537, 2048).public_key()
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    with pytest.raises(Unauthenticated):
        read(signed(header={"alg": "RS256"}, secret=pem), pem.decode(), NOW)
    refused(signed(secret=b"another secret that is long enough, too"))
    refused(signed(secret=b""))
    with pytest.raises(Unauthenticated):
        read(signed(secret=b""), "", NOW)


@pytest.mark.parametrize(
    "claims",
    [
        {},
        without("userId"),
        without("email"),
        without("exp"),
        without(exp=str(NOW + 600)),
        without(exp=float(NOW + 600)),
        without(exp=True),
        without(exp=None),
        without(exp=[NOW + 600]),
        without(exp=-1),
        without(exp=1 << 70),
        without(nbf=NOW + LEEWAY_SECONDS + 1),
        without(iat=NOW + LEEWAY_SECONDS + 1),
        without(iat="yesterday"),
        without(userId=7),
        without(userId={"$ne": None}),
        without(userId="00000000-0000-0000-0000-000000000007' OR '1'='1"),
        without(userId=f"{USER}\n"),
        without(userId=str(USER).replace("0", "\u0660")),
        without(email=7),
        without(purpose="2fa"),
        without(type="reset"),
        without(aud="other"),
        without(iss="other"),
        without(sub="x"),
        without(isImpersonating=True),
        without(isImpersonating="true", originalAdminId=str(ADMIN)),
        without(isImpersonating=1, originalAdminId=str(ADMIN)),
        without(originalAdminId=str(ADMIN)),
        without(isImpersonating=False, originalAdminId=str(ADMIN)),
        without(isImpersonating=True, originalAdminId=None),
        without(organizationId=str(USER)),
        [],
        "claims",
        7,
        None,
    ],
    ids=str,
)
def test_other_claims_than_the_panels_are_for_another_purpose(claims: object) -> None:
    refused(signed(claims))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"{}{}",
        json.dumps(GOOD).encode("utf-16"),
        json.dumps(GOOD).encode() + b"\x00",
        b"[" * 5000,
        b'{"a":' * 2000 + b"1" + b"}" * 2000,
        json.dumps({**GOOD, "email": "\ud800"}).encode() + b" x",
        b'{"exp": NaN, "userId": "x", "email": "y"}',
        b'{"exp": Infinity}',
        b'{"exp": ' + b"9" * 3000 + b"}",
        json.dumps(GOOD).encode()[:-1] + f', "userId": "{ADMIN}"}}'.encode(),
        json.dumps(GOOD).encode()[:-1] + f', "user\\u0049d": "{ADMIN}"}}'.encode(),
        json.dumps(GOOD).encode()[:-1] + b', "exp": 99999999999}',
    ],
    ids=lambda raw: repr(raw[:24]),
)
def test_what_is_no_object_with_each_name_once_is_no_claims(raw: bytes) -> None:
    refused(signed(raw))
    refused(signed(header=raw))


def test_a_token_is_good_until_it_expires_by_any_clock_that_is_nearly_right() -> None:
    assert read(signed(), SECRET, NOW + 600 + LEEWAY_SECONDS - 1) == PanelToken(USER)
    with pytest.raises(TokenExpired):
        read(signed(), SECRET, NOW + 600 + LEEWAY_SECONDS)
    with pytest.raises(Unauthenticated) as error:
        read(signed(secret=b"x"), SECRET, NOW + 9_000_000)
    assert type(error.value) is Unauthenticated, "who has no good signature does not learn that it is old"


def test_one_text_is_one_token() -> None:
    token = signed()
    last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    others = [token[:-1] + sign for sign in last if sign != token[-1]]
    for other in [*others, token + "=", token + ".", token + "\n", " " + token, token.replace(".", "..", 1)]:
        refused(other)
    refused(signed({**GOOD, "email": "a" * 5000}))
    refused(signed() + "A" * 100_000)


@given(st.text() | st.binary().map(signed) | st.binary().map(lambda raw: signed(header=raw)))
def test_no_text_makes_it_fail_by_anything_but_its_own_errors(text: str) -> None:
    with pytest.raises(AccessError) as error:
        read(text, SECRET, NOW)
    assert error.value.__context__ is None or error.value.__suppress_context__
    assert len(text) < 12 or text[:12] not in str(error.value)


@pytest.mark.parametrize(
    "secret",
    [
        "tooshort7",
        "x" * 64,
        "your-super-secret-jwt-key-change-in-production",
        "your-super-secret-jwt-key-change-this-in-production",
        "YOUR_JWT_SECRET_KEY_THAT_IS_LONG_ENOUGH_FOR_THIS",
        "please-CHANGEME-please-changeme-please-changeme",
        "0123012301230123012301230123012301230123",
    ],
)
def test_a_secret_that_others_know_is_none(secret: str) -> None:
    said = fault(secret)
    assert said
    assert secret not in said


def test_a_secret_of_chance_is_one() -> None:
    assert not fault(SECRET)
    assert not fault(hashlib.sha256(b"x").hexdigest())
