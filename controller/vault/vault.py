"""The vault: seals values under the data key of their organization, and opens what this process has the keys of.

It knows no database: rows are given to it. What cannot be opened is said by the name of the variable or the id of the
key, never with a value.
"""

from __future__ import annotations

from uuid import uuid4

from controller.kit.expected import ExpectedError
from controller.vault import envelope, panel
from controller.vault.envelope import BrokenSealError
from controller.vault.keyring import FILE_VARIABLE, VARIABLE, Key, KeyFileError, Keyring
from controller.vault.sealed import (
    DATA_KEY,
    Bound,
    DataKey,
    Place,
    Seal,
    Sealed,
    SealedHook,
    SealedIdentities,
    SealedLogin,
    SealedPassword,
    SealedToken,
)


class KeyUnavailable(ExpectedError):  # noqa: N818 - the reason that a status gives
    """No key that this process has opens it; says which, whose values it opens, and how to mend it."""


class ConfigUnreadable(ExpectedError):  # noqa: N818 - the reason that a status gives
    """A ciphertext is not what was sealed for its place; says which, and how to mend it."""


class Vault:
    """What this process can seal and open.

    Args:
        keyring: its key-encryption keys.
        panel_secret: ``SSH_CRED_SECRET`` of the panel; empty: its values cannot be opened.
    """

    def __init__(self, keyring: Keyring | None = None, panel_secret: str = "") -> None:
        self.keyring = keyring or Keyring()
        self._panel_secret = panel_secret

    @property
    def opens_the_panels(self) -> bool:
        """Whether it can open what the panel sealed, if its secret is the right one."""
        return len(self._panel_secret) >= panel.SHORTEST_SECRET

    # -- data keys -----------------------------------------------------------------------------------------------

    def new_data_key(self, organization_id: str) -> DataKey:
        """A data key for an organization that has none, under the current key.

        Raises:
            KeyUnavailable: this process has no key at all.
        """
        return self._wrapped(str(uuid4()), organization_id, envelope.new_key())

    def rewrapped(self, key: DataKey) -> DataKey:
        """The same data key under the current key.

        Raises:
            KeyUnavailable: the key that it is under now is not here.
            ConfigUnreadable: it is not what it should be.
        """
        return self._wrapped(key.id, key.organization_id, self._unwrapped(key))

    def _wrapped(self, key_id: str, organization_id: str, secret: bytes) -> DataKey:
        current = self._current(organization_id)
        bare = DataKey(key_id, organization_id, current.id, b"")
        return DataKey(key_id, organization_id, current.id, envelope.seal(current.secret, secret, bare.bound))

    def _current(self, organization_id: str) -> Key:
        try:
            current = self.keyring.current()
        except KeyFileError as error:
            raise KeyUnavailable(f"{error}; needed for organization {organization_id}") from None
        if current is None:
            raise KeyUnavailable(
                f"there is no key to seal values of organization {organization_id} with: set {VARIABLE} or "
                f"{FILE_VARIABLE} as the controller has them; for a new installation `skypanel keys generate` makes one"
            )
        return current

    def _unwrapped(self, key: DataKey) -> bytes:
        try:
            found = self.keyring.find(key.kek_id)
        except KeyFileError as error:
            raise KeyUnavailable(f"{error}; needed for organization {key.organization_id}") from None
        if found is None:
            raise KeyUnavailable(
                f"key {key.kek_id}, which opens the values of organization {key.organization_id}, is not in "
                f"{FILE_VARIABLE} or {VARIABLE}: add its line there"
            )
        try:
            return envelope.unseal(found.secret, key.wrapped, key.bound)
        except BrokenSealError:
            raise ConfigUnreadable(
                f"the data key {key.id} of organization {key.organization_id} is not what key {key.kek_id} sealed: "
                "correct its row of skypanel.data_keys from a backup",
            ) from None

    # -- values --------------------------------------------------------------------------------------------------

    def seal(self, key: DataKey, place: Place, value: bytes, *, as_file: bool = False) -> Sealed:
        """``value``, for the row that ``place`` names.

        Raises:
            ValueError: the data key is another organization's.
            KeyUnavailable: its key is not here.
            ConfigUnreadable: the data key is not what it should be.
        """
        return Sealed(place, *self.sealed(key, place, value), as_file)

    def sealed(self, key: DataKey, place: Bound, value: bytes) -> tuple[str, bytes]:
        """What opens it, and ``value`` as it is kept at any ``place``; raises as ``seal``."""
        if key.organization_id != place.organization_id:
            raise ValueError("the data key of another organization")
        return f"{DATA_KEY}{key.id}", envelope.seal(self._unwrapped(key), value, place.bound)

    def holds(self, key: DataKey, place: Bound, seal: Seal, value: bytes) -> bool:
        """Whether ``value`` is what ``seal`` is of, which is not opened for that.

        Raises:
            KeyUnavailable, ConfigUnreadable: as of ``seal``.
        """
        if seal.key_id != f"{DATA_KEY}{key.id}" or key.organization_id != place.organization_id:
            return False
        return envelope.is_of(self._unwrapped(key), seal.head, seal.digest, value, place.bound)

    def open(self, sealed: Sealed, key: DataKey | None) -> bytes:
        """The value.

        Args:
            sealed: as it is kept.
            key: data key of its organization; None: it has none.

        Raises:
            KeyUnavailable: a key is missing; says which, whose, and how to mend it.
            ConfigUnreadable: it is not what was sealed for this place; says which variable.
        """
        return self._of_anybody(sealed.place, sealed.key_id, sealed.ciphertext, key, of=f"{sealed.place.layer}, name")

    def open_login(self, sealed: SealedLogin) -> bytes:
        """The password; raises as ``open``."""
        place, key = sealed.place, sealed.data_key
        return self._of_anybody(place, sealed.key_id, sealed.ciphertext, key, of="registry, user")

    def open_password(self, sealed: SealedPassword) -> bytes:
        """The password of a source; raises as ``open``."""
        return self._opened(sealed.place, sealed.key_id, sealed.ciphertext, sealed.data_key, of="repository, user")

    def open_identities(self, sealed: SealedIdentities) -> bytes:
        """The age identities of a source; raises as ``open``."""
        return self._opened(sealed.place, sealed.key_id, sealed.ciphertext, sealed.data_key, of="row")

    def open_hook(self, sealed: SealedHook) -> bytes:
        """The secret of a webhook; raises as ``open``."""
        return self._opened(sealed.place, sealed.key_id, sealed.ciphertext, sealed.data_key, of="source, row")

    def open_token(self, sealed: SealedToken) -> bytes:
        """The token of a forge; raises as ``open``."""
        return self._opened(
            sealed.place, sealed.key_id, sealed.ciphertext, sealed.data_key, of="repository, forge, row"
        )

    def _of_anybody(self, place: Bound, key_id: str, ciphertext: bytes, key: DataKey | None, *, of: str) -> bytes:
        """Of what the panel may have sealed as well. Its form is bound to no place, so whoever writes the row may have
        any secret of the panel's opened: nothing that is then sent where the row says is opened by this, but passwords
        of registries, which panels sealed before there was another form.
        """
        if key_id not in panel.FORMS:
            return self._opened(place, key_id, ciphertext, key, of=of)
        try:
            return panel.unseal(key_id, self._secret_of_the_panel(place), place.organization_id, ciphertext)
        except BrokenSealError:
            why = f"its ciphertext is not what was sealed for this {of} and version"
            raise _unreadable(place, f"{why} or was written with another SSH_CRED_SECRET") from None

    def _opened(self, place: Bound, key_id: str, ciphertext: bytes, key: DataKey | None, *, of: str) -> bytes:
        if key is None or key_id != f"{DATA_KEY}{key.id}":
            raise _unreadable(place, f"its organization has no key {key_id[:50]!r}")
        try:
            return envelope.unseal(self._unwrapped(key), ciphertext, place.bound)
        except BrokenSealError:
            raise _unreadable(place, f"its ciphertext is not what was sealed for this {of} and version") from None

    def _secret_of_the_panel(self, place: Bound) -> str:
        if not self.opens_the_panels:
            raise KeyUnavailable(
                f"the panel sealed {place.words}: set SSH_CRED_SECRET as the "
                f"panel has it, which is no secret with less than {panel.SHORTEST_SECRET} characters"
            )
        return self._panel_secret


def _unreadable(place: Bound, why: str) -> ConfigUnreadable:
    return ConfigUnreadable(f"{place.words} cannot be opened: {why}; set it again")
