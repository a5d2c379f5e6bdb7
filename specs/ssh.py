"""How a repository is reached over SSH: a deploy key, and the keys that its host has to have, both written anew.

A host key is pinned before anything is asked: nobody is trusted on first use. Of a line of known hosts the type and the
key are kept, and its names only looked at: no pattern, marker or hash of somebody's reaches ``ssh``.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Sequence

from specs.problems import RefusedError, quote
from specs.signers import checked_key
from specs.sources import Place

ALIAS = "pinned"
"""What the host is called where its keys are looked up."""
MOST_HOST_KEYS = 16
KEY_LIMIT = 16 * 1024
KNOWN_LIMIT = 64 * 1024
_TYPES = ("ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa")
_BEGIN, _END = "-----BEGIN OPENSSH PRIVATE KEY-----", "-----END OPENSSH PRIVATE KEY-----"
_MAGIC = b"openssh-key-v1\0"
_PLAIN = b"\0\0\0\x04none"
_SCAN = "`ssh-keyscan HOST` prints them: compare them with what the host's operator says"


def private_key(data: bytes) -> str:
    """A deploy key, whole, in the form of OpenSSH and without a passphrase.

    Raises:
        RefusedError: it is none; says why, and never what it is.
    """
    text = data.decode("ascii", "replace").strip()
    inner = text.removeprefix(_BEGIN).removesuffix(_END)
    whole = len(text) == len(inner) + len(_BEGIN) + len(_END) and len(data) <= KEY_LIMIT
    try:
        blob = base64.b64decode("".join(inner.split()), validate=True) if whole else b""
    except (binascii.Error, ValueError):
        blob = b""
    if not blob.startswith(_MAGIC):
        raise RefusedError(
            "is not a private key of OpenSSH",
            f"the whole file that `ssh-keygen -t ed25519 -N ''` makes, {KEY_LIMIT // 1024} KiB at most",
        )
    if not blob.startswith(_MAGIC + _PLAIN):
        raise RefusedError(
            "has a passphrase, which nobody can be asked for", "`ssh-keygen -p -N '' -f FILE` takes it off"
        )
    lines = re.findall(".{1,70}", base64.b64encode(blob).decode())
    return "\n".join([_BEGIN, *lines, _END, ""])


def host_keys(data: bytes, place: Place) -> list[str]:
    """Types and keys of the lines of known hosts that name the host of a repository.

    Raises:
        RefusedError: there are none that can be used.
    """
    if len(data) > KNOWN_LIMIT:
        raise RefusedError(f"have more than {KNOWN_LIMIT // 1024} KiB", _SCAN)
    names = {place.host} if place.port == 22 else {f"[{place.host}]:{place.port}"}
    found: list[str] = []
    for line in data.decode("utf-8", "replace").splitlines():
        words = line.split()
        if len(words) < 3 or words[0].startswith(("#", "@", "|")) or not names & set(words[0].lower().split(",")):
            continue
        if words[1] in _TYPES:
            found.append(f"{words[1]} {checked_key(words[1], words[2])}")
    found = list(dict.fromkeys(found))
    if not found or len(found) > MOST_HOST_KEYS:
        (name,) = names
        raise RefusedError(f"have no line of {quote(name)} with a key that can be used, or too many", _SCAN)
    return found


def sealed(key: str, hosts: Sequence[str]) -> str:
    """What is kept: both, so that neither changes without the other."""
    return json.dumps({"key": key, "hosts": list(hosts)})


def opened(text: str) -> tuple[str, list[str]]:
    """The deploy key and the host's keys.

    Raises:
        ValueError: it is no such thing, such as a password.
    """
    found = json.loads(text)
    if not isinstance(found, dict) or not isinstance(found.get("key"), str) or not isinstance(found.get("hosts"), list):
        raise ValueError("no deploy key")  # noqa: TRY004 - as of what is no JSON
    return found["key"], [str(each) for each in found["hosts"]]
