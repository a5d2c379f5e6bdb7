"""Config vars of the simulated database: rows of an environment alone, sealed by the real vault under a key of its own.

Expected flow, at one moment::

    config = put(database, environment, organization_id, {"A": b"x"}, files=("B",))
    database.put(environment, organization_id, {**document, "config": config})
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any
from uuid import UUID

from controller.records import Key
from controller.vault.keyring import Keyring
from controller.vault.sealed import LARGEST_NAMED, LARGEST_SET, DataKey, Place, Sealed, SealedSet
from controller.vault.vault import Vault

if TYPE_CHECKING:
    from tests.sim.database.database import SimDatabase

KEYS = base64.b64encode(b"a key of the simulator, 32 bytes").decode()
VAULT = Vault(Keyring(text=KEYS))
"""What simulated processes open values with."""


def put(
    database: SimDatabase,
    environment: Key,
    organization_id: str,
    values: Mapping[str, bytes],
    *,
    files: Collection[str] = (),
) -> dict[str, Any] | None:
    """Have exactly these set; what the environment's document says of them. The same value keeps its version."""
    before = database.sealed.get(environment.id, SealedSet(None))
    key = before.data_key or data_key_of(database, organization_id)
    known = {sealed.place.name: sealed for sealed in before.values}
    rows = []
    for name, value in sorted(values.items()):
        row, version = known.get(name), 1
        if row is not None:
            version = row.place.version + (VAULT.open(row, key) != value)
        row_id = row.place.id if row else str(UUID(int=next(database.sealed_numbers)))
        place = Place(organization_id, "environment", environment.id, row_id, name, version)
        rows.append(VAULT.seal(key, place, value, as_file=name in files))
    database.sealed[environment.id] = SealedSet(_digest(rows), tuple(rows), key)
    if not rows:
        return None
    database.sealed_before[environment.id, _digest(rows) or ""] = database.sealed[environment.id]
    return {"digest": _digest(rows), "variables": len(rows), "files": [r.place.name for r in rows if r.as_file]}


def values(database: SimDatabase, environment_id: str, digest: str) -> SealedSet:
    """What the store answers: what is set, or what a release with another digest has."""
    found = database.sealed.get(environment_id, SealedSet(None))
    if found.digest != digest and any(
        each.content.config == digest for each in database.releases.get(environment_id, ())
    ):
        found = database.sealed_before[environment_id, digest]
    if not found.values or Key("environment", environment_id) not in database.objects:
        return SealedSet(None)
    if sum(len(row.ciphertext) for row in found.values) <= LARGEST_SET:
        return found
    largest = sorted(found.values, key=lambda row: (-len(row.ciphertext), row.place.name))[:LARGEST_NAMED]
    return SealedSet(found.digest, too_large=tuple(row.place.name for row in largest))


def data_key_of(database: SimDatabase, organization_id: str) -> DataKey:
    keys = [*(s.data_key for s in database.sealed.values()), *(s.data_key for s in database.logins.values())]
    own = next((key for key in keys if key is not None and key.organization_id == organization_id), None)
    return own or VAULT.new_data_key(organization_id)


def _digest(rows: list[Sealed]) -> str | None:
    """As ``skypanel.snapshot_environment`` makes it."""
    said = (
        f"{row.place.name},{row.place.id},{row.place.version},{'t' if row.as_file else 'f'}"
        for row in sorted(rows, key=lambda row: row.place.name)
    )
    return hashlib.md5(";".join(said).encode(), usedforsecurity=False).hexdigest() if rows else None
