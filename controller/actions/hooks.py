"""Webhooks of sources: a secret is made, replaced and taken away. It is shown when it is made, and by nothing later."""

from __future__ import annotations

import base64
import os
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import uuid4

import psycopg
from psycopg import sql

from controller.actions.config import again
from controller.actions.errors import ActionError
from controller.actions.objects import find_one
from controller.actions.tokens import duration
from controller.declared.sealing import data_key
from controller.postgres.statements import statement
from controller.vault.sealed import HookPlace
from controller.vault.vault import Vault
from specs.kinds import KINDS, SOURCE

PATH = "/api/paas/webhooks"
LONGEST_OVERLAP = timedelta(days=7)
_PREFIX = "whsec_"
_SHORTEST, _LONGEST = 16, 1024
_BYTES = 32


@dataclass(frozen=True, slots=True)
class Made:
    """A webhook, with its secret this once.

    Args:
        path: of its address, at the HTTP API.
        secret: of it.
        replaced_until: so long the secret before it counts, too; None: there is none.
    """

    path: str
    secret: str = field(repr=False)
    replaced_until: datetime | None = None


def secret_of(data: bytes) -> str:
    """A secret that a forge has made itself, without the line break that ends a line.

    Raises:
        ActionError: it cannot be one; says why, and never what it is.
    """
    text = data.decode("utf-8", "replace").removesuffix("\n").removesuffix("\r")
    if not _SHORTEST <= len(text) <= _LONGEST or not text.isprintable() or not text.isascii() or " " in text:
        raise ActionError(
            f"a secret has {_SHORTEST} to {_LONGEST:,} letters, digits and signs, without spaces",
            "leave --from out, and one is made; nothing was set",
        )
    return text


def make(conn: psycopg.Connection, vault: Vault, name: str, given: str = "", overlap: str | None = None) -> Made:
    """Make the webhook of a source, or replace its secret.

    Args:
        conn: of a role of skypanel_panel.
        vault: with the current key.
        name: ``organization/source``.
        given: the secret; empty: one is made.
        overlap: a duration: the one before counts for so long; ``0``: not any more. None: there must be none.

    Raises:
        ActionError: there is no such source, it has no repository, or has a webhook already, or none.
        ExpectedError: there is no key.
    """
    kept = None if overlap is None else _overlap(overlap)
    found = find_one(conn, SOURCE, tuple(name.split("/")))
    if found.deleted_at is not None:
        raise ActionError(f"{found.name} is deleted", "declare it again")
    secret = given or _PREFIX + base64.b64encode(os.urandom(_BYTES)).decode()

    def attempt() -> datetime | None:
        with conn.transaction():
            return _put(conn, vault, str(found.id), secret, kept)

    until = again(attempt)
    return Made(f"{PATH}/{found.id}", secret, until)


def remove(conn: psycopg.Connection, name: str) -> None:
    """Take the webhook of a source away.

    Raises:
        ActionError: there is no such source, or it has none.
    """
    found = find_one(conn, SOURCE, tuple(name.split("/")))
    if not again(lambda: conn.execute(_of("remove_hooks"), {"id": found.id}).rowcount):
        raise _none(name)


def _put(conn: psycopg.Connection, vault: Vault, row_id: str, secret: str, kept: timedelta | None) -> datetime | None:
    row = conn.execute(_of("lock"), {"id": row_id}).fetchone()
    if row is None:
        raise ActionError("the source is not there any more", "look again: `skypanel get sources`")
    if row[1] is None:
        raise ActionError("the source is a directory, of which no forge knows", "its interval is how often it is read")
    present = [until for _, until in conn.execute(_of("hooks"), {"id": row_id}) if until is None]
    if kept is None and present:
        raise ActionError("the source has a webhook", "`--rotate` gives it another secret, `--remove` takes it away")
    if kept is not None and not present:
        raise ActionError("the source has no webhook", "leave --rotate out, and one is made")
    organization, until = str(row[0]), None
    conn.execute(_of("forget_hooks"), {"id": row_id})
    if kept:
        ended = conn.execute(_of("end_hook"), {"id": row_id, "overlap": kept}).fetchone()
        until = ended[0] if ended else None
    else:
        conn.execute(_of("remove_hooks"), {"id": row_id})
    key = data_key(conn, vault, organization)
    place = HookPlace(organization, row_id, str(uuid4()))
    key_id, ciphertext = vault.sealed(key, place, secret.encode())
    conn.execute(_of("add_hook"), {"hook": place.id, "id": row_id, "key_id": key_id, "ciphertext": ciphertext})
    return until


def _overlap(text: str) -> timedelta:
    return timedelta(0) if text in ("0", "0s") else duration(text, "--overlap", LONGEST_OVERLAP)


def _none(name: str) -> ActionError:
    return ActionError(f"source {name} has no webhook", "`skypanel source hook` makes one")


def _of(name: str) -> sql.Composed:
    return sql.SQL(statement(f"declared/sources/{name}")).format(
        table=sql.Identifier("public", KINDS[SOURCE].binding.table)
    )
