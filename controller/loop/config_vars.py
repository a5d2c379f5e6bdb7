"""Config vars as the store keeps them, opened with the keys of this process."""

from __future__ import annotations

from collections.abc import Sequence

from controller.loop.ports import Store
from controller.vault.vault import ConfigUnreadable, KeyUnavailable, Vault
from reconcilers.config_vars import ConfigValue, ConfigVars
from reconcilers.outcomes import ConflictError, NotReadyError, TerminalError
from specs.config import check_all
from specs.problems import RefusedError

_AGAIN_SECONDS = 30.0


class StoredConfigVars(ConfigVars):
    """What is set in the database.

    Args:
        store: has it as ciphertext.
        vault: opens that.
    """

    def __init__(self, store: Store, vault: Vault) -> None:
        self._store = store
        self._vault = vault

    async def values(self, environment_id: str, digest: str) -> Sequence[ConfigValue]:
        """See ``ConfigVars``."""
        found = await self._store.config_values(environment_id, digest)
        if found.digest != digest:
            raise ConflictError(
                "ConfigChanged", "the config vars have changed since they were read; they are read again"
            )
        if found.missing:
            raise TerminalError(
                "ConfigUnreadable",
                f"{', '.join(found.missing)}: the value that the release had is not kept any more; what runs goes on "
                "until another release is named, or `release` is cleared",
            )
        if found.too_large:
            raise _too_large(
                f"the config vars are more than can be delivered; the largest: {', '.join(found.too_large)}"
            )
        try:
            values = [ConfigValue(v.place.name, self._vault.open(v, found.data_key), v.as_file) for v in found.values]
        except KeyUnavailable as error:
            raise NotReadyError(
                "KeyUnavailable",
                f"{error}; what runs goes on, and it is tried again by itself",
                retry_after=_AGAIN_SECONDS,
            ) from None
        except ConfigUnreadable as error:
            raise TerminalError("ConfigUnreadable", f"{error}; what runs goes on until it is set again") from None
        try:
            check_all({value.name: value.value for value in values})
        except RefusedError as error:
            raise _too_large(f"config vars: {error.message}") from None
        return values


def _too_large(why: str) -> TerminalError:
    return TerminalError("ConfigTooLarge", f"{why}; unset some, or set smaller values: what runs goes on until then")
