"""Tokens with which forges are told how a source's commits went: set and taken away. Nothing gives one back."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import uuid4

import psycopg
from psycopg import sql

from controller.actions.config import again
from controller.actions.errors import ActionError
from controller.actions.objects import find_one
from controller.declared.sealing import data_key
from controller.postgres.statements import statement
from controller.vault.sealed import ForgePlace
from controller.vault.vault import Vault
from specs.forges import FORGES, api_of, forge_of, is_token
from specs.kinds import KINDS, SOURCE
from specs.problems import RefusedError
from specs.sources import check_source_url


@dataclass(frozen=True, slots=True)
class Forge:
    """Where statuses go, and with which token.

    Args:
        token: of the forge.
        forge: which sort; empty: as the repository's host says.
        api: where its API is; empty: where that sort has it, for a host that is known to be of it.
    """

    token: str = field(repr=False)
    forge: str = ""
    api: str = ""


def assign(conn: psycopg.Connection, vault: Vault, name: str, wanted: Forge) -> tuple[str, str]:
    """Have statuses of a source's commits said with this token; which sort of forge it is, and where its API is.

    Args:
        conn: of a role of skypanel_panel.
        vault: with the current key.
        name: ``organization/source``.
        wanted: where, and the token.

    Raises:
        ActionError: there is no such source, it has no repository, or nobody knows what forge that is at, or where
            its API is.
        ExpectedError: there is no key.
    """
    if wanted.forge and wanted.forge not in FORGES:
        raise ActionError(f"--forge: {wanted.forge} is none that is known", f"write one of {', '.join(FORGES)}")
    if not is_token(wanted.token):
        raise ActionError("no token has other characters than letters, digits and signs", "give it alone, in one line")
    if wanted.api:
        try:
            check_source_url(f"{wanted.api.rstrip('/')}/")
        except RefusedError:
            raise ActionError("--api is no address of an API", "such as https://git.example.com/api/v1") from None
    found = find_one(conn, SOURCE, tuple(name.split("/")))
    if found.deleted_at is not None:
        raise ActionError(f"{found.name} is deleted", "declare it again")

    def attempt() -> tuple[str, str]:
        with conn.transaction():
            return _put(conn, vault, str(found.id), wanted)

    return again(attempt)


def remove(conn: psycopg.Connection, name: str) -> None:
    """Have nothing said any more.

    Raises:
        ActionError: there is no such source, or nothing is said of it.
    """
    found = find_one(conn, SOURCE, tuple(name.split("/")))
    if not again(lambda: conn.execute(_of("remove_forge"), {"id": found.id}).rowcount):
        raise ActionError(f"source {name} has no token for statuses", "`skypanel source statuses` sets one")


def _put(conn: psycopg.Connection, vault: Vault, row_id: str, wanted: Forge) -> tuple[str, str]:
    row = conn.execute(_of("lock"), {"id": row_id}).fetchone()
    if row is None:
        raise ActionError("the source is not there any more", "look again: `skypanel get sources`")
    organization, repository = str(row[0]), row[1]
    if repository is None:
        raise ActionError("the source is a directory, and has no commits", "statuses are of a repository's commits")
    forge = wanted.forge or forge_of(repository)
    if forge is None:
        raise ActionError(f"{repository} does not say what forge it is at", f"--forge names it: {', '.join(FORGES)}")
    api = wanted.api.rstrip("/") or api_of(forge, repository)
    if not wanted.api and forge != forge_of(repository):  # else whoever writes the source says where the token goes
        raise ActionError(
            f"{repository} is not known to be at a forge of sort {forge}, and the token goes where its API is",
            f"name that, if it is this one: --api {api}",
        )
    key = data_key(conn, vault, organization)
    place = ForgePlace(organization, row_id, str(uuid4()), repository, forge, api)
    key_id, ciphertext = vault.sealed(key, place, wanted.token.encode())
    conn.execute(_of("remove_forge"), {"id": row_id})
    given = {"forge_id": place.id, "id": row_id, "forge": forge, "api": api, "key_id": key_id, "ciphertext": ciphertext}
    conn.execute(_of("add_forge"), given)
    return forge, api


def _of(name: str) -> sql.Composed:
    return sql.SQL(statement(f"declared/sources/{name}")).format(
        table=sql.Identifier("public", KINDS[SOURCE].binding.table)
    )
