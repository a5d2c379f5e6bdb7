"""API tokens: make, rotate and revoke them. The token itself is an answer to who asked, and stands nowhere else."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

import psycopg

from controller.access import token_rows
from controller.access.errors import AccessError
from controller.access.people import Person
from controller.access.roles import Role, Verb, lower
from controller.access.token_rows import TokenRow, Wanted
from controller.actions.errors import ActionError
from specs.problems import closest

LONGEST = timedelta(days=366)
DEFAULT_DAYS = 90
LONGEST_OVERLAP = timedelta(days=7)
_DURATION = re.compile(r"([0-9]{1,8})([dhms])")
_UNITS = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds"}


@dataclass(frozen=True, slots=True)
class Asked:
    """What a token is asked for with, in people's words.

    Args:
        name: for people.
        organization: slug; empty: the platform's.
        user: address, or id; empty: a machine's.
        role: the most that it may be; empty: of a user all that he is, of a machine a member, or who reads.
        apps: slugs.
        verbs: words.
        expires: a duration.
        until: it ends then at the latest; None: as ``expires`` says.
    """

    name: str
    organization: str = ""
    user: str | UUID = ""
    role: str = ""
    apps: Sequence[str] = ()
    verbs: Sequence[str] = ()
    expires: str = f"{DEFAULT_DAYS}d"
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Made:
    """A new token.

    Args:
        token: shown once.
        replaced_until: of a rotation, until when the one before is good.
    """

    id: str
    token: str = field(repr=False)
    expires_at: datetime
    replaced_until: datetime | None = None


def document(token: TokenRow) -> dict[str, object]:
    """For programs."""
    return {
        "id": token.id,
        "name": token.name,
        "organization": token.organization,
        "user": token.user,
        "role": token.role,
        "apps": token.apps,
        "verbs": token.verbs,
        "state": token.state,
        "madeAt": token.made_at,
        "madeBy": token.made_by,
        "expiresAt": token.expires_at,
        "replacesUntil": token.replaces_until,
        "revokedAt": token.revoked_at,
        "usedAt": token.used_at,
        "usedFrom": token.used_from,
    }


def create(conn: psycopg.Connection, asked: Asked) -> Made:
    """Make one.

    Raises:
        ActionError: there is no such organization, user, app, role or verb; or he is nothing there.
    """
    lasts = duration(asked.expires, "--expires", LONGEST)
    verbs = [verb_of(word) for word in asked.verbs]
    tenant = organization_id(conn, asked.organization) if asked.organization else None
    if asked.apps and tenant is None:
        raise ActionError("a token of the platform is not limited to apps", "name their organization with -n")
    if tenant is not None and (unknown := token_rows.unknown_apps(conn, asked.organization, asked.apps)):
        raise ActionError(f"organization {asked.organization} has no app {', '.join(unknown)}")
    someone = _user(conn, asked.user) if asked.user else None
    role = _role(asked, tenant, someone)
    wanted = Wanted(asked.name, tenant, someone.id if someone else None, role, asked.apps, verbs, lasts, asked.until)
    try:
        return Made(*token_rows.add(conn, wanted))
    except psycopg.errors.CheckViolation as error:
        if error.diag.constraint_name != "api_tokens_name_form":
            raise
        raise ActionError(
            f"{asked.name!r} is no name of a token", "letters, digits and . _ - within, 63 at most: ci-deploy"
        ) from None


def rotate(conn: psycopg.Connection, token_id: str, overlap: str, expires: str, until: datetime | None = None) -> Made:
    """Replace one by another of the same name and limits.

    Args:
        conn: of a role of skypanel_panel.
        token_id: which.
        overlap: a duration: the old one is good for so long; ``0``: not any more.
        expires: a duration; empty: as long as the old one was made for.
        until: both end then at the latest; None: as these say.

    Raises:
        ActionError: there is none, or it is revoked.
    """
    kept = timedelta(0) if overlap in ("0", "0s") else duration(overlap, "--overlap", LONGEST_OVERLAP)
    lasts = duration(expires, "--expires", LONGEST) if expires else None
    try:
        found = token_rows.rotate(conn, token_id, kept, lasts, until)
    except psycopg.errors.CheckViolation as error:
        raise ActionError(error.diag.message_primary or "it was revoked", "make another one") from None
    if found is None:
        raise _none(token_id)
    return Made(token_id, *found)


def revoke(conn: psycopg.Connection, token_id: str) -> str:
    """End one now, and its replaced one; its name.

    Raises:
        ActionError: there is none, or it was revoked before.
    """
    name = token_rows.revoke(conn, token_id)
    if name is None:
        was = token_rows.there(conn, token_id)
        raise ActionError(f"token {token_id} was revoked already") if was else _none(token_id)
    return name


def listed(conn: psycopg.Connection, organization: str = "", *, every: bool = False) -> list[TokenRow]:
    """Those of an organization, or of all; without ``every`` only those that are good.

    Raises:
        ActionError: there is no such organization.
    """
    if organization:
        organization_id(conn, organization)
    return token_rows.listed(conn, organization, every=every)


def organization_id(conn: psycopg.Connection, slug: str) -> UUID:
    """The id of an organization.

    Raises:
        ActionError: there is none.
    """
    found = token_rows.organization(conn, slug)
    if found is None:
        raise ActionError(f"there is no organization {slug}", "`skypanel get organizations` lists them")
    return found


def verb_of(word: str) -> Verb:
    """The verb.

    Raises:
        ActionError: it is none.
    """
    try:
        return Verb(word.lower())
    except ValueError:
        raise ActionError(f"{word!r} is not a verb", closest(word, [str(verb) for verb in Verb])) from None


def role_of(word: str) -> Role:
    """The role.

    Raises:
        ActionError: it is none.
    """
    try:
        return Role(word.lower())
    except ValueError:
        raise ActionError(f"{word!r} is not a role", closest(word, [str(role) for role in Role])) from None


def duration(text: str, option: str, longest: timedelta) -> timedelta:
    """A time between a second and ``longest``.

    Raises:
        ActionError: it is none.
    """
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ActionError(f"{option}: {text!r} is no time", "write 90d, 12h, 30m or 45s")
    found = timedelta(**{_UNITS[match[2]]: int(match[1])})
    if not timedelta(0) < found <= longest:
        raise ActionError(f"{option}: {text} is not between 1s and {longest.days}d")
    return found


def _user(conn: psycopg.Connection, named: str | UUID) -> Person:
    try:
        found = token_rows.user(conn, named) if isinstance(named, str) else token_rows.known(conn, named)
    except AccessError as error:
        raise ActionError(f"user {named}: {error}") from None
    if found is None:
        raise ActionError(f"there is no user {named}", "`skypanel user add` makes one who cannot log in")
    return found


def _role(asked: Asked, tenant: UUID | None, someone: Person | None) -> Role:
    """The most that the token may be.

    Raises:
        ActionError: it is none of its place, or more than its user is.
    """
    if asked.role:
        role = role_of(asked.role)
    elif tenant is None:
        role = Role.PLATFORM_VIEWER
    else:
        role = Role.OWNER if someone else Role.MEMBER
    if role.of_platform != (tenant is None):
        where = "of an organization" if tenant else "of the platform"
        raise ActionError(f"{role} is no role {where}", "name the organization with -n" if tenant is None else "")
    if someone is None:
        return role
    if tenant is None or someone.admin:
        now = (Role.OWNER if tenant else Role.PLATFORM_ADMIN) if someone.admin else None
    else:
        now = next((place.role for place in someone.places if place.id == tenant), None)
    if now is None or lower(now, role) is None:
        where = f"a member of organization {asked.organization}" if tenant else "an administrator of the platform"
        raise ActionError(f"{someone.email} is not {where}, so the token could do nothing")
    if asked.role and not now.reaches(role):
        raise ActionError(f"{someone.email} is {now}, and a token of his cannot be {role}")
    return role


def _none(token_id: str) -> ActionError:
    return ActionError(f"there is no token {token_id}", "`skypanel tokens list` shows their ids")
