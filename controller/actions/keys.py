"""Keys of config vars: which this process has and which are needed, and a rotation to the current one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from uuid import UUID

import psycopg

from controller.declared.outlast import outlasting
from controller.postgres.statements import statement
from controller.vault.keyring import Keyring
from controller.vault.sealed import DataKey
from controller.vault.vault import ConfigUnreadable, KeyUnavailable, Vault

State = Literal["current", "old", "missing"]
_BEFORE_ALL = str(UUID(int=0))


@dataclass(frozen=True, slots=True)
class KeyState:
    """A key-encryption key.

    Args:
        id: of it.
        state: ``current``: new data keys are under it; ``old``: it only opens; ``missing``: this process has it not.
        organizations: whose data keys are under it.
    """

    id: str
    state: State
    organizations: int


@dataclass(frozen=True, slots=True)
class Rotation:
    """What a rotation did.

    Args:
        key: what the data keys are under now.
        rewrapped: how many were under another one.
        left: those that could not be opened: keys that are missing, and what is wrong with single data keys.
    """

    key: str
    rewrapped: int
    left: tuple[str, ...]


def status(conn: psycopg.Connection, keyring: Keyring) -> list[KeyState]:
    """Every key that is here or needed, the current one first and those that are missing last.

    Raises:
        KeyFileError: the keys cannot be read.
    """
    needed: dict[str, int] = dict(conn.execute(statement("declared/sealing/data_keys")).fetchall())
    here = [key.id for key in keyring]
    states = [KeyState(key, "old" if number else "current", needed.pop(key, 0)) for number, key in enumerate(here)]
    return [*states, *(KeyState(key, "missing", count) for key, count in sorted(needed.items()))]


def rotate(conn: psycopg.Connection, vault: Vault) -> Rotation:
    """Put every data key under the current key, each in a transaction of its own; config vars stay as they are.

    A run that was cut short is taken up by the next one, and of two at once each data key is one's.

    Raises:
        KeyFileError: the keys cannot be read.
        KeyUnavailable: there is no key at all.
    """
    current = vault.keyring.current()
    if current is None:
        raise KeyUnavailable("there is no key to rotate to: `skypanel keys generate` makes one")
    found = status(conn, vault.keyring)
    others = [state.id for state in found if state.state == "old"]
    left = [f"key {state.id} is missing" for state in found if state.state == "missing"]
    done, after = 0, _BEFORE_ALL
    while rows := conn.execute(
        statement("declared/sealing/data_keys_under_others"), {"keks": others, "after": after}
    ).fetchall():
        for row in rows:
            try:
                done += _rewrap(conn, vault, DataKey(*row))
            except (ConfigUnreadable, KeyUnavailable) as error:
                left.append(str(error))
        after = rows[-1][0]
    return Rotation(current.id, done, tuple(left))


@outlasting
def _rewrap(conn: psycopg.Connection, vault: Vault, key: DataKey) -> int:
    """1; 0 when somebody else has done it since it was read."""
    new = vault.rewrapped(key)
    row = {"id": key.id, "was": key.kek_id, "kek": new.kek_id, "wrapped": new.wrapped}
    return conn.execute(statement("declared/sealing/rewrap"), row).rowcount
