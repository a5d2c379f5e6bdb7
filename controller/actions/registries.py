"""Users of registries: set, listed, asked for, and taken away. Nothing gives a password back."""

from __future__ import annotations

from collections.abc import Sequence

import psycopg

from controller.actions.config import again, refusals
from controller.actions.errors import ActionError
from controller.actions.objects import find_one
from controller.declared import logins
from controller.declared.logins import RegistryLogin
from controller.vault.vault import Vault
from reconcilers.logins import Login
from specs.kinds import KINDS, TENANT
from specs.registries import check_registry_host, check_username

LONGEST = 16_384
"""Bytes of a password; those that are keys of a cloud have some thousands."""


def organization(conn: psycopg.Connection, name: str) -> str:
    """Id of the organization of this name.

    Raises:
        ActionError: there is none, or it is deleted.
    """
    found = find_one(conn, TENANT, (name,))
    if found.deleted_at is not None:
        said = f"{KINDS[TENANT].word()} {found.name}"
        raise ActionError(f"{said} is deleted", f"`skypanel restore {said}`")
    return str(found.id)


def check(registry: str, username: str) -> None:
    """Refuse what cannot be a registry, or a user of one.

    Raises:
        ActionError: which of them, and what to write instead.
    """
    with refusals():
        check_registry_host(registry)
    with refusals("--username"):
        check_username(username)


def password_of(data: bytes) -> str:
    """The password that was given, without the line break that ends a line.

    Raises:
        ActionError: it cannot be one; says why, and never what it is.
    """
    try:
        password = data.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise ActionError("the password is no text", "give it as UTF-8") from None
    if not password or not password.isprintable():
        why = "is empty" if not password else "has characters that no password has, such as a line break"
        raise ActionError(f"the password {why}", "give it alone, in one line; nothing was set")
    if len(password.encode()) > LONGEST:
        raise ActionError(f"the password has more than {LONGEST} bytes", "nothing was set")
    return password


def assign(conn: psycopg.Connection, vault: Vault, organization_id: str, login: Login) -> int:
    """Set a registry's user and his password; the version that it has then.

    Raises:
        ActionError: the database refuses it.
        ExpectedError: there is no key.
    """

    def attempt() -> int:
        with conn.transaction():
            return logins.put(conn, vault, organization_id, login)

    return again(attempt)


def unset(conn: psycopg.Connection, name: str, registry: str) -> None:
    """Take a registry's user away.

    Raises:
        ActionError: there is none.
    """
    tenant = organization(conn, name)
    if not again(lambda: logins.remove(conn, tenant, registry)):
        raise ActionError(f"{name} has no user for {registry}", f"`skypanel registries list {name}` shows those it has")


def listed(conn: psycopg.Connection, name: str) -> Sequence[RegistryLogin]:
    """All of an organization."""
    return logins.listed(conn, organization(conn, name))
