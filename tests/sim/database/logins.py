"""Users of registries of the simulated database, sealed by the real vault under a key of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from controller.records import Key
from controller.vault.sealed import LoginPlace, SealedLogin
from tests.sim.database.config import VAULT, data_key_of

if TYPE_CHECKING:
    from tests.sim.database.database import SimDatabase


def put(
    database: SimDatabase, key: Key, organization_id: str, registry: str, username: str, password: str
) -> dict[str, Any]:
    """Have this password set for the row; what its document says of it, and has beside ``sealed`` and ``registry``."""
    before = database.logins.get(key.id)
    version = before.place.version + 1 if before else 1
    revision = str(UUID(int=next(database.sealed_numbers)))
    place = LoginPlace(organization_id, key.id, registry, username, version)
    data_key = data_key_of(database, organization_id)
    database.logins[key.id] = SealedLogin(place, revision, *VAULT.sealed(data_key, place, password.encode()), data_key)
    return {"registry": registry, "id": key.id, "revision": revision}


def found(database: SimDatabase, login_id: str) -> SealedLogin | None:
    """What the store answers."""
    return database.logins.get(login_id) if Key("registry", login_id) in database.objects else None
