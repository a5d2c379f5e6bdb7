"""Opens documents that SOPS has encrypted for age: in memory, with identities that are given, and with nothing else.

The data key of a file is unwrapped with one of the identities. Each value is AES-256-GCM under it, bound to the keys on
the way to it; the MAC is SHA-512 of all values in their order, encrypted itself and bound to the time of the last
change. So a value that was moved, changed, added or taken away is noticed. Which values are encrypted is seen by their
form: the patterns in the metadata are a stranger's, and are not run. Other recipients than age are passed over: nobody
is called.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from specs.encrypted import METADATA, VALUE, UnopenedError, is_encrypted, is_sealed, leaves
from specs.problems import Path, RefusedError
from specs.yaml_text import YamlDocument

MOST_IDENTITIES = 16
MOST_RECIPIENTS = 64
_LARGEST_KEY = 64 * 1024
_KEY_BYTES = 32
_MOST_IV, _TAG_BYTES = 64, 16
_SHOWN = 3
_ONLY_ENCRYPTED = bytes.fromhex("8a3fd2ad54ce66527b1034f3d147be0b0b975b3bf44f72c6fdadec8176f27d69")
"""What the MAC begins with where it is over encrypted values alone: so it is another one than over all."""
_IDENTITY = re.compile(r"AGE-SECRET-KEY-1[A-Z0-9]{58}", re.ASCII)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)", re.ASCII)
_INTEGER = re.compile(r"-?[0-9]{1,20}", re.ASCII)
_COMMENT = object()
_OTHERS = ("kms", "gcp_kms", "azure_kv", "hc_vault", "hckms", "pgp")


class Identities:
    """Age identities that files are opened with; ``repr`` has none of them.

    Args:
        text: as ``age-keygen`` writes it: a line each, and comments.

    Raises:
        RefusedError: there are none, too many, or something else among them; says which line.
    """

    def __init__(self, text: str) -> None:
        import pyrage  # noqa: PLC0415 - most commands open nothing

        self._identities = []
        lines = []
        for number, line in enumerate(text.splitlines(), 1):
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            if not _IDENTITY.fullmatch(line.strip()):
                raise RefusedError(
                    f"line {number} is not an age identity", "AGE-SECRET-KEY-1..., as `age-keygen` prints it"
                )
            try:
                self._identities.append(pyrage.x25519.Identity.from_str(line.strip()))
                lines.append(line.strip())
            except pyrage.IdentityError:
                raise RefusedError(f"line {number} is not an age identity", "a character of it is wrong") from None
        if not self._identities:
            raise RefusedError("there is no age identity", "`age-keygen` makes one")
        if len(self._identities) > MOST_IDENTITIES:
            raise RefusedError(f"there are more than {MOST_IDENTITIES} age identities", "take out old ones")

        self.text = "\n".join(lines)

    @property
    def recipients(self) -> tuple[str, ...]:
        """Whom to encrypt for: public keys."""
        return tuple(str(each.to_public()) for each in self._identities)

    def open(self, documents: Sequence[YamlDocument]) -> list[YamlDocument]:
        """All documents of an encrypted file in clear; see ``Opener``.

        Raises:
            UnopenedError: no identity opens it, or it is not as SOPS has written it.
        """
        for number, each in enumerate(documents):
            if not is_encrypted(each) or each.data[METADATA] != documents[0].data.get(METADATA):
                raise UnopenedError(
                    "is in an encrypted file, and SOPS has not encrypted it with the rest",
                    "encrypt the whole file anew, or put it into another file",
                    (),
                    number,
                )
        metadata = documents[0].data[METADATA]
        key = self._data_key(metadata)
        only_encrypted = metadata.get("mac_only_encrypted") is True
        mac = hashlib.sha512(_ONLY_ENCRYPTED if only_encrypted else b"")
        found = [_opened(each, number, key, mac, only_encrypted) for number, each in enumerate(documents)]
        _check(metadata, key, mac.hexdigest())
        return found

    def _data_key(self, metadata: Mapping[str, Any]) -> bytes:
        import pyrage  # noqa: PLC0415 - as above

        if metadata.get("key_groups") or metadata.get("shamir_threshold"):
            raise UnopenedError("has groups of keys, which is not opened", "encrypt it without key groups")
        recipients = list(_recipients(metadata.get("age")))
        for _, wrapped in recipients:
            try:
                key = pyrage.decrypt(wrapped, self._identities)
            except (pyrage.DecryptError, ValueError):
                continue
            if len(key) == _KEY_BYTES:
                return bytes(key)
        if not recipients:
            others = ", ".join(name for name in _OTHERS if metadata.get(name)) or "nobody"
            raise UnopenedError(f"is encrypted for {others}, and not for age, which alone is opened", self._mend)
        names = ", ".join(name for name, _ in recipients[:_SHOWN])
        raise UnopenedError(f"no key that is given opens it: it is encrypted for {names}", self._mend)

    @property
    def _mend(self) -> str:
        return f"encrypt it for {' or '.join(self.recipients[:_SHOWN])}: `sops updatekeys`"


def _recipients(listed: object) -> Iterator[tuple[str, bytes]]:
    """Recipient and wrapped data key of each; what has another form is passed over."""
    for each in listed[:MOST_RECIPIENTS] if isinstance(listed, list) else ():
        if isinstance(each, dict) and isinstance(each.get("enc"), str) and len(each["enc"]) <= _LARGEST_KEY:
            name = each.get("recipient")
            shown = name if isinstance(name, str) and re.fullmatch(r"[a-z0-9+ -]{1,120}", name, re.ASCII) else "?"
            try:
                body = "".join(line for line in each["enc"].split("\n") if line and not line.startswith("-----"))
                yield shown, base64.b64decode(body, validate=True)
            except (binascii.Error, ValueError):
                continue


def _opened(document: YamlDocument, number: int, key: bytes, mac: Any, only_encrypted: bool) -> YamlDocument:
    values: dict[Path, Any] = {}
    for path, value in leaves(document.data):
        if is_sealed(value):
            values[path] = _value(value, key, path, number)
        if values.get(path) is not _COMMENT and (path in values or not only_encrypted):
            mac.update(_bytes(values.get(path, value)))
    places: dict[Path, Path] = {}
    data = _replaced(document.data, values, (), (), places)
    positions = {new: document.positions[old] for new, old in places.items() if old in document.positions}
    return YamlDocument(data, positions, frozenset(new for new, old in places.items() if old in values))


def _replaced(data: Any, values: Mapping[Path, Any], old: Path, new: Path, places: dict[Path, Path]) -> Any:
    """``data`` in clear, without comments; in ``places`` is noted where each node was before."""
    places[new] = old
    if isinstance(data, dict):
        kept = {key: each for key, each in data.items() if old or key != METADATA}
        return {key: _replaced(each, values, (*old, key), (*new, key), places) for key, each in kept.items()}
    if isinstance(data, list):
        indexes = [index for index in range(len(data)) if values.get((*old, index)) is not _COMMENT]
        return [
            _replaced(data[index], values, (*old, index), (*new, number), places)
            for number, index in enumerate(indexes)
        ]
    return values.get(old, data)


def _value(text: str, key: bytes, path: Path, number: int) -> object:
    """What was encrypted: a text, a number, true or false, or a comment, which is an entry of a list then."""
    bound = "".join(f"{part}:" for part in path if isinstance(part, str))
    kind, plain = _unsealed(text, key, bound, path, number)
    try:
        said = plain.decode()
        if kind == "comment" and isinstance(path[-1], int):
            return _COMMENT
        if kind == "str":
            return said
        if kind == "int" and _INTEGER.fullmatch(said):
            return int(said)
        if kind == "float":
            return float(said)
        if kind == "bool" and said.lower() in ("true", "false"):
            return said.lower() == "true"
    except ValueError:  # of another encoding, or no number
        pass
    raise UnopenedError("is encrypted as something else than text, a number or true or false", "", path, number)


def _unsealed(text: str, key: bytes, bound: str, path: Path, number: int) -> tuple[str, bytes]:
    from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - most commands open nothing
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - as above

    match = VALUE.fullmatch(text)
    assert match is not None
    try:
        data, iv, tag = (base64.b64decode(match[part], validate=True) for part in ("data", "iv", "tag"))
        if len(iv) <= _MOST_IV and len(tag) == _TAG_BYTES:
            return match["type"], AESGCM(key).decrypt(iv, data + tag, bound.encode())
    except (binascii.Error, ValueError, InvalidTag):
        pass
    raise UnopenedError(
        "was not encrypted for this place, or was changed since", "put back the file, or encrypt it anew", path, number
    )


def _bytes(value: object) -> bytes:
    """A value as the MAC has it."""
    if isinstance(value, bool):
        return b"True" if value else b"False"
    if isinstance(value, float):
        return format(Decimal(repr(value)), "f").removesuffix(".0").encode()
    return str(value).encode()


def _check(metadata: Mapping[str, Any], key: bytes, found: str) -> None:
    """Compare the MAC.

    Raises:
        UnopenedError: there is none, or it is of other values.
    """
    sealed, changed = metadata.get("mac"), metadata.get("lastmodified")
    if not is_sealed(sealed) or not isinstance(changed, str) or not _TIME.fullmatch(changed):
        raise UnopenedError("has no MAC, so it cannot be told whether it was changed", "encrypt it anew")
    path: Path = (METADATA, "mac")
    _, mac = _unsealed(str(sealed), key, changed, path, 0)
    if not hmac.compare_digest(mac.lower(), found.encode()):
        raise UnopenedError(
            "its MAC is of other values: something in it was changed, added or taken away since",
            "put back the file, or `sops edit` it; write plain numbers as SOPS writes them",
            path,
        )
