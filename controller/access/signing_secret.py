"""Whether the secret that the panel signs with is one: long enough, and none that stands in anybody's source."""

from __future__ import annotations

SHORTEST = 32
_PLACEHOLDERS = (
    "your-",
    "your_",
    "change-in-production",
    "change-this",
    "change_this",
    "changeme",
    "change-me",
    "change_me",
    "jwt-secret",
    "jwt_secret",
    "jwtsecret",
    "secret-key",
    "secret_key",
    "super-secret",
    "supersecret",
    "replace-",
    "replace_",
    "placeholder",
)
"""The panel's own default is ``your-super-secret-jwt-key-change-in-production``: whoever knows it is everybody."""
_FEWEST = 10


def fault(secret: str) -> str:
    """What is wrong with it, without a word of it; empty when nothing is."""
    mend = "`openssl rand -base64 48` prints a good one; the panel needs the same"
    if len(secret.encode("utf-8", "surrogateescape")) < SHORTEST:
        return f"it is shorter than {SHORTEST} bytes: {mend}"
    lowered = secret.lower()
    if any(text in lowered for text in _PLACEHOLDERS):
        return f"it is a placeholder that others know: {mend}"
    if len(set(secret)) < _FEWEST:
        return f"it is the same characters over and over: {mend}"
    return ""
