"""Where spec files may come from: rules of addresses, names of branches and tags, and folders."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from specs.problems import RefusedError, quote

URL_PATTERN = r"^https?://[^/?#@\s]+/[^?#\s]*$"
URL_LIMIT = 2048
_HOST = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?|[0-9a-f:.]*:[0-9a-f:.]*", re.IGNORECASE | re.ASCII)
"""Only what everybody reads as the same name: neither percent signs, other scripts nor a dot at the end."""
REVISION_PATTERN = r"^[0-9A-Za-z_.][0-9A-Za-z_./+-]*$"
REVISION_LIMIT = 255
COMMIT_PATTERN = r"^([0-9a-f]{40}|[0-9a-f]{64})$"
FOLDER_LIMIT = 1024
SETTING = "SKYPANEL_SOURCE_HOSTS"
OLDEST_GIT = (2, 37)
"""Older ones resolve the host once more, by themselves."""


def check_source_url(text: str) -> str:
    """``text``, if it is the address of a repository that is read over HTTPS; without TLS from listed hosts alone."""
    if not re.fullmatch(URL_PATTERN, text, re.ASCII) or len(text) > URL_LIMIT:
        raise RefusedError(
            f"{quote(text)} is not a repository that can be read",
            "https://host/path, without a user or a password: https://git.example.com/team/specs.git",
        )
    try:
        usable = bool(_HOST.fullmatch(urlsplit(text).hostname or "")) and urlsplit(text).port != 0
    except ValueError:
        usable = False
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
