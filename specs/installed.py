"""Kinds that other installed packages bring, found by their entry points of the group ``skypanel.kinds``.

    [project.entry-points."skypanel.kinds"]
    things = "acme_things"

An entry point names a package, of which ``model`` (the resource), ``reconciler`` and the folder ``migrations`` are
taken, each where it is there; or a single module, which then brings model and reconciler itself. One that cannot be
imported is left out and kept in ``broken()``, with the reason: everything else goes on, and whoever starts says so.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

GROUP = "skypanel.kinds"
MIGRATIONS = "migrations"

_broken: dict[Package, str] = {}


@dataclass(frozen=True, slots=True)
class Package:
    """What one entry point names.

    Args:
        name: of the distribution that was installed.
        module: of the package, or the single module.
    """

    name: str
    module: str

    def __str__(self) -> str:
        return f"package {self.name} ({self.module})"

    def bring(self, part: str = "") -> bool:
        """Import the module, and its submodule ``part`` where there is one; whether that went well."""
        if self.is_broken:
            return False
        from importlib.util import find_spec  # noqa: PLC0415 - needed only where a package is installed

        try:
            module = import_module(self.module)
            if part and hasattr(module, "__path__") and find_spec(f"{self.module}.{part}") is not None:
                import_module(f"{self.module}.{part}")
        except Exception as error:  # noqa: BLE001 - it is somebody else's code
            self.refuse(f"{type(error).__name__}: {error}")
        return not self.is_broken

    @property
    def is_broken(self) -> bool:
        """Whether it was refused."""
        return self in _broken

    def holds(self, module: str) -> bool:
        """Whether ``module`` is one of its own."""
        return module == self.module or module.startswith(f"{self.module}.")

    def refuse(self, why: str) -> None:
        """Keep it out from now on."""
        _broken.setdefault(self, f"{self} cannot be used: {why}")

    def migrations(self) -> Traversable | None:
        """Its folder of migrations; None where it has none, or is broken."""
        if self.is_broken or not hasattr(import_module(self.module), "__path__"):
            return None
        from importlib.resources import files  # noqa: PLC0415 - needed only where a package is installed

        folder = files(self.module).joinpath(MIGRATIONS)
        return folder if folder.is_dir() else None


@cache
def packages() -> tuple[Package, ...]:
    """All that are installed, by name; also broken ones."""
    if not _named_anywhere():
        return ()
    from importlib.metadata import entry_points  # noqa: PLC0415 - needed only where a package is installed

    found = {
        Package(entry.dist.name if entry.dist else entry.name, entry.module) for entry in entry_points(group=GROUP)
    }
    return tuple(sorted(found, key=lambda package: (package.name, package.module)))


def _named_anywhere() -> bool:
    """Whether any distribution on the path names the group: a look at some small files, where ``entry_points`` parses
    everything that is installed, which is a tenth of the start of a command.
    """
    for folder in sys.path:
        try:
            with os.scandir(folder or ".") as entries:
                found = [entry.path for entry in entries if entry.name.endswith((".dist-info", ".egg-info"))]
        except FileNotFoundError:
            continue
        except OSError:  # an archive, which cannot be looked into so
            return True
        for path in found:
            try:
                if GROUP in Path(path, "entry_points.txt").read_text(encoding="utf-8", errors="replace"):
                    return True
            except OSError:
                continue
    return False


def broken() -> list[str]:
    """Of each package that cannot be used: which, and why."""
    return list(_broken.values())
