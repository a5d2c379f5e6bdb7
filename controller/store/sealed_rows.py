"""What is sealed, as rows give it: ciphertext with its place, and the data key of the organization."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from controller.vault.sealed import LARGEST_NAMED, DataKey, LoginPlace, Place, Sealed, SealedLogin, SealedSet


def sealed_set(rows: Sequence[Sequence[Any]]) -> SealedSet:
    """The set of the rows of ``store/loop/config_values`` and ``release_values``."""
    if not rows:
        return SealedSet(None)
    digest, names = rows[0][1], tuple(row[3] for row in rows)
    if missing := tuple(row[3] for row in rows if row[2] is None):
        return SealedSet(digest, missing=missing)
    if rows[0][9] is None:
        return SealedSet(digest, too_large=names[:LARGEST_NAMED])
    values = []
    for organization, _, row_id, name, layer, owner, version, as_file, key_id, ciphertext, *_ in rows:
        place = Place(organization, layer, owner, row_id, name, version)
        values.append(Sealed(place, key_id, ciphertext, as_file))
    organization, (key, kek, wrapped) = rows[0][0], rows[0][10:]
    return SealedSet(digest, tuple(values), None if key is None else DataKey(key, organization, kek, wrapped))


def sealed_login(row: Sequence[Any]) -> SealedLogin:
    """The one of the row of ``store/loop/sealed_login``."""
    organization, row_id, registry, username, version, revision, key_id, ciphertext, key, kek, wrapped = row
    data_key = None if key is None else DataKey(key, organization, kek, wrapped)
    place = LoginPlace(organization, row_id, registry, username, version)
    return SealedLogin(place, revision, key_id, ciphertext, data_key)
