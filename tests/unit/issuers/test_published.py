"""What an issuer publishes: taken where it can be used, and nothing else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st
from jwt.algorithms import RSAAlgorithm

from controller.issuers.published import BadDocumentError, keys, keys_address
from tests.unit.access.issuing import ISSUER, jwk, published


def discovery(**more: Any) -> bytes:
    return json.dumps({"issuer": ISSUER, "jwks_uri": "https://keys.example.com/jwks", **more}).encode()


def test_the_address_of_the_keys_is_read_where_the_issuer_is_spelled_alike() -> None:
    assert keys_address(discovery(), ISSUER) == "https://keys.example.com/jwks"
    local = discovery(issuer="http://localhost:1", jwks_uri="http://localhost:1/k")
    assert keys_address(local, "http://localhost:1") == "http://localhost:1/k"


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"[]",
        discovery(issuer=f"{ISSUER}/"),
        discovery(issuer=None),
        discovery(jwks_uri=None),
        discovery(jwks_uri="http://keys.example.com/jwks"),
        discovery(jwks_uri="file:///etc/passwd"),
        discovery(jwks_uri="https://user@keys.example.com/"),
        discovery(jwks_uri="https:///jwks"),
        discovery(jwks_uri="https://keys.example.com:99999/"),
        discovery(jwks_uri="https://keys.example.com/\n"),
    ],
)
def test_another_document_is_refused(document: bytes) -> None:
    with pytest.raises(BadDocumentError):
        keys_address(document, ISSUER)


def test_keys_that_cannot_sign_for_us_are_passed_over() -> None:
    small = json.loads(RSAAlgorithm.to_jwk(rsa.generate_private_key(65537, 1024).public_key()))
    secret = {"kty": "oct", "k": "c2VjcmV0", "kid": "secret"}
    useless = (
        small, secret, jwk(use="enc"), jwk(key_ops=["sign"]), jwk(x="AA"), jwk(crv="P-999"), jwk(kid=7), "x", None,
        {"kty": "EC", "crv": "secp256k1", "x": "AA", "y": "AA"},
    )  # fmt: skip
    found = keys(published(*useless, jwk("RS256"), jwk("EdDSA")))  # type: ignore[arg-type]
    assert [(key.name, key.type) for key in found] == [("RS256-0", "RSA"), ("EdDSA-0", "Ed25519")]
    with pytest.raises(BadDocumentError, match="no key"):
        keys(published(*useless))  # type: ignore[arg-type]
    for document in (b"{}", b'{"keys": {}}', b'{"keys": []}', b"x"):
        with pytest.raises(BadDocumentError):
            keys(document)


def test_of_a_key_that_was_published_whole_only_the_public_half_is_read() -> None:
    (found,) = keys(published(jwk(d="AAAA")))
    assert not hasattr(found.key, "private_numbers")


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["kty", "crv", "x", "y", "n", "e", "kid", "alg", "use", "keys"]), inner)))  # fmt: skip  # noqa: E501
def test_no_document_makes_more_of_it_than_a_refusal(said: Any) -> None:
    for document in (said, {"keys": said}, {"keys": [said]}):
        try:
            keys(json.dumps(document).encode())
        except BadDocumentError:
            continue
