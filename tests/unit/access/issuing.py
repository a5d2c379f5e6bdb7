"""An issuer of tokens for tests: keys of every sort that may sign, and tokens with whatever header and claims."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm
from jwt.api_jws import encode

ISSUER = "https://id.example.com"
AUDIENCE = "https://api.example.com"
NOW = 1_800_000_000
MAKERS = {
    "RS256": lambda: rsa.generate_private_key(65537, 2048),
    "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "ES384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate,
}
_FORMS: dict[str, Any] = {"R": RSAAlgorithm, "P": RSAAlgorithm, "E": ECAlgorithm}


def private(algorithm: str = "ES256", number: int = 0) -> Any:
    """A key of this sort; another one for each number."""
    return _private("RS256" if algorithm[:2] in ("RS", "PS") else algorithm, number)


@cache
def _private(algorithm: str, _number: int) -> Any:
    return MAKERS[algorithm]()


def jwk(algorithm: str = "ES256", number: int = 0, **more: Any) -> dict[str, Any]:
    """Its public half, as an issuer publishes it."""
    form: Any = OKPAlgorithm if algorithm == "EdDSA" else _FORMS[algorithm[0]]
    found = json.loads(form.to_jwk(private(algorithm, number).public_key()))
    return {**found, "kid": f"{algorithm}-{number}", "use": "sig", "alg": algorithm, **more}


def published(*keys: dict[str, Any]) -> bytes:
    """A document with these keys; with one, where none are given."""
    return json.dumps({"keys": keys or (jwk(),)}).encode()


def claims(now: float = NOW, **more: Any) -> dict[str, Any]:
    """Of a token that is good for ten minutes; what is None is left out."""
    said = {"iss": ISSUER, "aud": AUDIENCE, "sub": "repo:acme/shop", "iat": now, "exp": now + 600, **more}
    return {name: value for name, value in said.items() if value is not None}


def token(algorithm: str = "ES256", number: int = 0, header: dict[str, Any] | None = None, **said: Any) -> str:
    """A signed one."""
    headers = {"kid": f"{algorithm}-{number}", **(header or {})}
    payload = json.dumps(claims(**said)).encode()
    named = {name: value for name, value in headers.items() if value is not None}
    return encode(payload, private(algorithm, number), algorithm, headers=named, sort_headers=True)


def raw(header: dict[str, Any], said: dict[str, Any], signature: bytes = b"x") -> str:
    """One with whatever parts."""
    parts = (json.dumps(header).encode(), json.dumps(said).encode(), signature)
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


@dataclass
class Trusted:
    """Issuers whose keys are here."""

    keys: Any
    audience: str = AUDIENCE
    asked: list[str] = field(default_factory=list)

    def trusts(self, issuer: str) -> bool:
        return issuer == ISSUER

    def keys_of(self, issuer: str) -> Any:
        return self.keys if issuer == ISSUER else ()

    def missed(self, issuer: str) -> None:
        self.asked.append(issuer)
