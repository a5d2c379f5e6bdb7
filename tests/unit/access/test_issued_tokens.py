"""Tokens of OpenID Connect issuers: which are good, and what no trick makes of others."""

from __future__ import annotations

import hmac
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from controller.access.errors import (
    AccessError,
    IssuerUnknown,
    KeysMissing,
    LivesTooLong,
    OtherAudience,
    TokenExpired,
    Unauthenticated,
)
from controller.access.issued_tokens import LONGEST_SECONDS, IssuedToken, read, signed_with
from controller.access.token_parts import LEEWAY_SECONDS
from controller.issuers.published import keys
from tests.unit.access.issuing import AUDIENCE, ISSUER, NOW, Trusted, claims, jwk, private, published, raw, token

KEYS = keys(published(jwk("ES256"), jwk("RS256"), jwk("EdDSA"), jwk("ES384")))


def said(text: str, now: float = NOW) -> IssuedToken:
    return read(text, Trusted(KEYS), now)


@pytest.mark.parametrize("algorithm", ["ES256", "RS256", "EdDSA", "ES384"])
def test_a_token_that_a_published_key_signed_is_good(algorithm: str) -> None:
    found = said(token(algorithm, ref="refs/heads/main", groups=["ops", "dev"], run=7, fork=False))
    assert (found.issuer, found.subject) == (ISSUER, "repo:acme/shop")
    assert found.claims == {
        "sub": "repo:acme/shop", "ref": "refs/heads/main", "groups": ["ops", "dev"], "run": "7", "fork": "false",
    }  # fmt: skip
    assert signed_with(token(algorithm)) == algorithm


def test_a_key_for_any_algorithm_of_its_type_signs_with_each() -> None:
    trusted = Trusted(keys(published({name: v for name, v in jwk("RS256").items() if name not in ("alg", "use")})))
    for algorithm in ("RS256", "RS512", "PS256"):
        assert read(token(algorithm, header={"kid": "RS256-0"}), trusted, NOW).subject == "repo:acme/shop"
    with pytest.raises(Unauthenticated):  # where the issuer says one, no other
        said(token("RS512", header={"kid": "RS256-0"}))


def test_a_token_without_the_name_of_a_key_is_tried_with_those_of_its_type() -> None:
    trusted = Trusted(keys(published(jwk("ES256", 1), jwk("ES256"), jwk("RS256"))))
    assert read(token(header={"kid": None}), trusted, NOW).subject == "repo:acme/shop"


def test_whoever_knows_only_what_is_published_makes_no_token() -> None:
    public = private("RS256").public_key()
    for secret in (
        public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        b"",
    ):
        for header in ({"alg": "HS256", "kid": "RS256-0"}, {"alg": "HS256"}):
            unsigned = raw(header, claims(), b"")
            forged = raw(header, claims(), hmac.digest(secret, unsigned.rstrip(".").encode(), "sha256"))
            with pytest.raises(Unauthenticated):
                said(forged)
    for algorithm in ("none", "None", "", None, 7, ["ES256"], "ES256K", "HS512", "RSA-OAEP", "es256"):
        with pytest.raises(Unauthenticated):
            said(raw({"alg": algorithm}, claims()))
    brought = {"alg": "ES256", "kid": "mine", "jwk": jwk("ES256", 5), "jku": "https://evil.example/keys", "x5c": ["x"]}
    with pytest.raises(Unauthenticated):
        said(token("ES256", 5, header=brought))
    with pytest.raises(Unauthenticated):  # another's key under a name that is published
        said(token("ES256", 5, header={"kid": "ES256-0"}))
    good = token()
    for spoilt in (
        good[:-4] + "AAAA",
        good + "A",
        "." + good,
        good.replace(".", "..", 1),
        good.rpartition(".")[0] + ".",
    ):
        with pytest.raises(Unauthenticated):
            said(spoilt)


@pytest.mark.parametrize(
    ("header", "more", "error"),
    [
        ({"crit": ["exp"]}, {}, Unauthenticated),
        ({"typ": "logout+jwt"}, {}, Unauthenticated),
        ({}, {"iss": "https://evil.example"}, IssuerUnknown),
        ({}, {"iss": f"{ISSUER}/"}, IssuerUnknown),
        ({}, {"iss": None}, Unauthenticated),
        ({}, {"aud": "https://other.example"}, OtherAudience),
        ({}, {"aud": None}, OtherAudience),
        ({}, {"aud": []}, OtherAudience),
        ({}, {"aud": f"{AUDIENCE}/"}, OtherAudience),
        ({}, {"aud": {AUDIENCE: 1}}, OtherAudience),
        ({}, {"exp": NOW - LEEWAY_SECONDS}, TokenExpired),
        ({}, {"exp": None}, Unauthenticated),
        ({}, {"exp": True}, Unauthenticated),
        ({}, {"exp": "1900000000"}, Unauthenticated),
        ({}, {"exp": 1 << 50}, Unauthenticated),
        ({}, {"exp": NOW + LONGEST_SECONDS + 1}, LivesTooLong),
        ({}, {"iat": NOW + LEEWAY_SECONDS + 1}, Unauthenticated),
        ({}, {"nbf": NOW + LEEWAY_SECONDS + 1}, Unauthenticated),
        ({}, {"iat": None}, Unauthenticated),
        ({}, {"sub": None}, Unauthenticated),
        ({}, {"sub": ""}, Unauthenticated),
        ({}, {"sub": "a\nb"}, Unauthenticated),
    ],
)
def test_nothing_else_is_good(header: dict[str, Any], more: dict[str, Any], error: type[AccessError]) -> None:
    text = token(header=header, **more)
    with pytest.raises(error) as caught:
        said(text)
    assert type(caught.value) is error


def test_an_audience_in_a_list_is_one() -> None:
    assert said(token(aud=["https://other.example", AUDIENCE])).subject
    with pytest.raises(OtherAudience):
        read(token(aud=""), Trusted(KEYS, audience=""), NOW)


def test_an_address_counts_only_where_the_issuer_has_verified_it() -> None:
    assert "email" not in said(token(email="ada@example.com")).claims
    assert "email" not in said(token(email="ada@example.com", email_verified=False)).claims
    verified = said(token(email="ada@example.com", email_verified=True))
    assert verified.claims["email"] == "ada@example.com"
    assert verified.named == f"oidc repo:acme/shop ada@example.com of {ISSUER}"


def test_what_the_audit_calls_him_is_no_id_of_a_user() -> None:
    assert said(token(sub="00000000-0000-0000-0000-000000000001")).named.startswith("oidc ")


def test_keys_that_are_not_here_are_said_and_asked_for() -> None:
    with pytest.raises(KeysMissing):
        read(token(), Trusted(()), NOW)
    trusted = Trusted(keys(published(jwk("ES256", 1))))
    with pytest.raises(Unauthenticated):
        read(token(), trusted, NOW)
    assert trusted.asked == [ISSUER]


@given(st.text(max_size=200) | st.from_regex(r"[A-Za-z0-9_-]{0,40}\.[A-Za-z0-9_-]{0,40}\.[A-Za-z0-9_-]{0,40}"))
def test_no_text_makes_more_of_it_than_a_refusal(text: str) -> None:
    signed_with(text)
    with pytest.raises(Unauthenticated):
        said(text)
