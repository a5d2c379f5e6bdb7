"""The vault: what goes in comes out, at its place, with its key, and nowhere else; nothing shows a value."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import hmac
import json
import os
import traceback
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from controller.vault import envelope
from controller.vault.envelope import BrokenSealError
from controller.vault.keyring import Key, Keyring, generate
from controller.vault.sealed import DataKey, Place, Sealed
from controller.vault.vault import ConfigUnreadable, KeyUnavailable, Vault

KEY = envelope.new_key()
PLACE = Place("o", "environment", "e", "v", "NAME", 3)
OTHER_PLACES = [
    dataclasses.replace(PLACE, organization_id="p"),
    dataclasses.replace(PLACE, layer="app"),
    dataclasses.replace(PLACE, owner_id="f"),
    dataclasses.replace(PLACE, id="w"),
    dataclasses.replace(PLACE, name="OTHER"),
    dataclasses.replace(PLACE, version=2),
    Place("o", "environment", "e", "vN", "AME", 3),
]
SECRET = "a secret of the panel"


@pytest.fixture
def vault() -> Vault:
    return Vault(Keyring(text=generate()), SECRET)


def of_the_panel(key: bytes, value: bytes) -> bytes:
    """As ``api/lib/crypto.ts`` writes it."""
    iv = os.urandom(12)
    both = AESGCM(key).encrypt(iv, value, None)
    parts = {"iv": iv, "tag": both[-16:], "ciphertext": both[:-16]}
    return base64.b64encode(json.dumps({k: base64.b64encode(v).decode() for k, v in parts.items()}).encode())


@given(st.binary(max_size=300))
def test_any_bytes_come_back_and_every_ciphertext_is_another(value: bytes) -> None:
    one, two = (envelope.seal(KEY, value, PLACE.bound) for _ in range(2))
    assert one != two
    assert envelope.unseal(KEY, one, PLACE.bound) == envelope.unseal(KEY, two, PLACE.bound) == value
    assert len(one) == len(value) + envelope.OVERHEAD


@given(st.binary(max_size=40), st.data())
def test_a_bit_that_flipped_and_a_byte_that_lacks_are_refused(value: bytes, data: st.DataObject) -> None:
    sealed = envelope.seal(KEY, value, PLACE.bound)
    at = data.draw(st.integers(0, len(sealed) * 8 - 1))
    flipped = bytearray(sealed)
    flipped[at // 8] ^= 1 << at % 8
    cut = sealed[: data.draw(st.integers(0, len(sealed) - 1))]
    for wrong in (bytes(flipped), cut, sealed + b"\0"):
        with pytest.raises(BrokenSealError):
            envelope.unseal(KEY, wrong, PLACE.bound)


@pytest.mark.parametrize("place", OTHER_PLACES)
def test_a_ciphertext_opens_at_its_place_alone(vault: Vault, place: Place) -> None:
    key = vault.new_data_key("o")
    sealed = vault.seal(key, PLACE, b"value")
    assert vault.open(sealed, key) == b"value"
    with pytest.raises(ConfigUnreadable, match=place.name):
        vault.open(dataclasses.replace(sealed, place=place), key)


def test_a_data_key_opens_for_its_organization_and_under_its_own_id_alone(vault: Vault) -> None:
    key = vault.new_data_key("o")
    sealed = vault.seal(key, PLACE, b"value")
    for other in (dataclasses.replace(key, organization_id="p"), dataclasses.replace(key, wrapped=key.wrapped[:-1])):
        with pytest.raises(ConfigUnreadable):
            vault.open(sealed, other)
    moved = dataclasses.replace(key, id="another")
    with pytest.raises(ConfigUnreadable):
        vault.open(dataclasses.replace(sealed, key_id="dek:another"), moved)
    for other_key in (None, vault.new_data_key("o")):
        with pytest.raises(ConfigUnreadable, match="has no key"):
            vault.open(sealed, other_key)
    with pytest.raises(ValueError, match="another organization"):
        vault.seal(vault.new_data_key("p"), PLACE, b"value")


def test_a_data_key_under_another_key_opens_what_it_sealed_before() -> None:
    old, new = generate(), generate()
    before = Vault(Keyring(text=old))
    key = before.new_data_key("o")
    sealed = before.seal(key, PLACE, b"value")
    again = Vault(Keyring(text=f"{new}\n{old}")).rewrapped(key)
    assert (again.id, again.kek_id) == (key.id, Key.of(base64.b64decode(new)).id)
    assert Vault(Keyring(text=new)).open(sealed, again) == b"value"
    with pytest.raises(KeyUnavailable, match=f"{again.kek_id}.*organization o.*SKYPANEL_KEY_FILE"):
        before.open(sealed, again)


def test_without_a_key_nothing_is_sealed_and_the_way_to_one_is_said() -> None:
    with pytest.raises(KeyUnavailable, match="skypanel keys generate"):
        Vault().new_data_key("o")


@given(st.binary(max_size=60))
def test_what_the_panel_sealed_is_opened(value: bytes) -> None:
    vault = Vault(panel_secret=SECRET)
    whole = of_the_panel(hashlib.sha256(SECRET.encode()).digest(), value)
    own = of_the_panel(hmac.digest(SECRET.encode(), b"o", "sha256"), value)
    assert vault.open(Sealed(PLACE, "panel", whole), None) == value
    assert vault.open(Sealed(PLACE, "panel-org", own), None) == value
    for form, text in (("panel", own), ("panel-org", whole)):
        with pytest.raises(ConfigUnreadable, match="SSH_CRED_SECRET"):
            vault.open(Sealed(PLACE, form, text), None)


@given(st.binary(max_size=80) | st.sampled_from([b"plaintext", b"e30=", b"W10=", base64.b64encode(b'{"iv":1}')]))
def test_what_does_not_parse_is_never_taken_for_the_value(text: bytes) -> None:
    with pytest.raises(ConfigUnreadable):
        Vault(panel_secret=SECRET).open(Sealed(PLACE, "panel", text), None)


@pytest.mark.parametrize("secret", ["", "short"])
def test_a_secret_that_the_panel_does_not_use_opens_nothing(secret: str) -> None:
    sealed = Sealed(PLACE, "panel", of_the_panel(hashlib.sha256(secret.encode()).digest(), b"value"))
    with pytest.raises(KeyUnavailable, match="SSH_CRED_SECRET"):
        Vault(panel_secret=secret).open(sealed, None)


def test_no_value_no_key_and_no_ciphertext_is_in_any_text(vault: Vault) -> None:
    line = generate()
    ring = Keyring(text=line)
    key = vault.new_data_key("o")
    sealed = vault.seal(key, PLACE, b"planted-value")
    secrets: list[Any] = [line, base64.b64decode(line), SECRET, b"planted-value", sealed.ciphertext, key.wrapped]
    shown = [repr(x) for x in (key, sealed, PLACE, vault, ring, *ring, *vault.keyring, dataclasses.replace(sealed))]
    attempts: tuple[Callable[[], bytes], ...] = (
        lambda: Vault(ring).open(sealed, key),
        lambda: vault.open(dataclasses.replace(sealed, place=OTHER_PLACES[0]), key),
        lambda: vault.open(dataclasses.replace(sealed, key_id="panel"), key),
        lambda: vault.open(sealed, DataKey(key.id, "o", key.kek_id, b"wrong")),
    )
    for attempt in attempts:
        try:
            attempt()
        except (KeyUnavailable, ConfigUnreadable) as error:
            shown.append("".join(traceback.format_exception(error)))
        else:
            pytest.fail("it was opened")
    for secret in secrets:
        for text in shown:
            assert repr(secret)[2:-1] not in text
