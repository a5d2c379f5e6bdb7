"""Sealing: AES-256-GCM-SIV, bound to a place. Bytes in, bytes out; errors say nothing of either.

What is sealed is a byte that says the form, 12 random bytes as the nonce, the ciphertext, and its tag of 16 bytes.
"""

from __future__ import annotations

import hashlib
import hmac
import os

FORMAT = b"\x01"
KEY_BYTES = 32
_NONCE_BYTES = 12
_TAG_BYTES = 16
HEAD_BYTES = len(FORMAT) + _NONCE_BYTES
OVERHEAD = len(FORMAT) + _NONCE_BYTES + _TAG_BYTES
"""So many bytes more than its value a ciphertext has."""


class BrokenSealError(Exception):
    """It was not sealed with this key for this place, or is not what it was."""


def new_key() -> bytes:
    """A key, at random."""
    return os.urandom(KEY_BYTES)


def seal(key: bytes, value: bytes, bound: bytes) -> bytes:
    """``value``, for whoever has ``key`` and finds it where ``bound`` says."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV  # noqa: PLC0415 - most commands seal nothing

    nonce = os.urandom(_NONCE_BYTES)
    return FORMAT + nonce + AESGCMSIV(key).encrypt(nonce, value, bound)


def is_of(key: bytes, head: bytes, digest: bytes, value: bytes, bound: bytes) -> bool:
    """Whether what begins with ``head`` and has this SHA-256 is ``value``, sealed with ``key`` for this place.

    The cipher gives the same bytes for the same nonce: that alone tells nobody anything who has no key.
    """
    from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV  # noqa: PLC0415 - most commands seal nothing

    if len(head) != HEAD_BYTES or not head.startswith(FORMAT):
        return False
    again = head + AESGCMSIV(key).encrypt(head[len(FORMAT) :], value, bound)
    return hmac.compare_digest(hashlib.sha256(again).digest(), digest)


def unseal(key: bytes, sealed: bytes, bound: bytes) -> bytes:
    """The value.

    Raises:
        BrokenSealError: another key, another place, or other bytes.
    """
    from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - most commands open nothing
    from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV  # noqa: PLC0415 - as above

    if not sealed.startswith(FORMAT) or len(sealed) < OVERHEAD:
        raise BrokenSealError
    nonce, text = sealed[len(FORMAT) :][:_NONCE_BYTES], sealed[len(FORMAT) + _NONCE_BYTES :]
    try:
        return AESGCMSIV(key).decrypt(nonce, text, bound)
    except InvalidTag:
        raise BrokenSealError from None
