"""Whether a role or a token may do something, and the table of what every role may, for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import psycopg

from controller.access.authentication import authenticate
from controller.access.caller import Caller
from controller.access.errors import AccessError
from controller.access.issued_tokens import PublicKey
from controller.access.permissions import allows, may, table
from controller.access.requests import Secrets
from controller.access.roles import Role, Verb
from controller.actions.errors import ActionError
from controller.actions.paths import path_of
from controller.issuers.fetching import NoKeysError
from controller.issuers.keeper import Keeper
from specs.kinds import KINDS, of_tenant
from specs.permits import ROLES

EVERY_ROLE = tuple(Role(role) for role in ROLES)


class Trusting(Secrets, Protocol):
    """Settings, as far as they are needed here."""

    @property
    def skypanel_oidc_issuers(self) -> Sequence[str]:
        """Whose tokens are taken."""

    @property
    def skypanel_oidc_audience(self) -> str:
        """Whom they have to be for."""


class Asking(Keeper):
    """Issuers that are asked when a token needs it: for one question, by who can wait.

    Args:
        settings: with the issuers.
    """

    def __init__(self, settings: Trusting) -> None:
        super().__init__(settings.skypanel_oidc_issuers, settings.skypanel_oidc_audience)

    def keys_of(self, issuer: str) -> Sequence[PublicKey]:
        """What it publishes now.

        Raises:
            NoKeysError: it cannot be had.
        """
        self.look(issuer)
        return super().keys_of(issuer)


@dataclass(frozen=True, slots=True)
class Row:
    """What can be done with a kind, and who may."""

    kind: str
    verb: Verb
    roles: tuple[Role, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """Whether he may, and why not."""

    yes: bool
    why: str = ""


def rows() -> list[Row]:
    """The table of permissions, whole."""
    return [
        Row(kind.lower(), verb, tuple(role for role in EVERY_ROLE if allows(role, verb, kind)))
        for kind, verbs in table().items()
        for verb in verbs
    ]


def of_role(role: Role, path: Sequence[str] = ()) -> Caller:
    """Somebody with this role, in the organization that ``path`` begins with."""
    return Caller("", "", None, None, path[0] if path else "", role)


def of_token(conn: psycopg.Connection, token: str, organization: str, settings: Trusting) -> Caller:
    """Who has this token.

    Args:
        conn: of a role of skypanel_panel or skypanel_api.
        token: of the API, one of the panel's, or one of a trusted issuer, who is asked for its keys.
        organization: id or slug; empty: none is asked for.
        settings: with the panel's secret, and the issuers.

    Raises:
        ActionError: it is none, or he is nothing there.
    """
    try:
        return authenticate(conn, f"Bearer {token.strip()}", organization or None, settings, Asking(settings))
    except AccessError as error:
        raise ActionError(str(error)) from None
    except NoKeysError as error:
        raise ActionError(f"the keys of the token's issuer cannot be had: {error}") from None


def ask(caller: Caller, verb: Verb, kind: str, path: str | None, *, by_role: bool = False) -> Answer:
    """Whether ``caller`` may do it.

    Args:
        caller: who.
        verb: what.
        kind: a kind.
        path: of one object; None: of any in his organization.
        by_role: he is only a role, whose organization is the one of the path.
    """
    names = path_of(kind, path) if path else ()
    word = KINDS[kind].word()
    if verb not in table()[kind]:
        return Answer(False, f"there is no {verb} of {word}: {', '.join(table()[kind])}")
    if not allows(caller.role, verb, kind):
        able = ", ".join(row for row in EVERY_ROLE if allows(row, verb, kind))
        return Answer(False, f"{caller.role} may not {verb} {word}; these may: {able}")
    if by_role or may(caller, verb, kind, names):
        return Answer(True)
    if names and of_tenant(kind) and caller.organization_slug and names[0] != caller.organization_slug:
        return Answer(False, f"it is not of {caller.organization_slug}")
    return Answer(False, "the token is limited to less")
