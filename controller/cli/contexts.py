"""Installations that a command may mean, by name: an API with a token, or a database; in one file of its user's.

The file is ``$XDG_CONFIG_HOME/skypanel/contexts.json``, of mode 0600, and is replaced as a whole: who reads it sees it
as it was or as it is. One that others can read is not read: the tokens in it are no secret any more.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from controller.actions.errors import ActionError

CONTEXT, API_URL, TOKEN = "SKYPANEL_CONTEXT", "SKYPANEL_API_URL", "SKYPANEL_TOKEN"
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
_LARGEST = 1_048_576
_FIELDS = ("url", "token", "organization", "ca_file", "database")


@dataclass(frozen=True, slots=True)
class Context:
    """One installation.

    Args:
        name: that it is called by.
        url: of its API; empty: it is a database.
        token: who asks there.
        organization: to act in, for who is a member of several.
        ca_file: certificates that are trusted instead of the system's.
        allow_http: without TLS also to another machine.
        database: connection string; empty: it is an API.
        why: how it was chosen, for people.
    """

    name: str
    url: str = ""
    token: str = field(default="", repr=False)
    organization: str = ""
    ca_file: str = ""
    allow_http: bool = False
    database: str = field(default="", repr=False)
    why: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Contexts:
    """What the file has.

    Args:
        current: name of the one that is meant where none is named; empty: none.
        known: all, by name.
    """

    current: str = ""
    known: Mapping[str, Context] = field(default_factory=dict)

    def put(self, context: Context, *, use: bool) -> Contexts:
        """With ``context``, which is the current one from now on where it is to be used, or is the only one."""
        known = {**self.known, context.name: context}
        return Contexts(context.name if use or not self.current else self.current, known)

    def without(self, name: str) -> Contexts:
        """Without one."""
        known = {key: value for key, value in self.known.items() if key != name}
        return Contexts("" if self.current == name else self.current, known)

    def named(self, name: str) -> Context:
        """The one of this name.

        Raises:
            ActionError: there is none.
        """
        if name not in self.known:
            names = ", ".join(sorted(self.known))
            hint = f"there are {names}" if names else "`skypanel login URL` makes one"
            raise ActionError(f"there is no context {name!r}", hint)
        return self.known[name]


def checked_name(name: str) -> str:
    """``name``.

    Raises:
        ActionError: it can be no context's.
    """
    if not _NAME.fullmatch(name):
        raise ActionError(f"{name!r} is no name of a context", "letters, digits and . _ - within, 63 at most: prod")
    return name


def path() -> Path:
    """Where the file is."""
    home = os.environ.get("XDG_CONFIG_HOME", "")
    base = Path(home) if home.startswith("/") else Path.home() / ".config"
    return base / "skypanel" / "contexts.json"


def read() -> Contexts:
    """What the file has; nothing where there is none that is this user's: who acts for another one has his own.

    Raises:
        ActionError: others can read it, or it is no such file.
    """
    try:
        where = path()
        file = os.open(where, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError, PermissionError, RuntimeError):  # or a user without a home
        return Contexts()
    except OSError as error:
        raise ActionError(f"{where} cannot be read: {error.strerror}") from None
    with os.fdopen(file, "rb") as opened:
        found = os.fstat(opened.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise ActionError(f"{where} is no file", "move it away; `skypanel login URL` makes it anew")
        if found.st_uid != os.geteuid():
            return Contexts()
        if found.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise ActionError(
                f"{where} has tokens, and others can read it or change it",
                f"chmod 600 {where}; if somebody else may have read it, rotate the tokens: `skypanel tokens rotate`",
            )
        raw = opened.read(_LARGEST)
    try:
        said = json.loads(raw)
        known = {str(name): _context(str(name), one) for name, one in said.get("contexts", {}).items()}
        return Contexts(str(said.get("current") or ""), known)
    except (ValueError, AttributeError, TypeError):
        raise ActionError(f"{where} cannot be understood", "move it away; `skypanel login URL` makes it anew") from None


def _context(name: str, said: Mapping[str, Any]) -> Context:
    texts = {key: str(said[key]) for key in _FIELDS if said.get(key)}
    return Context(name, **texts, allow_http=said.get("allow_http") is True)


def write(contexts: Contexts) -> Path:
    """Have the file be this, or as it was; where it is.

    Raises:
        ActionError: it cannot be written.
    """
    try:
        where = path()
    except RuntimeError:
        raise ActionError("this user has no home", "set XDG_CONFIG_HOME to a folder of his") from None
    document = {
        "current": contexts.current,
        "contexts": {
            name: {
                **{key: getattr(one, key) for key in _FIELDS if getattr(one, key)},
                **({"allow_http": True} if one.allow_http else {}),
            }
            for name, one in sorted(contexts.known.items())
        },
    }
    beside = where.with_name(f".{where.name}.{os.urandom(6).hex()}")
    try:
        where.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(file, "w") as opened:
            json.dump(document, opened, indent=2)
            opened.write("\n")
            opened.flush()
            os.fsync(opened.fileno())
        beside.replace(where)
    except OSError as error:
        with suppress(OSError):
            beside.unlink()
        raise ActionError(f"{where} cannot be written: {error.strerror}", "check its folder") from None
    return where


def chosen(named: str, *, settings_named: bool, environment: Mapping[str, str] = os.environ) -> Context | None:
    """The installation that a command means; None: the database of the settings.

    Args:
        named: by an option, or in ``SKYPANEL_CONTEXT``; empty: none is.
        settings_named: whether a file of settings was named.
        environment: of this process.

    Raises:
        ActionError: there is none of that name, or the file cannot be read.
    """
    if named:
        return replace(read().named(named), why="it is named")
    if url := environment.get(API_URL, ""):
        return Context(API_URL, url=url, token=environment.get(TOKEN, ""), why=f"{API_URL} is set")
    if settings_named or environment.get("DATABASE_URL"):
        return None
    contexts = read()
    return replace(contexts.named(contexts.current), why="it is the current one") if contexts.current else None
