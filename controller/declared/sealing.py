"""Config vars as rows: a value is sealed for the version that its row is going to have, in one transaction with it.

The row is locked, or is new: so nobody else raises its version in between. Two that add one name at once: the second
begins again, and changes what the first has added. Nothing here reads a value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import uuid4

import psycopg
from psycopg import errors, sql

from controller.postgres.statements import statement
from controller.vault.sealed import DataKey, Place, Seal
from controller.vault.vault import Vault
from specs.config import Layer, check_name, check_value

_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Owner:
    """What variables are set for.

    Args:
        organization_id: whose it is.
        layer: what it is: the word of its kind.
        id: of it.
    """

    organization_id: str
    layer: Layer
    id: str

    @property
    def column(self) -> sql.Identifier:
        """With its id, in the rows."""
        return sql.Identifier(f"{self.layer}_id")


def put(conn: psycopg.Connection, vault: Vault, owner: Owner, name: str, value: bytes, *, as_file: bool = False) -> int:
    """Set a variable; the version that it has then.

    Args:
        conn: of a role of skypanel_panel; within a transaction of the caller's, it becomes visible with that.
        vault: with the current key.
        owner: what it is set for.
        name: of the variable.
        value: any bytes without NUL.
        as_file: whether tasks get it as a file.

    Raises:
        RefusedError: name or value break a rule.
        KeyUnavailable: this process has no key, or not the one that the organization's data key is under.
        psycopg.errors.DeadlockDetected: somebody does other things in another order: run the transaction again.
    """
    return put_row(conn, vault, owner, name, value, as_file=as_file)[1]


def put_row(
    conn: psycopg.Connection, vault: Vault, owner: Owner, name: str, value: bytes, *, as_file: bool
) -> tuple[str, int]:
    """As ``put``; the id of the row as well."""
    check_value(check_name(name), value)
    for attempt in range(_ATTEMPTS):
        try:
            with conn.transaction():
                return _put(conn, vault, owner, name, value, as_file=as_file)
        except errors.UniqueViolation:  # somebody has added it since it was looked for
            if attempt == _ATTEMPTS - 1:
                raise
    raise AssertionError


def _put(
    conn: psycopg.Connection, vault: Vault, owner: Owner, name: str, value: bytes, *, as_file: bool
) -> tuple[str, int]:
    key = data_key(conn, vault, owner.organization_id)
    found = conn.execute(_of(owner, "lock"), {"owner": owner.id, "name": name}).fetchone()
    row_id, version = (str(uuid4()), 1) if found is None else (found[0], found[1] + 1)
    place = Place(owner.organization_id, owner.layer, owner.id, row_id, name, version)
    sealed = vault.seal(key, place, value, as_file=as_file)
    row = {
        "owner": owner.id,
        "id": row_id,
        "name": name,
        "ciphertext": sealed.ciphertext,
        "key_id": sealed.key_id,
        "as_file": as_file,
    }
    written = conn.execute(_of(owner, "add" if found is None else "change"), row).fetchone()
    assert written == (version,), "the version is another than the one that the value was sealed for"
    return row_id, version


def seals(conn: psycopg.Connection, owner: Owner, names: Sequence[str]) -> dict[str, Seal]:
    """Of those of ``names`` that are set for this owner: what tells whether a value is there already.

    Args:
        conn: of a role of skypanel_panel.
        owner: what they are set for.
        names: of variables.
    """
    found = conn.execute(_of(owner, "seals"), {"owner": owner.id, "names": list(names)})
    return {name: Seal(*row) for name, *row in found}


def standing(conn: psycopg.Connection, owner: Owner, names: Sequence[str]) -> dict[str, tuple[str, int, bool]]:
    """Of those of ``names`` that are set for this owner: row, version, and whether it is a file."""
    found = conn.execute(_of(owner, "standing"), {"owner": owner.id, "names": list(names)})
    return {name: (row_id, version, as_file) for name, row_id, version, as_file in found}


def remove(conn: psycopg.Connection, owner: Owner, names: Sequence[str]) -> list[str]:
    """Unset variables of this owner; the names of those that were set. What an outer layer sets counts again."""
    found = conn.execute(_of(owner, "remove"), {"owner": owner.id, "names": list(names)}).fetchall()
    return sorted(name for (name,) in found)


def data_key(conn: psycopg.Connection, vault: Vault, organization_id: str) -> DataKey:
    """The data key of an organization; made when it has none.

    Raises:
        KeyUnavailable: it has none, and this process has no key to make one under.
    """
    for attempt in ("add", "take what somebody else has added"):
        found = conn.execute(statement("declared/sealing/data_key"), {"tenant": organization_id}).fetchone()
        if found is not None:
            return DataKey(found[0], organization_id, found[1], found[2])
        if attempt == "add":
            made = vault.new_data_key(organization_id)
            row = {"id": made.id, "tenant": organization_id, "kek": made.kek_id, "wrapped": made.wrapped}
            conn.execute(statement("declared/sealing/add_data_key"), row)
    raise LookupError(f"organization {organization_id} is not there any more")


def _of(owner: Owner, name: str) -> sql.Composed:
    return sql.SQL(statement(f"declared/sealing/{name}")).format(owner=owner.column)
