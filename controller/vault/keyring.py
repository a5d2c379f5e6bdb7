"""Key-encryption keys: from a file, or from the environment of the process; never from the database.

A line is the base64 of 32 bytes; the first one is what new data keys are sealed under, the others open what was sealed
before. The file is read again when a key is asked for that was not in it, so a rotation needs no restart. What is wrong
is said by file and line, and never with what stands there.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from controller.kit.expected import ExpectedError
from controller.vault.envelope import KEY_BYTES, new_key

VARIABLE = "SKYPANEL_KEYS"
FILE_VARIABLE = "SKYPANEL_KEY_FILE"
_LARGEST = 1 << 20


class KeyFileError(ExpectedError):
    """The keys cannot be read; says where and how to mend it."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key-encryption key.

    Args:
        id: 8 hex digits that name it.
        secret: 32 bytes.
    """

    id: str
    secret: bytes = field(repr=False)

    @classmethod
    def of(cls, secret: bytes) -> Key:
        """With the id that follows from it."""
        return cls(hashlib.sha256(b"skypanel-kek" + secret).hexdigest()[:8], secret)


def generate() -> str:
    """A new line for the key file."""
    return base64.b64encode(new_key()).decode()


def parse(text: str, place: str) -> list[Key]:
    """The keys of ``text``, the current one first.

    Args:
        text: one a line, or separated by commas; ``#`` begins a comment.
        place: what it is called in an error.

    Raises:
        KeyFileError: a line is no key.
    """
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        for word in re.split(r"[,\s]+", line.partition("#")[0].strip()):
            if not word:
                continue
            try:
                secret = base64.b64decode(word, validate=True)
            except ValueError:
                secret = b""
            if len(secret) != KEY_BYTES:
                raise KeyFileError(
                    f"{place}:{number}: this is no key: a line is the base64 of {KEY_BYTES} bytes, as "
                    "`skypanel keys generate` prints it"
                )
            found.append(Key.of(secret))
    return list(dict.fromkeys(found))


class Keyring:
    """The keys of this process.

    Args:
        file: with keys; None: there is none.
        text: more of them, which come after those of the file.
    """

    def __init__(self, file: Path | None = None, text: str = "") -> None:
        self._file = file
        self._text = text
        self._read: tuple[object, ...] | None = None
        self._keys: dict[str, Key] = {}

    @property
    def given(self) -> bool:
        """Whether this process was told where to find any."""
        return self._file is not None or bool(self._text.strip())

    def find(self, key_id: str) -> Key | None:
        """The key of this id; the file is read again when it has changed.

        Raises:
            KeyFileError: the keys cannot be read.
        """
        if key_id not in self._keys:
            self._load()
        return self._keys.get(key_id)

    def current(self) -> Key | None:
        """What new data keys are sealed under; None: there is no key at all.

        Raises:
            KeyFileError: the keys cannot be read.
        """
        return next(iter(self), None)

    def __iter__(self) -> Iterator[Key]:
        """All keys, as they are now, the current one first.

        Raises:
            KeyFileError: the keys cannot be read.
        """
        self._load()
        return iter(self._keys.values())

    def _load(self) -> None:
        seen = None if self._file is None else _trusted(self._file)
        state = () if seen is None else (seen.st_ino, seen.st_mtime_ns, seen.st_size)
        if state == self._read:
            return
        found = [] if self._file is None else parse(_text_of(self._file), str(self._file))
        found += parse(self._text, VARIABLE)
        self._keys, self._read = {key.id: key for key in found}, state


def _trusted(path: Path) -> os.stat_result:
    """Its owner is root or this user, others may not read it, and nobody else may write it."""
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):  # it may be the key itself
        raise KeyFileError(f"{FILE_VARIABLE} names a file that is not there") from None
    except OSError as error:
        raise KeyFileError(f"{FILE_VARIABLE} names a file that cannot be read: {error.strerror}") from None
    if not stat.S_ISREG(found.st_mode) or found.st_size > _LARGEST:
        raise KeyFileError(f"{FILE_VARIABLE}: {path} is not a file of keys")
    if found.st_uid not in (0, os.geteuid()):
        raise KeyFileError(f"{FILE_VARIABLE}: {path} belongs to somebody else: let it belong to root or to this user")
    if found.st_mode & (stat.S_IWGRP | stat.S_IRWXO):
        raise KeyFileError(
            f"{FILE_VARIABLE}: others may read {path}, or its group write it: run `chmod u=rw,g=r,o= {path}`"
        )
    return found


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except OSError as error:
        raise KeyFileError(f"{FILE_VARIABLE}: {path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise KeyFileError(f"{FILE_VARIABLE}: {path} is not a file of keys: it has bytes that are no text") from None
