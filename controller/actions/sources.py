"""Sources of spec files: a password and age identities that nothing gives back, and a look that is asked for now."""

from __future__ import annotations

from uuid import UUID

import psycopg
from psycopg import sql

from controller.actions.config import again, refusals
from controller.actions.errors import ActionError
from controller.actions.objects import find_one
from controller.declared.sealing import data_key
from controller.postgres.statements import statement
from controller.vault.sealed import IdentitiesPlace, SourcePlace
from controller.vault.vault import Vault
from specs.kinds import KINDS, SOURCE
from specs.sources import place_of
from specs.ssh import host_keys, private_key, sealed


def set_password(conn: psycopg.Connection, vault: Vault, name: str, username: str, password: str) -> int:
    """Set the user of a source's repository and his password; the version that it has then.

    Args:
        conn: of a role of skypanel_panel.
        vault: with the current key.
        name: ``organization/source``.
        username: who asks.
        password: his.

    Raises:
        ActionError: there is no such source, it has no repository, or the database refuses it.
        ExpectedError: there is no key.
    """
    found = find_one(conn, SOURCE, tuple(name.split("/")))
    if found.deleted_at is not None:
        raise ActionError(f"{found.name} is deleted", "declare it again")

    def attempt() -> int:
        with conn.transaction():
            row = conn.execute(_of("lock"), {"id": found.id}).fetchone()
            if row is not None and row[1] and place_of(row[1]).scheme == "ssh":
                raise ActionError("the source's repository is reached over SSH", "`skypanel source ssh` sets its key")
            return _put(conn, vault, found.id, username, password)

    return again(attempt)


def set_deploy_key(conn: psycopg.Connection, vault: Vault, name: str, key: bytes, known: bytes) -> int:
    """Set the key that a source's repository is read with over SSH, and those that its host has to have.

    Args:
        conn: of a role of skypanel_panel.
        vault: with the current key.
        name: ``organization/source``.
        key: private, as a file of OpenSSH.
        known: lines of known hosts.

    Raises:
        ActionError: there is no such source, it is not reached over SSH, or one of the keys cannot be used.
        ExpectedError: there is no key to seal with.
    """
    found = find_one(conn, SOURCE, tuple(name.split("/")))
    if found.deleted_at is not None:
        raise ActionError(f"{found.name} is deleted", "declare it again")
    with refusals("--key"):
        private = private_key(key)

    def attempt() -> int:
        with conn.transaction():
            row = conn.execute(_of("lock"), {"id": found.id}).fetchone()
            repository = "" if row is None else str(row[1] or "")
            if not repository or (place := place_of(repository)).scheme != "ssh":
                raise ActionError("the source's repository is not reached over SSH", "ssh://git@host/path is")
            with refusals("--known-hosts"):
                hosts = host_keys(known, place)
            return _put(conn, vault, found.id, place.user, sealed(private, hosts))

    return again(attempt)


def set_identities(conn: psycopg.Connection, vault: Vault, name: str, identities: str | None) -> int:
    """Set the age identities that files of a source are opened with; the version that they have then.

    Args:
        conn: of a role of skypanel_panel.
        vault: with the current key.
        name: ``organization/source``.
        identities: a line each, as they were checked; None: none any more.

    Raises:
        ActionError: there is no such source, or the database refuses it.
        ExpectedError: there is no key.
    """
    found = find_one(conn, SOURCE, tuple(name.split("/")))
    if found.deleted_at is not None:
        raise ActionError(f"{found.name} is deleted", "declare it again")

    def attempt() -> int:
        with conn.transaction():
            return _put_identities(conn, vault, found.id, identities)

    return again(attempt)


def _put_identities(conn: psycopg.Connection, vault: Vault, row_id: UUID, identities: str | None) -> int:
    row = conn.execute(_of("lock_identities"), {"id": row_id}).fetchone()
    if row is None:
        raise ActionError("the source is not there any more", "look again: `skypanel get sources`")
    organization, version = str(row[0]), int(row[1])
    given: dict[str, object] = {"id": row_id, "ciphertext": None, "key_id": None}
    if identities is not None:
        place = IdentitiesPlace(organization, str(row_id), version + 1)
        given["key_id"], given["ciphertext"] = vault.sealed(
            data_key(conn, vault, organization), place, identities.encode()
        )
    written = conn.execute(_of("seal_identities"), given).fetchone()
    assert identities is None or written == (version + 1,), "the version is another than what it was sealed for"
    return version + 1


def _put(conn: psycopg.Connection, vault: Vault, row_id: UUID, username: str, password: str) -> int:
    row = conn.execute(_of("lock"), {"id": row_id}).fetchone()
    if row is None:
        raise ActionError("the source is not there any more", "look again: `skypanel get sources`")
    organization, repository, version = str(row[0]), row[1], int(row[2])
    if repository is None:
        raise ActionError("the source is a directory, which nobody is asked for", "set a password of a repository")
    key = data_key(conn, vault, organization)
    place = SourcePlace(organization, str(row_id), repository, username, version + 1)
    key_id, ciphertext = vault.sealed(key, place, password.encode())
    given = {"id": row_id, "username": username, "ciphertext": ciphertext, "key_id": key_id}
    written = conn.execute(_of("seal"), given).fetchone()
    assert written == (version + 1,), "the version is another than the one that the password was sealed for"
    return version + 1


def _of(name: str) -> sql.Composed:
    return sql.SQL(statement(f"declared/sources/{name}")).format(
        table=sql.Identifier("public", KINDS[SOURCE].binding.table)
    )
