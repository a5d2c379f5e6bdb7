"""The migration files: those of this version, and after them those that installed packages bring.

A package has them in its folder ``migrations``, numbered from 1 for itself.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable

import specs.kinds  # noqa: F401 - says which packages can be used
from controller.schema.errors import MigrationError
from specs import installed

_FILE_NAME = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered file. `checksum` is the SHA-256 of its text, in hex; `package` is empty for our own."""

    version: int
    name: str
    sql: str
    checksum: str
    package: str = ""

    @property
    def key(self) -> tuple[str, int]:
        """Package and version."""
        return self.package, self.version

    @property
    def file(self) -> str:
        """Where it is, for people."""
        return f"{self.package or 'migrations'}/{self.version:04}_{self.name}.sql"

    def __str__(self) -> str:
        """The file's name without its suffix, behind its package's."""
        return f"{self.package}{'/' if self.package else ''}{self.version:04}_{self.name}"


def load() -> tuple[Migration, ...]:
    """All migrations of this version, in order.

    Raises:
        MigrationError: the files are not numbered 1, 2, 3 ...
    """
    return _numbered(resources.files("migrations"), "")


def newest() -> int:
    """Number of this version's last migration, by the names of the files alone."""
    names = (_FILE_NAME.fullmatch(file.name) for file in resources.files("migrations").iterdir())
    return max(int(match[1]) for match in names if match)


def load_packages() -> tuple[Migration, ...]:
    """All migrations of the packages that are installed and can be used, in order.

    Raises:
        MigrationError: those of one are not numbered 1, 2, 3 ...
    """
    found: list[Migration] = []
    for package in installed.packages():
        if (folder := package.migrations()) is not None:
            found += _numbered(folder, package.name)
    return tuple(found)


def _numbered(folder: Traversable, package: str) -> tuple[Migration, ...]:
    found = []
    for file in folder.iterdir():
        if match := _FILE_NAME.fullmatch(file.name):
            text = file.read_text(encoding="utf-8")
            checksum = hashlib.sha256(text.encode()).hexdigest()
            found.append(Migration(int(match[1]), match[2], text, checksum, package))
    found.sort(key=lambda migration: migration.version)
    if not found or [migration.version for migration in found] != list(range(1, len(found) + 1)):
        whose = f"package {package}" if package else "this installation"
        raise MigrationError(
            f"the migration files are not numbered 1, 2, 3 ...: {whose} is damaged,"
            f" it has {', '.join(map(str, found)) or 'none'}"
        )
    return tuple(found)
