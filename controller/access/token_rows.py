"""API tokens as rows: made, listed, rotated, revoked. What is written of one is its hash, and who asks gets it once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import psycopg

from controller.access import token_text
from controller.access.people import Person, person
from controller.access.roles import Role, Verb
from controller.postgres.statements import statement
from specs.kinds import KINDS, TENANT_WORD

LIMITING = next(cls.word() for cls in KINDS.values() if cls.facts.limits_tokens)
"""Word of the kind by whose names a token is limited."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A token that is to be made.

    Args:
        name: for people.
        organization: whose; None: the platform's.
        user: whose rights it has a part of; None: a machine's.
        role: the most that it may be.
        apps: slugs of those that it reaches; empty: all.
        verbs: what it may do; empty: all.
        lasts: until it expires.
        until: it expires then at the latest; None: as ``lasts`` says.
    """

    name: str
    organization: UUID | None
    user: UUID | None
    role: Role
    apps: Sequence[str]
    verbs: Sequence[Verb]
    lasts: timedelta
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class TokenRow:
    """One that there is; nothing of it is secret.

    Args:
        organization: slug of whose it is; None: the platform's.
        user: address of whose rights it has a part of; None: a machine's.
        replaces_until: until then the one before is good, too.
        now: of the database.
        user_id: of the same user.
    """

    id: str
    name: str
    organization: str | None
    user: str | None
    role: str
    apps: Sequence[str] | None
    verbs: Sequence[str] | None
    made_at: datetime
    made_by: str
    expires_at: datetime
    revoked_at: datetime | None
    replaces_until: datetime | None
    used_at: datetime | None
    used_from: str | None
    now: datetime
    user_id: UUID | None = None

    @property
    def state(self) -> str:
        """``good``, ``expired`` or ``revoked``."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at <= self.now else "good"


def listed(conn: psycopg.Connection, organization: str = "", *, every: bool) -> list[TokenRow]:
    """Those of an organization, or of all; without ``every`` only those that are good."""
    asked = {"tenant": organization, "tenants": TENANT_WORD, "all": every}
    return [TokenRow(*row) for row in conn.execute(_of("listed"), asked)]


def seen(conn: psycopg.Connection, organization: str, token_id: str = "", *, every: bool) -> list[TokenRow]:
    """As ``listed``, of an organization or of the platform, for a role that reads no table of users."""
    asked = {"tenant": organization, "tenants": TENANT_WORD, "id": token_id, "all": every}
    return [TokenRow(*row) for row in conn.execute(_of("seen"), asked)]


def organization(conn: psycopg.Connection, slug: str) -> UUID | None:
    """The id of an organization; None: there is none."""
    row = conn.execute(_of("object"), {"kind": TENANT_WORD, "path": slug}).fetchone()
    return row[0] if row else None


def user(conn: psycopg.Connection, email: str) -> Person | None:
    """The user with this address, as he is now; None: there is none.

    Raises:
        AccessError: he may not log in.
    """
    row = conn.execute(_of("user"), {"email": email}).fetchone()
    return person(row[1]) if row else None


def known(conn: psycopg.Connection, user_id: UUID) -> Person | None:
    """The user with this id; raises as ``user``."""
    row = conn.execute(_of("known"), {"user": user_id}).fetchone()
    return person(row[1]) if row and row[1] is not None else None


def unknown_apps(conn: psycopg.Connection, organization_slug: str, apps: Sequence[str]) -> list[str]:
    """Those of ``apps`` that the organization has not."""
    asked = [(app, {"kind": LIMITING, "path": f"{organization_slug}/{app}"}) for app in apps]
    return [app for app, which in asked if conn.execute(_of("object"), which).fetchone() is None]


def add(conn: psycopg.Connection, wanted: Wanted) -> tuple[str, str, datetime]:
    """Make one: its id, the token, which nothing gives again, and when it expires."""
    token_id = token_text.new_id()
    token = token_text.new_token(token_id)
    row = conn.execute(
        _of("add"),
        {
            "id": token_id,
            "name": wanted.name,
            "hash": token_text.hash_of(token),
            "user": wanted.user,
            "tenant": wanted.organization,
            "role": str(wanted.role),
            "apps": list(wanted.apps) or None,
            "verbs": [str(verb) for verb in wanted.verbs] or None,
            "lasts": wanted.lasts,
            "until": wanted.until,
        },
    ).fetchone()
    assert row is not None
    return token_id, token, row[0]


def rotate(
    conn: psycopg.Connection,
    token_id: str,
    overlap: timedelta,
    lasts: timedelta | None,
    until: datetime | None = None,
) -> tuple[str, datetime, datetime] | None:
    """Replace it: the new token, when that expires, and until when the old one is good; None: there is none.

    Args:
        conn: of a role of skypanel_panel.
        token_id: of the row, which stays.
        overlap: the old one is good for so long.
        lasts: the new one; None: as long as the old one did.
        until: both end then at the latest; None: as these say.

    Raises:
        psycopg.errors.CheckViolation: it was revoked.
    """
    token = token_text.new_token(token_id)
    asked = {"id": token_id, "hash": token_text.hash_of(token), "overlap": overlap, "lasts": lasts, "until": until}
    row = conn.execute(_of("rotate"), asked).fetchone()
    return (token, *row) if row else None


def there(conn: psycopg.Connection, token_id: str) -> bool:
    """Whether there is one of this id, good or not."""
    row = conn.execute(_of("there"), {"id": token_id}).fetchone()
    return bool(row and row[0])


def revoke(conn: psycopg.Connection, token_id: str) -> str | None:
    """End it now; its name. None: there is none that is not revoked already."""
    row = conn.execute(_of("revoke"), {"id": token_id}).fetchone()
    return row[0] if row else None


def _of(name: str) -> bytes:
    return statement(f"access/tokens/{name}").encode()
