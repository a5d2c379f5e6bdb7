"""How forges sign what they send: which form a delivery has, and whether it holds for a secret.

A delivery has one form, the first of these whose header is there, and only that counts:

    Forgejo      X-Forgejo-Signature: hex                over the body
    Gitea        X-Gitea-Signature: hex                  over the body
    GitLab       webhook-signature: v1,base64            over id.timestamp.body, as Standard Webhooks
                 X-Gitlab-Token: the secret itself       nothing is signed
    Bitbucket    X-Hub-Signature: sha256=hex             over the body; X-Event-Key tells it from GitHub's, a SHA-1
    GitHub       X-Hub-Signature-256: sha256=hex         over the body
    others       webhook-signature                       as Standard Webhooks
                 Authorization: Bearer, the secret       nothing is signed

All are HMAC-SHA256 of the bytes as they came. Nothing is read of them before.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

TOLERANCE_SECONDS = 300
"""Of a timestamp that is signed."""
PREFIX = "whsec_"
SOMEBODY = "a sender"
_MOST_SIGNATURES = 8
_LONGEST_ID = 255
_HEX = re.compile(r"[0-9a-f]{64}")
_SECONDS = re.compile(r"[0-9]{1,12}")
_EVENTS = ("x-forgejo-event", "x-gitea-event", "x-gitlab-event", "x-event-key", "x-github-event")
_IDS = (
    "x-forgejo-delivery", "x-gitea-delivery", "webhook-id", "idempotency-key", "x-gitlab-event-uuid", "x-request-uuid",
    "x-request-id", "x-github-delivery",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Claim:
    """What a delivery says of itself; nothing of it is true before ``holds``.

    Args:
        forge: as people call it.
        event: as the forge calls it; empty: it does not say.
        delivery: the id that the forge gave it; empty: none.
        given: signatures, each as bytes; of a token the token.
        over: what is signed; None: nothing, ``given`` is the secret itself.
        decoded: the key is what the secret's base64 says, as Standard Webhooks has it.
    """

    forge: str
    event: str
    delivery: str
    given: tuple[bytes, ...] = field(repr=False)
    over: bytes | None = field(repr=False)
    decoded: bool = False

    def holds(self, secret: bytes) -> bool:
        """Whether who has sent it has ``secret``. It takes the same time for every secret of the same form."""
        good = False
        for expected in self._expected(secret):
            for each in self.given:
                good |= hmac.compare_digest(each, expected)
        return good

    def _expected(self, secret: bytes) -> Iterator[bytes]:
        if self.over is None:
            yield secret
            return
        for key in _keys(secret) if self.decoded else (secret,):
            yield hmac.digest(key, self.over, "sha256")

    @property
    def digests(self) -> list[bytes]:
        """What it is known by when it comes again: the id, which nobody has signed, and what was signed."""
        found = []
        if self.delivery:
            found.append(hashlib.sha256(b"id " + self.delivery.encode()).digest())
        if self.over is not None:
            found.append(hashlib.sha256(b"of " + self.over).digest())
        return found


def claimed(headers: Mapping[str, str], body: bytes, now: float) -> Claim | None:
    """What a delivery claims to be; None: it is signed in no form that is known, or too long ago.

    Args:
        headers: by names in lower case.
        body: as it came.
        now: seconds since 1970.
    """
    for name, made in _FORMS:
        if name in headers:
            return made(headers, body, now)
    return None


def _of_body(forge: str, name: str, prefix: str, headers: Mapping[str, str], body: bytes, _: float) -> Claim | None:
    given = headers.get(name, "")
    text = given.removeprefix(prefix)
    if not given.startswith(prefix) or not _HEX.fullmatch(text):
        return None
    return Claim(forge, _event(headers), _delivery(headers), (bytes.fromhex(text),), body)


def _of_gitlab(headers: Mapping[str, str], body: bytes, now: float) -> Claim | None:
    if "webhook-signature" in headers:  # where it is signed, the token does not count
        return _standard("GitLab", headers, body, now)
    return _of_token("GitLab", headers, headers.get("x-gitlab-token", ""))


def _of_bearer(headers: Mapping[str, str], _body: bytes, _now: float) -> Claim | None:
    scheme, _, token = headers["authorization"].partition(" ")
    return _of_token(SOMEBODY, headers, token.strip()) if scheme.lower() == "bearer" else None


def _of_token(forge: str, headers: Mapping[str, str], token: str) -> Claim | None:
    if not token:
        return None
    return Claim(forge, _event(headers), _delivery(headers), (token.encode("utf-8", "replace"),), None)


def _standard(forge: str, headers: Mapping[str, str], body: bytes, now: float) -> Claim | None:
    number, at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not number or not _SECONDS.fullmatch(at) or abs(now - int(at)) > TOLERANCE_SECONDS:
        return None
    given = []
    for each in headers["webhook-signature"].split()[:_MOST_SIGNATURES]:
        version, _, text = each.partition(",")
        found = _decoded(text)
        if version == "v1" and found is not None and len(found) == hashlib.sha256().digest_size:
            given.append(found)
    if not given:
        return None
    over = b".".join((number.encode("utf-8", "replace"), at.encode(), body))
    return Claim(forge, _event(headers), _delivery(headers), tuple(given), over, decoded=True)


def _keys(secret: bytes) -> tuple[bytes, bytes]:
    """Keys that a secret of Standard Webhooks may mean: what its base64 says, or, of some senders, itself."""
    decoded = _decoded(secret.decode("utf-8", "replace").removeprefix(PREFIX))
    return (decoded or secret), secret


def _decoded(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


def _event(headers: Mapping[str, str]) -> str:
    return _shown(next((headers[name] for name in _EVENTS if name in headers), ""), 64)


def _delivery(headers: Mapping[str, str]) -> str:
    return _shown(next((headers[name] for name in _IDS if headers.get(name)), ""), _LONGEST_ID)


def _shown(text: str, most: int) -> str:
    return "".join(c if c.isprintable() else "?" for c in text)[:most]


_FORMS: tuple[tuple[str, Callable[[Mapping[str, str], bytes, float], Claim | None]], ...] = (
    ("x-forgejo-signature", partial(_of_body, "Forgejo", "x-forgejo-signature", "")),
    ("x-gitea-signature", partial(_of_body, "Gitea", "x-gitea-signature", "")),
    ("x-gitlab-event", _of_gitlab),
    ("x-event-key", partial(_of_body, "Bitbucket", "x-hub-signature", "sha256=")),
    ("x-hub-signature-256", partial(_of_body, "GitHub", "x-hub-signature-256", "sha256=")),
    ("webhook-signature", partial(_standard, SOMEBODY)),
    ("authorization", _of_bearer),
)
"""By the header that tells it, in the order in which they are looked for."""
