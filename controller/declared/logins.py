"""Users of registries as rows: a password is sealed for the version that its row is going to have, as config vars are.

The row is locked, or is new: so nobody else raises its version in between. Nothing here reads a password.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

import psycopg
from psycopg import sql

from controller.declared.sealing import data_key
from controller.postgres.statements import statement
from controller.vault.sealed import LoginPlace
from controller.vault.vault import Vault
from reconcilers.logins import Login
from specs.kinds import KINDS, LOGIN


@dataclass(frozen=True, slots=True)
class RegistryLogin:
    """A registry of an organization, and who asks it.

    Args:
        sealed: whether a password is set.
        version: raised with each.
        reason: of its status; None: nobody has looked yet.
        message: of its status.
    """

    registry: str
    username: str
    sealed: bool
    version: int
    changed_at: datetime
    reason: str | None
    message: str | None


def put(conn: psycopg.Connection, vault: Vault, organization_id: str, login: Login) -> int:
    """Set the user of a registry and his password; the version that it has then.

    Args:
        conn: of a role of skypanel_panel; within a transaction of the caller's.
        vault: with the current key.
        organization_id: whose he is.
        login: who he is.

    Raises:
        KeyUnavailable: this process has no key, or not the one that the organization's data key is under.
        psycopg.errors.UniqueViolation: somebody has added one since: run the transaction again.
    """
    key = data_key(conn, vault, organization_id)
    asked = {"tenant": organization_id, "host": login.registry}
    found = conn.execute(_of("declared/logins/lock"), asked).fetchone()
    row_id, version = (str(uuid4()), 1) if found is None else (found[0], found[1] + 1)
    place = LoginPlace(organization_id, row_id, login.registry, login.username, version)
    key_id, ciphertext = vault.sealed(key, place, login.password.encode())
    row = {**asked, "id": row_id, "username": login.username, "ciphertext": ciphertext, "key_id": key_id}
    written = conn.execute(_of(f"declared/logins/{'add' if found is None else 'change'}"), row).fetchone()
    assert written == (version,), "the version is another than the one that the password was sealed for"
    return version


def remove(conn: psycopg.Connection, organization_id: str, registry: str) -> bool:
    """Take a registry's user away, with his password; whether there was one."""
    asked = {"tenant": organization_id, "host": registry}
    return conn.execute(_of("declared/logins/remove"), asked).rowcount > 0


def listed(conn: psycopg.Connection, organization_id: str) -> list[RegistryLogin]:
    """All of an organization, by registry."""
    rows = conn.execute(_of("declared/logins/listed"), {"tenant": organization_id, "kind": KINDS[LOGIN].word()})
    return [RegistryLogin(*row) for row in rows]


def _of(name: str) -> sql.Composed:
    binding = KINDS[LOGIN].binding
    table, host = sql.Identifier("public", binding.table), sql.Identifier(binding.key_column)
    return sql.SQL(statement(name)).format(table=table, host=host)
