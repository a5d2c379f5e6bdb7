"""What an API token looks like: ``skp_<id>_<secret><checksum>``, in letters and digits.

The id names its row and is no secret. The secret has 256 bits. The checksum lets programs that look for lost secrets
know one from what merely looks like it, without asking anybody. The database has the SHA-256 of the whole, and nothing
that it could be made from: of so many random bits a slow hash would protect nothing more, and cost each request.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import zlib

PREFIX = "skp_"
ID_LENGTH = 12
_SECRET_LENGTH, _CHECK_LENGTH = 43, 6
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_FORM = re.compile(
    rf"{PREFIX}[0-9A-Za-z]{{{ID_LENGTH}}}_[0-9A-Za-z]{{{_SECRET_LENGTH}}}(?P<check>[0-9A-Za-z]{{{_CHECK_LENGTH}}})"
)
FORM = f"{PREFIX}[0-9A-Za-z]{{{ID_LENGTH}}}_[0-9A-Za-z]{{{_SECRET_LENGTH + _CHECK_LENGTH}}}"
"""As a regular expression, for programs that look for lost ones."""


def new_id() -> str:
    """A new token's id."""
    return "".join(secrets.choice(_DIGITS) for _ in range(ID_LENGTH))


def new_token(token_id: str) -> str:
    """A new token of this id; nobody can make it again."""
    body = f"{PREFIX}{token_id}_{_in_digits(secrets.randbits(256), _SECRET_LENGTH)}"
    return body + _checksum(body)


def is_token(text: str) -> bool:
    """Whether it has the form, and its checksum is right; nothing is said about whether it is good for anything."""
    found = _FORM.fullmatch(text)
    return found is not None and secrets.compare_digest(_checksum(text[:-_CHECK_LENGTH]), found["check"])


def hash_of(token: str) -> bytes:
    """What the database knows it by: 32 bytes."""
    return hashlib.sha256(token.encode("ascii")).digest()


def _checksum(body: str) -> str:
    return _in_digits(zlib.crc32(body.encode("ascii")), _CHECK_LENGTH)


def _in_digits(number: int, length: int) -> str:
    found = []
    for _ in range(length):
        number, digit = divmod(number, len(_DIGITS))
        found.append(_DIGITS[digit])
    assert number == 0
    return "".join(reversed(found))
