"""Tokens of OpenID Connect issuers: JWT that a key signed which the issuer publishes. Pure: keys and clock are given.

The issuer that a token names chooses whose keys it is checked with, and nothing else of it is believed before that.
Only signatures of key pairs count: whoever knows the public half can make none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from jwt.api_jws import decode
from jwt.exceptions import PyJWTError

from controller.access.errors import (
    IssuerUnknown,
    KeysMissing,
    LivesTooLong,
    OtherAudience,
    TokenExpired,
    Unauthenticated,
)
from controller.access.token_parts import LATEST, LEEWAY_SECONDS, PARTS, json_part

LONGEST_SECONDS = 24 * 3600
"""A token that is good for longer is none to come with: nobody can take it back."""
ALGORITHMS: Mapping[str, str] = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), "RSA"),
    "ES256": "P-256",
    "ES384": "P-384",
    "ES512": "P-521",
    "EdDSA": "Ed25519",
}
"""What may sign, and the type of its key: for curves the curve."""
_TYPES = ("jwt", "at+jwt", "application/at+jwt")
_MOST = 256
_CLAIM = re.compile(r"[A-Za-z_][A-Za-z0-9_:./-]{0,127}")
_OURS = ("iss", "aud", "exp", "iat", "nbf", "jti")
_LONGEST_VALUE, _MOST_VALUES = 1024, 500
_LONGEST_SUBJECT = 512


@dataclass(frozen=True, slots=True)
class PublicKey:
    """One that an issuer publishes.

    Args:
        name: ``kid``; None: it has none.
        type: ``RSA``, or the name of a curve.
        algorithm: the only one that it is for; None: any of its type.
        key: of ``cryptography``.
    """

    name: str | None
    type: str
    algorithm: str | None
    key: Any = field(repr=False)

    def fits(self, algorithm: str, name: str | None) -> bool:
        """Whether a token with this header can be signed by it."""
        named = name is None or self.name == name
        return named and ALGORITHMS[algorithm] == self.type and self.algorithm in (None, algorithm)


class Issuers(Protocol):
    """Whose tokens are taken."""

    @property
    def audience(self) -> str:
        """Whom a token has to be for."""

    def trusts(self, issuer: str) -> bool:
        """Whether tokens of ``issuer`` are taken."""

    def keys_of(self, issuer: str) -> Sequence[PublicKey]:
        """What it publishes; empty: it is not known yet, or not any more."""

    def missed(self, issuer: str) -> None:
        """A token names a key that is not there: there may be a new one."""


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """What a good one says.

    Args:
        issuer: who vouches for it.
        subject: ``sub``: whom the issuer means by it, for ever.
        claims: what bindings can ask for: names with a text, or with a list of texts.
        expires: seconds since 1970.
    """

    issuer: str
    subject: str
    claims: Mapping[str, str | Sequence[str]]
    expires: float = field(default=0.0, compare=False)

    @property
    def named(self) -> str:
        """As the audit has it. It begins with a word, so that no subject can pass for the id of somebody's."""
        email = self.claims.get("email")
        return " ".join(["oidc", self.subject, *([email] if isinstance(email, str) else []), "of", self.issuer])


def signed_with(text: str) -> str:
    """What its header says that it is signed with; empty: it is no JWT. Nothing to be believed."""
    parts = PARTS.fullmatch(text)
    try:
        return str(json_part(parts[1], _MOST).get("alg", "")) if parts else ""
    except Unauthenticated:
        return ""


def read(text: str, issuers: Issuers, now: float) -> IssuedToken:
    """What the token says.

    Args:
        text: as it was sent.
        issuers: whose are taken.
        now: seconds since 1970.

    Raises:
        Unauthenticated: it is none of theirs, not for us, or not good any more.
        KeysMissing: it cannot be checked now.
    """
    parts = PARTS.fullmatch(text)
    if parts is None:
        raise Unauthenticated
    header, claims = json_part(parts[1], _MOST), json_part(parts[2], _MOST)
    algorithm, name, issuer = header.get("alg"), header.get("kid"), claims.get("iss")
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS or "crit" in header or "b64" in header:
        raise Unauthenticated
    if not isinstance(header.get("typ", "JWT"), str) or header.get("typ", "JWT").lower() not in _TYPES:
        raise Unauthenticated
    if not isinstance(name, str | None) or not isinstance(issuer, str):
        raise Unauthenticated
    if not issuers.trusts(issuer):
        raise IssuerUnknown
    published = issuers.keys_of(issuer)
    if not published:
        raise KeysMissing
    fitting = [each for each in published if each.fits(algorithm, name)]
    if not fitting:
        issuers.missed(issuer)
    if not any(_signed(text, each, algorithm) for each in fitting):
        raise Unauthenticated
    return _said(issuer, claims, issuers.audience, now)


def _signed(text: str, key: PublicKey, algorithm: str) -> bool:
    try:
        decode(text, key.key, algorithms=[algorithm])
    except (PyJWTError, ValueError, TypeError):
        return False
    return True


def _said(issuer: str, claims: Mapping[str, Any], audience: str, now: float) -> IssuedToken:
    expires = _moment(claims, "exp")
    begins = [_moment(claims, name) for name in ("iat", "nbf") if name in claims]
    if not begins or any(moment > now + LEEWAY_SECONDS for moment in begins):
        raise Unauthenticated
    if expires <= now - LEEWAY_SECONDS:
        raise TokenExpired
    if expires - max(begins) > LONGEST_SECONDS:
        raise LivesTooLong
    whom = claims.get("aud")
    if not audience or audience not in (whom if isinstance(whom, list) else [whom]):
        raise OtherAudience
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= _LONGEST_SUBJECT or not subject.isprintable():
        raise Unauthenticated
    found = {name: value for name in claims if _is_asked_for(name) and (value := _value(claims[name])) is not None}
    if claims.get("email_verified") not in (True, "true"):
        found.pop("email", None)  # anybody can say that it is his
    return IssuedToken(issuer, subject, found, expires)


def _is_asked_for(name: str) -> bool:
    return name not in _OURS and _CLAIM.fullmatch(name) is not None


def _value(said: object) -> str | list[str] | None:
    """As text, or as a list of texts; None: nothing that a binding could ask for."""
    if isinstance(said, list):
        return [text for each in said[:_MOST_VALUES] if (text := _text(each)) is not None]
    return _text(said)


def _text(said: object) -> str | None:
    if isinstance(said, bool):
        return "true" if said else "false"
    text = str(said) if isinstance(said, int) else said
    return text if isinstance(text, str) and len(text) <= _LONGEST_VALUE and text.isprintable() else None


def _moment(claims: Mapping[str, Any], name: str) -> float:
    found = claims.get(name)
    if not isinstance(found, int | float) or isinstance(found, bool) or not 0 < found < LATEST:
        raise Unauthenticated
    return float(found)
