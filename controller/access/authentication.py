"""Who calls: from the headers of a request, by one question to the database, as everything is at this moment.

Nothing is remembered: a member who left, a user who is suspended and a token that is revoked are nobody with the next
request. What is wrong is said in fixed sentences, and a token is in none of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg

from controller.access import sessions
from controller.access.bindings import by_bindings
from controller.access.caller import Caller, Scope
from controller.access.errors import (
    AccountSuspended,
    LookupRefused,
    NotMember,
    SessionEnded,
    TokenExpired,
    TokenRevoked,
    Unauthenticated,
)
from controller.access.issued_tokens import Issuers
from controller.access.people import Person, Place, person, place_of
from controller.access.requests import About, Header, Question, Secrets, of_session, question
from controller.access.roles import Role, Verb, lower
from controller.postgres.statements import statement

_USED = "access/lookups/used"


def authenticate(
    conn: psycopg.Connection,
    authorization: Header,
    organization: Header,
    settings: Secrets,
    issuers: Issuers | None = None,
    *,
    address: str | None = None,
    at: str = "",
) -> Caller:
    """Who sends these headers.

    Args:
        conn: of a role of skypanel_api or skypanel_panel.
        authorization: the header of this name; all of them, where there may be several.
        organization: the header ``X-Organization-ID``; likewise.
        settings: with the panel's secret.
        issuers: of OpenID Connect, whose tokens are taken; None: nobody's.
        address: where the request comes from; noted as a token's last use.
        at: slug of the organization that what is asked for is of; empty: it is of none.

    Raises:
        AccessError: he is not let in.
        LookupRefused: the database does not let users be looked up.
        psycopg.Error: the database cannot be asked.
    """
    asked = question(authorization, organization, settings, issuers)
    document = _looked_up(conn, asked)
    caller = answer(asked, document, at)
    if _is_to_be_noted(asked, document):
        with suppress(psycopg.Error), conn.transaction():
            conn.execute(statement(_USED).encode(), {"id": caller.token, "address": address})
    return caller


def by_session(conn: psycopg.Connection, cookie: str, organization: Header, *, at: str = "") -> Caller:
    """Who has this session. One whose token, or whose user, is not good any more is ended for good.

    Args:
        conn: of a role of skypanel_api.
        cookie: as it was sent.
        organization: the header ``X-Organization-ID``.
        at: as of ``authenticate``.

    Raises:
        AccessError: he is not let in.
        LookupRefused: the database does not let users be looked up.
        psycopg.Error: the database cannot be asked.
    """
    if not sessions.is_one(cookie):
        raise SessionEnded
    asked = of_session(sessions.hash_of(cookie), organization)
    document = _looked_up(conn, asked)
    try:
        return answer(asked, document, at)
    except (Unauthenticated, AccountSuspended) as error:
        if document is not None:
            with suppress(psycopg.Error), conn.transaction():
                sessions.end(conn, cookie, error.message)
        raise


def answer(asked: Question, document: Any, at: str = "") -> Caller:
    """Who it is, by what the database says. Pure.

    Raises:
        AccessError: he is not let in.
    """
    if asked.about is About.SESSION:
        return _by_session(document, asked.organization, at)
    if document is None:
        raise Unauthenticated
    caller = _by(asked.about, document, asked, at)
    if asked.about is About.BINDINGS and asked.expires is not None:
        return replace(caller, until=datetime.fromtimestamp(asked.expires, UTC))
    return caller


def _by(about: About, document: Any, asked: Question, at: str) -> Caller:
    if about is About.BINDINGS:
        return by_bindings(document, asked.organization, asked.actor, at)
    if about is About.TOKEN:
        return _by_token(document, asked.organization)
    return _by_panel(document, asked.organization, acts=asked.parameters["admin"] is not None)


def _by_session(document: Any, organization: str, at: str) -> Caller:
    if document is None:
        raise SessionEnded
    about, found = About(document["about"]), document["found"]
    if found is None:
        raise SessionEnded
    asked = Question(about, {"admin": document["acts"] or None}, organization, str(document["actor"]))
    caller, ends = _by(about, found, asked, at), datetime.fromtimestamp(float(document["until"]), UTC)
    until = caller.until if about is About.TOKEN else ends if about is About.BINDINGS else None
    means = f"session {document['id']}"
    return replace(
        caller, means=means, until=until, session=str(document["id"]), ends=ends, noted=bool(document["used"])
    )


def _looked_up(conn: psycopg.Connection, asked: Question) -> Any:
    try:
        row = conn.execute(statement(f"access/lookups/{asked.about}").encode(), asked.parameters).fetchone()
    except psycopg.errors.InsufficientPrivilege as error:
        raise _refused(error) from None
    return row[0] if row else None


def _by_panel(document: Mapping[str, Any], organization: str, *, acts: bool) -> Caller:
    user = person(document.get("person"))
    actor, impersonator = user.named, None
    if acts:
        admin = person(document.get("admin"))
        if not admin.admin:
            raise Unauthenticated
        actor, impersonator = f"{admin.named} as {user.named}", admin.id
    place = place_of(user, organization)
    role = Role.PLATFORM_ADMIN if place is None else place.role
    return Caller(actor, "jwt", user.id, *_where(place), role, impersonator=impersonator)


def _by_token(document: Mapping[str, Any], asked: str) -> Caller:
    if document["state"] == "revoked":
        raise TokenRevoked
    if document["state"] == "expired":
        raise TokenExpired
    place, role = _place(document, asked), Role(document["role"])
    actor, user_id = f"machine {document['name']}", None
    if document["user_id"] is not None:
        user = person(document["person"])
        actor, user_id, role = user.named, user.id, _now(user, place, role, of_platform=document["of_platform"])
    scope = Scope(
        None if document["apps"] is None else frozenset(document["apps"]),
        None if document["verbs"] is None else frozenset(verb for verb in Verb if verb in document["verbs"]),
    )
    token, until = str(document["id"]), datetime.fromtimestamp(float(document["until"]), UTC)
    return Caller(actor, f"token {token}", user_id, *_where(place), role, scope, token=token, until=until)


def _place(document: Mapping[str, Any], asked: str) -> Place | None:
    """The token's organization, which may be said again; of one of the platform's, what is asked for."""
    found = document["place"]
    if found is None:
        if asked or not document["of_platform"]:
            raise NotMember
        return None
    if asked and asked.lower() != found["id"] and asked != found["slug"]:
        raise NotMember
    return Place(UUID(found["id"]), str(found["slug"]), Role(document["role"]))


def _now(user: Person, place: Place | None, most: Role, *, of_platform: bool) -> Role:
    """What the token of ``user`` may be now: never more than he is.

    Raises:
        NotMember: he is nothing there any more.
    """
    if of_platform:
        found = Role.PLATFORM_ADMIN if user.admin else None
    elif user.admin:
        found = Role.OWNER
    else:
        found = next((each.role for each in user.places if place is not None and each.id == place.id), None)
    role = None if found is None else lower(found, most)
    if role is None:
        raise NotMember
    return role


def _where(place: Place | None) -> tuple[UUID | None, str]:
    return (None, "") if place is None else (place.id, place.slug)


def _is_to_be_noted(asked: Question, document: Any) -> bool:
    return asked.about is About.TOKEN and document is not None and not document["used"]


def _refused(error: psycopg.Error) -> LookupRefused:
    said = error.diag.message_primary or "the role may not ask"
    return LookupRefused(f"{said} ({error.diag.message_hint or 'it needs the group skypanel_api'})")
