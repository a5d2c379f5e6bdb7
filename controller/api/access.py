"""Who asks and what he may do, as ``controller.access`` has it."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any

import psycopg
from starlette.datastructures import Headers

from controller.access.authentication import authenticate, by_session
from controller.access.caller import Caller
from controller.access.errors import AccessError, KeysMissing, WhichOrganization
from controller.access.issued_tokens import Issuers
from controller.access.permissions import can, may, within
from controller.access.requests import question
from controller.access.roles import Role, Verb
from controller.access.sessions import Begun, begin, end, end_all, used
from controller.api import cookies
from controller.api.callers import Access
from controller.api.problems import Fault, ProblemError
from controller.issuers.keeper import Keeper
from controller.settings import Settings

_UNAUTHENTICATED = 401


def real(settings: Settings) -> Access:
    """Tokens of the API, of the panel and of trusted issuers, and the one table of permissions."""
    keeper = Keeper(settings.skypanel_oidc_issuers, settings.skypanel_oidc_audience)
    return Access(
        partial(_known, keeper), _may, _can, _within, _alike, keeper.run, partial(_begin, keeper), _end, end_all, _used
    )


def _known(  # noqa: PLR0917 - all of it is of the request
    issuers: Issuers, conn: psycopg.Connection, headers: Headers, settings: Settings, address: str, at: str
) -> Caller:
    cookie = cookies.sent(headers) if settings.skypanel_console_origin else None
    try:
        if cookie is not None:
            return by_session(conn, cookie, headers.getlist("x-organization-id") or None, at=at)
        return authenticate(
            conn,
            headers.getlist("authorization") or None,
            headers.getlist("x-organization-id") or None,
            settings,
            issuers,
            address=address or None,
            at=at,
        )
    except WhichOrganization as error:
        fault = Fault(error.hint, parameter="X-Organization-ID")
        raise ProblemError("malformed", error.message, [fault]) from None
    except KeysMissing as error:
        raise ProblemError("unavailable", error.message, [Fault(error.hint)], headers={"Retry-After": "5"}) from None
    except AccessError as error:
        name = "unauthenticated" if error.status == _UNAUTHENTICATED else "forbidden"
        gone = {"Set-Cookie": cookies.GONE} if cookie is not None and name == "unauthenticated" else {}
        raise ProblemError(name, error.message, [Fault(error.hint)] if error.hint else (), gone) from None


def _begin(  # noqa: PLR0917 - all of it is of the request
    issuers: Issuers, conn: psycopg.Connection, headers: Headers, settings: Settings, caller: Any, address: str
) -> Begun:
    made_of = question(headers.getlist("authorization"), None, settings, issuers)
    until = caller.until
    if made_of.expires is not None:
        until = datetime.fromtimestamp(made_of.expires, UTC)
    with conn.transaction():
        return begin(conn, made_of, caller, until, address)


def _end(conn: psycopg.Connection, headers: Headers) -> None:
    with conn.transaction():
        end(conn, cookies.sent(headers) or "", "logged out")


def _used(conn: psycopg.Connection, headers: Headers) -> None:
    with suppress(psycopg.Error), conn.transaction():
        used(conn, cookies.sent(headers) or "")


def _may(caller: Any, verb: str, kind: str, path: tuple[str, ...]) -> bool:
    return may(caller, Verb(verb), kind, path)


def _within(caller: Any, role: str, apps: Sequence[str], verbs: Sequence[str]) -> bool:
    return within(caller, Role(role), apps, [Verb(verb) for verb in verbs])


def _can(caller: Any, kind: str, path: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(map(str, can(caller, kind, path)))


def _alike(caller: Caller) -> Hashable:
    return caller.organization, caller.organization_slug, caller.role, caller.scope
