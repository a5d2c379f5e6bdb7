"""What is kept of values and keys: ciphertext, and what it is bound to. None of it shows itself."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Protocol

from specs.config import Layer

DATA_KEY = "dek:"
"""``key_id`` of a value that is sealed under a data key; the id of that follows."""
LARGEST_SET = 1 << 20
"""Bytes; what can be delivered is well within it in every form."""
LARGEST_NAMED = 3


class Bound(Protocol):
    """Where something sealed stands, and how a message names it."""

    @property
    def organization_id(self) -> str:
        """Whose it is."""

    @property
    def bound(self) -> bytes:
        """As the cipher is given it."""

    @property
    def words(self) -> str:
        """What it is, for people."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands, which its ciphertext is bound to.

    Args:
        organization_id: whose it is.
        layer: of what it is set for.
        owner_id: id of the organization, app or environment that it is set for.
        id: of its row.
        name: of the variable.
        version: of the row that has the ciphertext.
    """

    organization_id: str
    layer: Layer
    owner_id: str
    id: str
    name: str
    version: int

    @property
    def bound(self) -> bytes:
        """As the cipher is given it."""
        return listed(
            "skypanel config var",
            self.organization_id,
            self.layer,
            self.owner_id,
            self.id,
            self.name,
            self.version,
        )

    @property
    def words(self) -> str:
        """What it is, for people."""
        return f"the config var {self.name} of the {self.layer} {self.owner_id}"


@dataclass(frozen=True, slots=True)
class LoginPlace:
    """Where the password of a registry's user stands.

    Args:
        organization_id: whose it is.
        id: of its row.
        registry: as the row has it.
        username: as the row has it.
        version: of the row that has the ciphertext.
    """

    organization_id: str
    id: str
    registry: str
    username: str
    version: int

    @property
    def bound(self) -> bytes:
        """As the cipher is given it."""
        return listed(
            "skypanel registry password", self.organization_id, self.id, self.registry, self.username, self.version
        )

    @property
    def words(self) -> str:
        """What it is, for people."""
        return f"the password of {self.username} for {self.registry} of organization {self.organization_id}"


@dataclass(frozen=True, slots=True)
class SourcePlace:
    """Where the password of a source stands.

    Args:
        organization_id: whose it is.
        id: of its row.
        repository: address, as the row has it: the password is sent nowhere else.
        username: as the row has it.
        version: of the row that has the ciphertext.
    """

    organization_id: str
    id: str
    repository: str
    username: str
    version: int

    @property
    def bound(self) -> bytes:
        """As the cipher is given it."""
        return listed(
            "skypanel source password", self.organization_id, self.id, self.repository, self.username, self.version
        )

    @property
    def words(self) -> str:
        """What it is, for people."""
        return f"the password of {self.username} for {self.repository} of organization {self.organization_id}"


@dataclass(frozen=True, slots=True)
class HookPlace:
    """Where the secret of a source's webhook stands.

    Args:
        organization_id: whose it is.
        source_id: which source it wakes.
        id: of its row, which is a new one for each secret.
    """

    organization_id: str
    source_id: str
    id: str

    @property
    def bound(self) -> bytes:
        """As the cipher is given it."""
        return listed("skypanel webhook secret", self.organization_id, self.source_id, self.id)

    @property
    def words(self) -> str:
        """What it is, for people."""
        return f"the secret {self.id} of the webhook of the source {self.source_id}"


@dataclass(frozen=True, slots=True)
class ForgePlace:
    """Where the token stands that a forge shows a source's statuses for.

    Args:
        organization_id: whose it is.
        source_id: of which source.
        id: of its row, which is a new one for each token.
        repository: address, as the source's row has it.
        forge: which sort.
        api: where its API is: the token is sent nowhere else.
    """

    organization_id: str
    source_id: str
    id: str
    repository: str
    forge: str
    api: str

    @property
    def bound(self) -> bytes:
        """As the cipher is given it."""
        return listed(
            "skypanel forge token", self.organization_id, self.source_id, self.id, self.repository, self.forge, self.api
        )

    @property
    def words(self) -> str:
        """What it is, for people."""
        return f"the token for {self.api} of the source with {self.repository}"


@dataclass(frozen=True, slots=True)
class IdentitiesPlace:
    """Where the age identities of a source stand.

    Args:
        organization_id: whose it is.
        id: of its row.
        version: of the identities in the row that has the ciphertext.
    """

    organization_id: str
    id: str
    version: int

    @property
    def bound(self) -> bytes:
        """As the cipher is given it."""
        return listed("skypanel source identities", self.organization_id, self.id, self.version)

    @property
    def words(self) -> str:
        """What it is, for people."""
        return f"the age key of the source {self.id} of organization {self.organization_id}"


@dataclass(frozen=True, slots=True)
class DataKey:
    """A row of ``skypanel.data_keys``.

    Args:
        id: of the row.
        organization_id: whose values it seals.
        kek_id: which key opens it.
        wrapped: the key, sealed under that.
    """

    id: str
    organization_id: str
    kek_id: str
    wrapped: bytes = field(repr=False)

    @property
    def bound(self) -> bytes:
        """As the cipher is given it."""
        return listed("skypanel data key", self.organization_id, self.id)


@dataclass(frozen=True, slots=True)
class Sealed:
    """A value as it is kept.

    Args:
        place: where it stands.
        key_id: what opens it: ``dek:<id of a data key>``, ``panel`` or ``panel-org``.
        ciphertext: the value, sealed.
        as_file: whether tasks get it as a file.
    """

    place: Place
    key_id: str
    ciphertext: bytes = field(repr=False)
    as_file: bool = False


@dataclass(frozen=True, slots=True)
class Seal:
    """A config var that is set, as far as it can be told whether a value is the one that it has.

    Args:
        id: of its row.
        version: of the row.
        as_file: whether tasks get it as a file.
        key_id: what opens it.
        head: what its ciphertext begins with: form and nonce.
        digest: SHA-256 of its ciphertext.
    """

    id: str
    version: int
    as_file: bool
    key_id: str
    head: bytes = field(repr=False)
    digest: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class SealedSet:
    """All that is set for an environment, as long as it is no more than ``LARGEST_SET`` bytes of ciphertext.

    Args:
        digest: of the versions, as the environment's document has it; None: nothing is set.
        values: by name.
        data_key: of its organization; None: it has none.
        too_large: names of the largest when there is more than that; then there are no values.
        missing: names whose values are not kept any more; then there are no values.
    """

    digest: str | None
    values: tuple[Sealed, ...] = ()
    data_key: DataKey | None = None
    too_large: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SealedPassword:
    """The password of a source as it is kept; arguments as of ``SealedLogin``."""

    place: SourcePlace
    revision: str
    key_id: str
    ciphertext: bytes = field(repr=False)
    data_key: DataKey | None = None


@dataclass(frozen=True, slots=True)
class SealedHook:
    """The secret of a source's webhook as it is kept; arguments as of ``SealedLogin``."""

    place: HookPlace
    key_id: str
    ciphertext: bytes = field(repr=False)
    data_key: DataKey | None = None


@dataclass(frozen=True, slots=True)
class SealedToken:
    """The token of a forge as it is kept; arguments as of ``SealedLogin``."""

    place: ForgePlace
    key_id: str
    ciphertext: bytes = field(repr=False)
    data_key: DataKey | None = None


@dataclass(frozen=True, slots=True)
class SealedIdentities:
    """The age identities of a source as they are kept; arguments as of ``SealedLogin``."""

    place: IdentitiesPlace
    key_id: str
    ciphertext: bytes = field(repr=False)
    data_key: DataKey | None = None


@dataclass(frozen=True, slots=True)
class SealedLogin:
    """The password of a registry's user as it is kept.

    Args:
        place: where it stands.
        revision: of the row.
        key_id: as of ``Sealed``.
        ciphertext: the password, sealed.
        data_key: of its organization; None: it has none.
    """

    place: LoginPlace
    revision: str
    key_id: str
    ciphertext: bytes = field(repr=False)
    data_key: DataKey | None = None


def listed(*parts: str | int) -> bytes:
    """A list that is other bytes for every other list: a JSON array without spaces."""
    return json.dumps(parts, separators=(",", ":")).encode("ascii")
