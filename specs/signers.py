"""Whose signatures count: lines of SSH's allowed signers, and OpenPGP keys in their armor. Each is read here, whole.

What is made of them later is written anew from what was read: a line has no options but its times, one name, and one
key of a type that is known. So no name can stand for all, and no option can have a certificate count.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from specs.problems import InvalidSpec, Problem, RefusedError, quote

MOST_SIGNERS = 16
LINE_LIMIT = 4096
ARMOR_LIMIT = 16 * 1024
WHOLE_LIMIT = 32 * 1024
"""Characters of all together."""
ARMOR_PATTERN = r"^-----BEGIN PGP PUBLIC KEY BLOCK-----"
_BEGIN, _END = "-----BEGIN PGP PUBLIC KEY BLOCK-----", "-----END PGP PUBLIC KEY BLOCK-----"
_EXPORT = f"`gpg --armor --export-options export-minimal --export KEY`, {ARMOR_LIMIT // 1024} KiB at most"
_PUBLIC_KEY = frozenset((*range(0x98, 0x9C), 0xC6))
"""First octets of a packet with a public key, in both forms."""
_PRIMARY = 6
"""Tag of such a packet; a subkey has another one."""
_NAME = re.compile(r"[A-Za-z0-9._%+@-]{1,255}", re.ASCII)
_OPTION = re.compile(r'(valid-after|valid-before|namespaces)="([^"\\]*)"', re.ASCII)
_TYPES = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "ssh-rsa",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
)
_RSA_BITS = 2048
_MOMENTS = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
_FORM = "ada@example.com ssh-ed25519 AAAAC3..., as in SSH's allowed_signers"


@dataclass(frozen=True, slots=True)
class Signer:
    """One line.

    Args:
        name: who it is.
        kind: of his key.
        key: in base64.
        after, before: when it counts; None: always.
    """

    name: str
    kind: str
    key: str
    after: datetime | None = None
    before: datetime | None = None

    @property
    def fingerprint(self) -> str:
        """As ``ssh-keygen -l`` prints it."""
        return f"SHA256:{base64.b64encode(hashlib.sha256(base64.b64decode(self.key)).digest()).decode().rstrip('=')}"


def signer(line: str) -> Signer:
    """What a line says.

    Raises:
        RefusedError: it is none that counts.
    """
    if len(line) > LINE_LIMIT or not line.isascii() or not line.isprintable():
        raise RefusedError("is not a line of allowed signers", f"one line, {LINE_LIMIT} characters at most: {_FORM}")
    words = line.split()
    if len(words) < 3 or not _NAME.fullmatch(words[0]):
        raise RefusedError(f"{quote(line)} is not a name and a key", _FORM)
    options = {} if words[1] in _TYPES else _options(words.pop(1))
    if len(words) < 3 or words[1] not in _TYPES:
        raise RefusedError(f"{quote(line)} has no key that can be used", f"one of {', '.join(_TYPES)}")
    key = checked_key(words[1], words[2])
    return Signer(words[0], words[1], key, _moment(options, "valid-after"), _moment(options, "valid-before"))


def check_signers(lines: tuple[str, ...]) -> tuple[str, ...]:
    """``lines``, if each is a signer and none has the key of another one."""
    found: dict[str, int] = {}
    for number, line in enumerate(lines):
        try:
            key = signer(line).key
        except RefusedError as error:
            raise InvalidSpec([Problem(str(number), None, error.message, error.hint, (number,))]) from None
        if key in found:
            raise InvalidSpec(
                [Problem(str(number), None, "has the key of an earlier one", "keep one of them", (number,))]
            )
        found[key] = number
    return _few(lines)


def check_armors(blocks: tuple[str, ...]) -> tuple[str, ...]:
    """``blocks``, if each is one OpenPGP public key block in its armor."""
    for number, block in enumerate(blocks):
        text = block.strip()
        inner = text.removeprefix(_BEGIN).removesuffix(_END)
        whole = len(text) == len(inner) + len(_BEGIN) + len(_END)
        usable = text.isascii() and all(c.isprintable() or c in "\r\n\t" for c in text) and len(block) <= ARMOR_LIMIT
        try:
            if not whole or "-----" in inner or not usable:
                raise RefusedError("is not one OpenPGP public key block", _EXPORT)  # noqa: TRY301
            packets(block)
        except RefusedError as error:
            raise InvalidSpec([Problem(str(number), None, error.message, error.hint, (number,))]) from None
    return _few(blocks)


def packets(block: str) -> bytes:
    """What is in the armor of an OpenPGP public key block.

    Raises:
        RefusedError: it is none, or begins with something else than a public key.
    """
    text = block.strip()
    lines = text.removeprefix(_BEGIN).removesuffix(_END).splitlines()[1:]
    while lines and ":" in lines[0]:  # headers: what made it
        lines.pop(0)
    body = "".join(line.strip() for line in lines if not line.startswith("="))
    try:
        found = base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError):
        found = b""
    if not found or found[0] not in _PUBLIC_KEY:
        raise RefusedError("is not one OpenPGP public key block", _EXPORT)
    return found


def fingerprints(block: str) -> frozenset[str]:
    """Of the primary keys in an OpenPGP public key block, as gpg prints them; raises as ``packets``."""
    return frozenset(_fingerprint(body) for tag, body in _walk(packets(block)) if tag == _PRIMARY)


def _fingerprint(body: bytes) -> str:
    if body[:1] == b"\x04":
        return hashlib.sha1(b"\x99" + len(body).to_bytes(2) + body, usedforsecurity=False).hexdigest().upper()
    start = b"\x9a" if body[:1] == b"\x05" else b"\x9b"
    return hashlib.sha256(start + len(body).to_bytes(4) + body).hexdigest().upper()


def _walk(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Tag and body of each packet, up to one that has no plain length: no key has that."""
    at = 0
    while at < len(data) and data[at] & 0x80:
        first, at = data[at], at + 1
        if first & 0x40:
            tag, lead = first & 0x3F, data[at] if at < len(data) else 0xFF
            size = 1 if lead < 192 else 2 if lead < 224 else 5 if lead == 0xFF else 0
            given = data[at : at + size]
            long = ((lead - 192) << 8) + given[-1] + 192 if size == 2 and given else int.from_bytes(given[1:])
            length = lead if size == 1 else long
        else:
            tag, size = first >> 2 & 0x0F, (1, 2, 4, 0)[first & 3]
            length = int.from_bytes(data[at : at + size])
        at += size
        if not size or at + length > len(data):
            return
        yield tag, data[at : at + length]
        at += length


