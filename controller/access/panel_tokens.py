"""The panel's tokens: JWT, HS256 and nothing else, with its claims and nothing else.

The signature is computed before anything of the token is believed, and always in the same way: what the header says is
compared, and chooses nothing. A token with another header or another claim is one for another purpose, even with a good
signature, and is none here. Pure: the clock is given.
"""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from controller.access.errors import TokenExpired, Unauthenticated
from controller.access.token_parts import LATEST, LEEWAY_SECONDS, PARTS, bytes_part, json_part

LARGEST = 4096
_UUID = re.compile(r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}")
_CLAIMS = {"userId", "email", "role", "iat", "nbf", "exp", "jti", "originalAdminId", "isImpersonating"}
_MOST = 4


@dataclass(frozen=True, slots=True)
class PanelToken:
    """What a good one says.

    Args:
        user: whose rights are used.
        admin: who acts as the user; None: he himself.
        expires: seconds since 1970.
    """

    user: UUID
    admin: UUID | None = None
    expires: float = field(default=0.0, compare=False)


def looks_like_one(text: str) -> bool:
    """Whether it has three parts."""
    return PARTS.fullmatch(text) is not None


def read(text: str, secret: str, now: float) -> PanelToken:
    """What the token says.

    Args:
        text: as it was sent.
        secret: that the panel signs with; never empty.
        now: seconds since 1970.

    Raises:
        Unauthenticated: it is not one of the panel's, or not good any more.
    """
    parts = PARTS.fullmatch(text) if len(text) <= LARGEST else None
    if parts is None or not secret:
        raise Unauthenticated
    signed = text[: parts.end(2)].encode("ascii")
    if not hmac.compare_digest(hmac.digest(secret.encode(), signed, "sha256"), bytes_part(parts[3])):
        raise Unauthenticated
    header = json_part(parts[1], _MOST)
    if header.get("alg") != "HS256" or header.get("typ", "JWT") != "JWT" or not header.keys() <= {"alg", "typ"}:
        raise Unauthenticated
    return _said(json_part(parts[2], _MOST), now)


def _said(claims: dict[str, Any], now: float) -> PanelToken:
    expires, begins = _moment(claims, "exp"), [_moment(claims, name) for name in ("nbf", "iat") if name in claims]
    if not claims.keys() <= _CLAIMS or any(moment > now + LEEWAY_SECONDS for moment in begins):
        raise Unauthenticated
    user = _id(claims.get("userId"))
    if not isinstance(claims.get("email", ""), str):
        raise Unauthenticated
    acts = claims.get("isImpersonating", False)
    if acts is True:
        admin = _id(claims.get("originalAdminId"))
    elif acts is False and "originalAdminId" not in claims and "email" in claims:
        admin = None
    else:
        raise Unauthenticated
    if expires <= now - LEEWAY_SECONDS:
        raise TokenExpired
    return PanelToken(user, admin, float(expires))


def _moment(claims: dict[str, Any], name: str) -> int:
    found = claims.get(name)
    if type(found) is not int or not 0 < found < LATEST:  # a bool is an int, and no time
        raise Unauthenticated
    return found


def _id(found: object) -> UUID:
    if not isinstance(found, str) or not _UUID.fullmatch(found):
        raise Unauthenticated
    return UUID(found)
