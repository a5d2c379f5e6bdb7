"""Where spec files may come from: rules of addresses, names of branches and tags, and folders."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from specs.problems import RefusedError, quote

_HTTP = r"https?://[^/?#@\s]+/[^?#\s]*"
_USER = r"[A-Za-z_][A-Za-z0-9_.-]*"
_SSH = rf"ssh://{_USER}@[^/?#@\s]+/[^?#\s]+"
_SCP = rf"{_USER}@[^/:?#@\s]+:[^?#\s:-][^?#\s]*"
URL_PATTERN = rf"^({_HTTP}|{_SSH}|{_SCP})$"
URL_LIMIT = 2048
_HOST = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?|[0-9a-f:.]*:[0-9a-f:.]*", re.IGNORECASE | re.ASCII)
"""Only what everybody reads as the same name: neither percent signs, other scripts nor a dot at the end."""
REVISION_PATTERN = r"^[0-9A-Za-z_.][0-9A-Za-z_./+-]*$"
REVISION_LIMIT = 255
_PORTS = {"https": 443, "http": 80, "ssh": 22}
COMMIT_PATTERN = r"^([0-9a-f]{40}|[0-9a-f]{64})$"
FOLDER_LIMIT = 1024
SETTING = "SKYPANEL_SOURCE_HOSTS"
OLDEST_GIT = (2, 37)
"""Older ones resolve the host once more, by themselves."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a repository is.

    Args:
        scheme: ``https``, ``http`` or ``ssh``.
        user: over SSH; else empty.
        host: in lower case.
        port: of it.
        path: without a slash at its beginning.
    """

    scheme: str
    user: str
    host: str
    port: int
    path: str


def place_of(text: str) -> Place:
    """Where a repository is; of an address that was not checked, what can be read of it."""
    if "://" not in text:
        whose, _, path = text.partition(":")
        user, _, host = whose.partition("@")
        return Place("ssh", user, host.lower(), _PORTS["ssh"], path.lstrip("/"))
    try:
        parts = urlsplit(text)
        port = _PORTS.get(parts.scheme, 0) if parts.port is None else parts.port
    except ValueError:
        return Place("", "", "", 0, "")
    return Place(parts.scheme, parts.username or "", (parts.hostname or "").lower(), port, parts.path.lstrip("/"))


def check_source_url(text: str) -> str:
    """``text``, if it is the address of a repository: over HTTPS, SSH, or without TLS, which listed hosts alone are."""
    if not re.fullmatch(URL_PATTERN, text, re.ASCII) or len(text) > URL_LIMIT:
        raise RefusedError(
            f"{quote(text)} is not a repository that can be read",
            "https://host/path, without a user or a password: https://git.example.com/team/specs.git; or "
            "ssh://git@host/path",
        )
    place = place_of(text)
    usable = bool(_HOST.fullmatch(place.host)) and place.port != 0
    usable = usable and (place.scheme != "ssh" or (text.isascii() and text.isprintable() and bool(place.path)))
    if not usable:
        raise RefusedError(
            f"{quote(text)} has no host that everybody reads alike, or a port that is none",
            "https://git.example.com/team/specs.git; xn--... for a name in another script",
        )
    return text


def check_revision(text: str) -> str:
    """``text``, if it is the name of a branch or a tag, and nothing that git takes for more than that."""
    wrong = ".." in text or "//" in text or text.endswith((".", "/", ".lock")) or "/." in text
    if not re.fullmatch(REVISION_PATTERN, text, re.ASCII) or len(text) > REVISION_LIMIT or wrong or text[0] == ".":
        raise RefusedError(f"{quote(text)} is not the name of a branch or a tag", "such as main, or release/1.2")
    return text


def check_commit(text: str) -> str:
    """``text``, if it is a whole commit id: a short one may mean another commit tomorrow."""
    if not re.fullmatch(COMMIT_PATTERN, text, re.ASCII):
        raise RefusedError(f"{quote(text)} is not a commit", "all of its 40 digits: `git rev-parse HEAD` prints them")
    return text


def check_folder(text: str) -> str:
    """``text``, if it is a path that leads down from where it begins."""
    parts = text.split("/")
    if not text.strip() or not text.isprintable() or text.startswith("/") or ".." in parts or len(text) > FOLDER_LIMIT:
        raise RefusedError(f"{quote(text)} is not a folder below", "such as . or clusters/production, without ..")
    if "\\" in text or any(part.lower() == ".git" for part in parts):
        raise RefusedError(f"{quote(text)} is not a folder of files", "neither a backslash nor .git")
    return text
