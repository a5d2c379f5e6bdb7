"""The panel's own ciphertext: base64 of ``{"iv", "tag", "ciphertext"}``, each base64; AES-256-GCM, bound to nothing.

``panel`` is under SHA-256 of its ``SSH_CRED_SECRET``, ``panel-org`` under HMAC-SHA256 of the organization's id with
that as the key. The panel takes what does not parse for plaintext, and a short secret for none: here neither is opened.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json

from controller.vault.envelope import BrokenSealError

FORMS = ("panel", "panel-org")
SHORTEST_SECRET = 16
_IV_BYTES, _TAG_BYTES = 12, 16


def unseal(form: str, secret: str, organization_id: str, sealed: bytes) -> bytes:
    """The value.

    Args:
        form: one of ``FORMS``.
        secret: ``SSH_CRED_SECRET`` of the panel.
        organization_id: whose value it is.
        sealed: as the panel wrote it.

    Raises:
        BrokenSealError: another secret, or not of this form.
    """
    from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - most commands open nothing
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - as above

    given = secret.encode()
    of_organization = hmac.digest(given, organization_id.encode(), "sha256")
    key = hashlib.sha256(given).digest() if form == "panel" else of_organization
    try:
        parts = json.loads(base64.b64decode(sealed.strip(), validate=True))
        iv, tag, text = (base64.b64decode(parts[name], validate=True) for name in ("iv", "tag", "ciphertext"))
    except (ValueError, TypeError, KeyError, RecursionError):
        raise BrokenSealError from None
    if len(iv) != _IV_BYTES or len(tag) != _TAG_BYTES:
        raise BrokenSealError
    try:
        return AESGCM(key).decrypt(iv, text + tag, None)
    except InvalidTag:
        raise BrokenSealError from None
