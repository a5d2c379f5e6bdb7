"""What a request says of who makes it, as the question that the database is to answer. Pure, and distrustful.

A header that stands twice says two things, and is none: nobody chooses between them here, as a proxy in front may have
chosen the other one.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from pydantic import SecretStr

from controller.access import issued_tokens, panel_tokens, token_text
from controller.access.errors import NotMember, Unauthenticated
from controller.access.issued_tokens import Issuers

Header = str | Sequence[str] | None
"""As it was sent; a sequence: all that were sent under this name."""
_BEARER = re.compile(r"bearer +([A-Za-z0-9._~+/=-]+)", re.IGNORECASE)
_LARGEST = 8192
_ORGANIZATION = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,253}[A-Za-z0-9])?")


class Secrets(Protocol):
    """Settings, as far as they are needed here."""

    @property
    def jwt_secret(self) -> SecretStr:
        """What the panel signs with; empty: its tokens are not taken."""


class About(StrEnum):
    """What the database is asked about; the name of the statement, too."""

    TOKEN = "token"  # noqa: S105 - a word
    PERSON = "person"
    BINDINGS = "bindings"
    SESSION = "session"


@dataclass(frozen=True, slots=True)
class Question:
    """What to ask the database.

    Args:
        about: an API token, a user of the panel, the bindings of an issued token, or a session.
        parameters: of the statement.
        organization: as it was asked for; empty: none was.
        actor: whom an issued token is of.
        expires: when the token of the panel or of the issuer does; seconds since 1970.
    """

    about: About
    parameters: Mapping[str, Any]
    organization: str
    actor: str = ""
    expires: float | None = None


def of_session(hashed: bytes, organization: Header) -> Question:
    """What to ask about who has a session.

    Args:
        hashed: of its cookie.
        organization: ``X-Organization-ID``.

    Raises:
        NotMember: it is no organization.
    """
    asked = _asked(organization)
    return Question(About.SESSION, {"hash": hashed, "asked": asked or None}, asked)


def question(
    authorization: Header,
    organization: Header,
    settings: Secrets,
    issuers: Issuers | None = None,
    *,
    now: float | None = None,
) -> Question:
    """What to ask about who sends these headers.

    Args:
        authorization: ``Bearer TOKEN``; of an API token or one of the panel's.
        organization: ``X-Organization-ID``: the id or the slug of one.
        settings: with the panel's secret.
        issuers: of OpenID Connect, whose tokens are taken; None: nobody's.
        now: seconds since 1970.

    Raises:
        Unauthenticated: it is no token.
        NotMember: it is no organization.
        KeysMissing: it cannot be checked now.
    """
    token, asked = _token(authorization), _asked(organization)
    if token.startswith(token_text.PREFIX):
        if not token_text.is_token(token):
            raise Unauthenticated
        by_hash = {"hash": token_text.hash_of(token), "asked": asked or None}
        return Question(About.TOKEN, by_hash, asked)
    moment = time.time() if now is None else now
    if issuers is not None and issued_tokens.signed_with(token) in issued_tokens.ALGORITHMS:
        issued = issued_tokens.read(token, issuers, moment)
        by_claims = {"issuer": issued.issuer, "claims": json.dumps(issued.claims), "asked": asked or None}
        return Question(About.BINDINGS, by_claims, asked, issued.named, issued.expires)
    said = panel_tokens.read(token, settings.jwt_secret.get_secret_value(), moment)
    by_id = {"user": said.user, "admin": said.admin, "asked": asked or None}
    return Question(About.PERSON, by_id, asked, expires=said.expires)


def _token(header: Header) -> str:
    only = _only(header)
    found = _BEARER.fullmatch(only) if only is not None and len(only) <= _LARGEST else None
    if found is None:
        raise Unauthenticated
    return found[1]


def _asked(header: Header) -> str:
    if header is None or (not isinstance(header, str) and not header):
        return ""
    only = _only(header)
    if only is None or not _ORGANIZATION.fullmatch(only):
        raise NotMember
    return only


def _only(header: Header) -> str | None:
    if header is None or isinstance(header, str):
        return header
    return header[0] if len(header) == 1 else None