def _few(given: tuple[str, ...]) -> tuple[str, ...]:
    if len(given) > MOST_SIGNERS:
        raise RefusedError(
            f"has more than {MOST_SIGNERS} entries", "put OpenPGP keys into one block, or leave some out"
        )
    if sum(map(len, given)) > WHOLE_LIMIT:
        raise RefusedError(f"has more than {WHOLE_LIMIT // 1024} KiB together", "export keys with export-minimal")
    return given


def _options(said: str) -> dict[str, str]:
    options: dict[str, str] = {}
    rest = said
    while rest:
        found = _OPTION.match(rest)
        if not found or found[1] in options:
            raise RefusedError(f"{quote(said)} cannot stand before a key", 'valid-after="...", valid-before="..." can')
        options[found[1]] = found[2]
        rest = rest[found.end() :]
        if rest:
            if not rest.startswith(",") or len(rest) == 1:
                raise RefusedError(f"{quote(said)} cannot stand before a key", "commas between options, no spaces")
            rest = rest[1:]
    if options.get("namespaces", "git") != "git":
        raise RefusedError(f"{quote(said)} does not count for git", 'namespaces="git", or none')
    return options


def _moment(options: dict[str, str], name: str) -> datetime | None:
    if name not in options:
        return None
    digits = options[name].removesuffix("Z")
    form = _MOMENTS.get(len(digits)) if digits.isdecimal() else None
    try:
        return datetime.strptime(digits, form or "no time").replace(tzinfo=UTC)
    except ValueError:
        raise RefusedError(f"{quote(options[name])} is not a time", "YYYYMMDD or YYYYMMDDhhmmss, in UTC") from None


def checked_key(kind: str, key: str) -> str:
    """A public key of SSH in the one form that its bytes have.

    Raises:
        RefusedError: it is none of this type.
    """
    try:
        blob = base64.b64decode(key, validate=True)
        parts = _parts(blob)
    except (binascii.Error, ValueError):
        blob, parts = b"", []
    if not parts or parts[0] != kind.encode():
        raise RefusedError(f"{quote(key)} is not a key of the type {kind}", "copy the whole line of the .pub file")
    if kind == "ssh-rsa" and (len(parts) != 3 or int.from_bytes(parts[2]).bit_length() < _RSA_BITS):
        raise RefusedError(
            f"an RSA key of less than {_RSA_BITS} bits does not count", "ssh-keygen -t ed25519 makes one"
        )
    return base64.b64encode(blob).decode()


def _parts(blob: bytes) -> Sequence[bytes]:
    """Strings of an SSH key, each behind its length."""
    found, at = [], 0
    while at < len(blob):
        end = at + 4 + int.from_bytes(blob[at : at + 4])
        if end > len(blob) or at + 4 > len(blob):
            raise ValueError("cut off")
        found.append(blob[at + 4 : end])
        at = end
    return found
