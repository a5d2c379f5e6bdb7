"""Role bindings as rows: made, listed, removed. What one says is never changed: it goes, and another one comes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import psycopg
from psycopg.types.json import Jsonb

from controller.access.roles import Role, Verb
from controller.postgres.statements import statement
from specs.kinds import TENANT_WORD


@dataclass(frozen=True, slots=True)
class Wanted:
    """A binding that is to be made.

    Args:
        name: for people; one of its organization, or of the platform.
        organization: where its role is; None: on the platform.
        issuer: whose tokens.
        claims: what they have to say: for each claim values, one of which they have.
        role: that they have.
        apps: slugs of those that they reach; empty: all.
        verbs: what they may do; empty: all that the role may.
        until: when it ends; None: when it is removed.
    """

    name: str
    organization: UUID | None
    issuer: str
    claims: Mapping[str, Sequence[str]]
    role: Role
    apps: Sequence[str]
    verbs: Sequence[Verb]
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class BindingRow:
    """One that there is.

    Args:
        organization: slug of where its role is; None: on the platform.
        expires_at: when it ends; None: when it is removed.
    """

    name: str
    organization: str | None
    issuer: str
    claims: Mapping[str, Sequence[str]]
    role: str
    apps: Sequence[str] | None
    verbs: Sequence[str] | None
    made_at: datetime
    made_by: str
    expires_at: datetime | None = None


def listed(
    conn: psycopg.Connection, organization: str = "", name: str = "", *, every: bool = False
) -> list[BindingRow]:
    """Those of an organization; without one those of the platform, or with ``every`` all."""
    asked = {"tenant": organization, "tenants": TENANT_WORD, "name": name, "all": every}
    return [BindingRow(*row) for row in conn.execute(_of("listed"), asked)]


def add(conn: psycopg.Connection, wanted: Wanted) -> None:
    """Make one.

    Raises:
        psycopg.errors.UniqueViolation: there is one of this name.
        psycopg.errors.CheckViolation: its name, issuer or claims have a form that they may not.
    """
    conn.execute(
        _of("add"),
        {
            "name": wanted.name,
            "tenant": wanted.organization,
            "issuer": wanted.issuer,
            "claims": Jsonb({name: list(values) for name, values in wanted.claims.items()}),
            "role": str(wanted.role),
            "apps": list(wanted.apps) or None,
            "verbs": [str(verb) for verb in wanted.verbs] or None,
            "until": wanted.until,
        },
    )


def remove(conn: psycopg.Connection, organization: UUID | None, name: str) -> bool:
    """Remove one; False: there is none."""
    return conn.execute(_of("remove"), {"tenant": organization, "name": name}).rowcount > 0


def _of(name: str) -> bytes:
    return statement(f"access/bindings/{name}").encode()
