"""Role bindings: make, list and remove them. One says which tokens of an OpenID Connect issuer have which role."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.resources import files
from uuid import UUID

import psycopg

from controller.access import binding_rows, token_rows
from controller.access.binding_rows import BindingRow, Wanted
from controller.access.roles import Role
from controller.actions.errors import ActionError
from controller.actions.tokens import organization_id, role_of, verb_of
from specs.problems import closest

MOST_CLAIMS, MOST_VALUES = 8, 20
_CLAIM = re.compile(r"[A-Za-z_][A-Za-z0-9_:./-]{0,127}")
_CHECKED = ("iss", "aud", "exp", "iat", "nbf", "jti")
_LONGEST_VALUE = 1024
_MOST = "role_bindings_most"
"""Constraint of how many there may be."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a binding is asked for with, in people's words.

    Args:
        name: for people.
        issuer: whose tokens; empty: the only one that is trusted.
        claims: what they have to say: for each claim values, one of which they have.
        organization: slug; empty: the platform's.
        role: that they have; empty: a member, or who reads.
        apps: slugs.
        verbs: words.
        until: when it ends; None: when it is removed.
    """

    name: str
    issuer: str
    claims: Mapping[str, Sequence[str]]
    organization: str = ""
    role: str = ""
    apps: Sequence[str] = ()
    verbs: Sequence[str] = ()
    until: datetime | None = None

    @property
    def role_or_default(self) -> str:
        """As ``create`` takes it."""
        return self.role or str(Role.MEMBER if self.organization else Role.PLATFORM_VIEWER)


def document(binding: BindingRow) -> dict[str, object]:
    """For programs."""
    return {
        "name": binding.name,
        "organization": binding.organization,
        "issuer": binding.issuer,
        "claims": binding.claims,
        "role": binding.role,
        "apps": binding.apps,
        "verbs": binding.verbs,
        "madeAt": binding.made_at,
        "madeBy": binding.made_by,
        "expiresAt": binding.expires_at,
    }


def create(conn: psycopg.Connection, asked: Asked, trusted: Sequence[str]) -> None:
    """Make one.

    Args:
        conn: of a role of skypanel_panel or skypanel_api.
        asked: what.
        trusted: issuers whose tokens are taken.

    Raises:
        ActionError: there is no such organization, app, role or verb; nobody trusts the issuer; or the claims
            say nothing.
    """
    issuer = _issuer(asked.issuer, trusted)
    check_claims(issuer, asked.claims)
    verbs = [verb_of(word) for word in asked.verbs]
    tenant = organization_id(conn, asked.organization) if asked.organization else None
    if asked.apps and tenant is None:
        raise ActionError("a role of the platform is not limited to apps", "name their organization with -n")
    if tenant is not None and (unknown := token_rows.unknown_apps(conn, asked.organization, asked.apps)):
        raise ActionError(f"organization {asked.organization} has no app {', '.join(unknown)}")
    role = role_of(asked.role_or_default)
    if role.of_platform != (tenant is None):
        where = "of an organization" if tenant else "of the platform"
        raise ActionError(f"{role} is no role {where}", "name the organization with -n" if tenant is None else "")
    try:
        binding_rows.add(conn, Wanted(asked.name, tenant, issuer, asked.claims, role, asked.apps, verbs, asked.until))
    except psycopg.errors.UniqueViolation:
        raise ActionError(
            f"there is a binding {asked.name} already", "remove it first, or choose another name: it is never changed"
        ) from None
    except psycopg.errors.CheckViolation as error:
        if error.diag.constraint_name == _MOST:
            raise ActionError(
                str(error.diag.message_primary), "remove one that nobody needs, or name several values"
            ) from None
        if error.diag.constraint_name != "role_bindings_name_form":
            raise
        raise ActionError(
            f"{asked.name!r} is no name of a binding", "letters, digits and . _ - within, 63 at most: ci-deploy"
        ) from None


def remove(conn: psycopg.Connection, organization: str, name: str) -> None:
    """Remove one: from then on its tokens have no role by it.

    Raises:
        ActionError: there is none.
    """
    tenant: UUID | None = organization_id(conn, organization) if organization else None
    if not binding_rows.remove(conn, tenant, name):
        where = f"of organization {organization}" if organization else "of the platform"
        raise ActionError(f"there is no binding {name} {where}", "`skypanel bindings list` shows them")


def listed(conn: psycopg.Connection, organization: str = "") -> list[BindingRow]:
    """Those of an organization, or all.

    Raises:
        ActionError: there is no such organization.
    """
    if organization:
        organization_id(conn, organization)
    return binding_rows.listed(conn, organization, every=True)


def claims_of(words: Sequence[str]) -> dict[str, list[str]]:
    """Claims as a command line has them, ``name=value`` each; of one that stands twice either value will do.

    Raises:
        ActionError: one has no value.
    """
    found: dict[str, list[str]] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not value:
            raise ActionError(f"--claim: {word!r} is no claim with a value", "write --claim repository=acme/shop")
        found.setdefault(name, []).append(value)
    return found


def check_claims(issuer: str, claims: Mapping[str, Sequence[str]]) -> None:
    """Refuse claims that no token can have, or that everybody's has.

    Raises:
        ActionError: they are such.
    """
    if not claims:
        raise ActionError("of which tokens?", "say what they claim: --claim repository=acme/shop")
    if len(claims) > MOST_CLAIMS:
        raise ActionError(f"{len(claims)} claims are too many", f"{MOST_CLAIMS} at most")
    for name, values in claims.items():
        if name in _CHECKED:
            raise ActionError(f"claim {name} is checked of every token", "name those that say whose it is, such as sub")
        if not _CLAIM.fullmatch(name):
            raise ActionError(f"{name!r} is no name of a claim", "such as sub, groups or repository")
        good = all(0 < len(value) <= _LONGEST_VALUE and value.isprintable() for value in values)
        if not good or not 0 < len(values) <= MOST_VALUES:
            raise ActionError(f"claim {name}: 1 to {MOST_VALUES} values, which are compared as they are, and printable")
        if any("*" in value for value in values):
            raise ActionError(f"claim {name}: * stands for itself alone", "name each value, or a claim that has fewer")
    telling = public_issuers().get(issuer)
    if telling is not None and not set(telling) & claims.keys():
        raise ActionError(
            f"everybody can have tokens of {issuer}, and these claims do not say whose they are",
            f"ask for one of {', '.join(telling)}, too",
        )


@cache
def public_issuers() -> Mapping[str, Sequence[str]]:
    """Issuers that everybody can have tokens of, and the claims that say whose one is."""
    text = files("controller.access").joinpath("public_issuers.toml").read_text("utf-8")
    return {issuer: said["claims"] for issuer, said in tomllib.loads(text).items()}


def _issuer(named: str, trusted: Sequence[str]) -> str:
    if not trusted:
        raise ActionError("no issuer is trusted here", "list them in SKYPANEL_OIDC_ISSUERS")
    if not named and len(trusted) == 1:
        return trusted[0]
    if named not in trusted:
        said = f"{named} is not a trusted issuer" if named else "of which issuer?"
        raise ActionError(said, closest(named, trusted) if named else f"one of {', '.join(trusted)}")
    return named
