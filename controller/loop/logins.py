"""Users of registries as the store keeps them, opened with the keys of this process."""

from __future__ import annotations

from controller.loop.ports import Store
from controller.vault.vault import ConfigUnreadable, KeyUnavailable, Vault
from reconcilers.logins import Login, Logins
from reconcilers.outcomes import ConflictError, NotReadyError, TerminalError

_AGAIN_SECONDS = 30.0


class StoredLogins(Logins):
    """What is set in the database.

    Args:
        store: has it as ciphertext.
        vault: opens that.
    """

    def __init__(self, store: Store, vault: Vault) -> None:
        self._store = store
        self._vault = vault

    async def of(self, login_id: str, revision: str) -> Login:
        """See ``Logins``."""
        found = await self._store.sealed_login(login_id)
        if found is None or found.revision != revision:
            raise ConflictError("LoginChanged", "the registry's user has changed since it was read; it is read again")
        place = found.place
        try:
            password = self._vault.open_login(found).decode()
        except KeyUnavailable as error:
            raise NotReadyError(
                "KeyUnavailable",
                f"{error}; what runs goes on, and it is tried again by itself",
                retry_after=_AGAIN_SECONDS,
            ) from None
        except ConfigUnreadable as error:
            raise TerminalError("PasswordUnreadable", f"{error}; what runs goes on until then") from None
        except UnicodeDecodeError:
            message = f"{place.words} is no text: set it again; what runs goes on until then"
            raise TerminalError("PasswordUnreadable", message) from None
        return Login(place.registry, place.username, password)
