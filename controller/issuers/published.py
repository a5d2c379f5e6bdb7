"""What an OpenID Connect issuer publishes: where its keys are, and the keys. Pure, and distrustful of both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import orjson
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt import PyJWK
from jwt.exceptions import PyJWTError

from controller.access.issued_tokens import PublicKey

DISCOVERY = "/.well-known/openid-configuration"
_MOST_KEYS = 64
_RSA_BITS = range(2048, 8193)
_CURVES = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}


class BadDocumentError(ValueError):
    """What was published is of no use; says why, in the document's own words nowhere."""


def keys_address(document: bytes, issuer: str) -> str:
    """Where the keys are.

    Args:
        document: that was published below ``DISCOVERY``.
        issuer: whose.

    Raises:
        BadDocumentError: it is another's, or says nothing of use.
    """
    said = _object(document)
    if said.get("issuer") != issuer:
        raise BadDocumentError("its issuer is not spelled as in SKYPANEL_OIDC_ISSUERS, to the last slash")
    address = said.get("jwks_uri")
    try:
        parts = urlsplit(address) if isinstance(address, str) and address.isascii() and address.isprintable() else None
        usable = parts is not None and parts.hostname and parts.username is None and (parts.port or 1)
    except ValueError:
        usable, parts = False, None
    if not usable or parts is None:
        raise BadDocumentError("its jwks_uri is no address")
    if parts.scheme != "https" and not (parts.scheme == "http" and issuer.startswith("http://")):
        raise BadDocumentError("its jwks_uri is not of https")
    return str(address)


def keys(document: bytes) -> tuple[PublicKey, ...]:
    """The keys that can sign; others are passed over.

    Raises:
        BadDocumentError: there is none.
    """
    listed = _object(document).get("keys")
    if not isinstance(listed, list):
        raise BadDocumentError("it has no list `keys`")
    found = tuple(key for each in listed[:_MOST_KEYS] if (key := _key(each)) is not None)
    if not found:
        raise BadDocumentError("no key of it can be used: RSA of 2048 bits or more, P-256, P-384, P-521 or Ed25519")
    return found


def _key(said: object) -> PublicKey | None:
    if not isinstance(said, dict) or said.get("kty") not in ("RSA", "EC", "OKP") or not _signs(said):
        return None
    name, algorithm = said.get("kid"), said.get("alg")
    if not isinstance(name, str | None) or not isinstance(algorithm, str | None):
        return None
    public = {field: said[field] for field in ("kty", "crv", "x", "y", "n", "e") if field in said}
    try:
        key: Any = PyJWK(public).key
    except (PyJWTError, ValueError, TypeError, KeyError, AttributeError):
        return None
    kind = _type(key)
    return PublicKey(name, kind, algorithm, key) if kind else None


def _signs(said: Mapping[str, Any]) -> bool:
    operations = said.get("key_ops")
    return said.get("use", "sig") == "sig" and (not isinstance(operations, Sequence) or "verify" in operations)


def _type(key: object) -> str:
    """As ``issued_tokens.ALGORITHMS`` calls it; empty: it cannot be used."""
    if isinstance(key, RSAPublicKey):
        return "RSA" if key.key_size in _RSA_BITS else ""
    if isinstance(key, EllipticCurvePublicKey):
        return _CURVES.get(key.curve.name, "")
    return "Ed25519" if isinstance(key, Ed25519PublicKey) else ""


def _object(document: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(document)
    except ValueError:
        raise BadDocumentError("it is no JSON") from None
    if not isinstance(found, dict):
        raise BadDocumentError("it is no object of JSON")
    return found
