"""Kinds that other installed packages bring, found by their entry points of the group ``skypanel.kinds``.

    [project.entry-points."skypanel.kinds"]
    things = "acme_things"

An entry point names a package, of which ``model`` (the resource), ``reconciler`` and the folder ``migrations`` are
taken, each where it is there; or a single module, which then brings model and reconciler itself. One that cannot be
imported is left out and kept in ``broken()``, with the reason: everything else goes on, and whoever starts says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from importlib.resources import files
from importlib.resources.abc import Traversable
from importlib.util import find_spec

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
        folder = files(self.module).joinpath(MIGRATIONS)
        return folder if folder.is_dir() else None


@cache
def packages() -> tuple[Package, ...]:
    """All that are installed, by name; also broken ones."""
    found = {
        Package(entry.dist.name if entry.dist else entry.name, entry.module) for entry in entry_points(group=GROUP)
    }
    return tuple(sorted(found, key=lambda package: (package.name, package.module)))


def broken() -> list[str]:
    """Of each package that cannot be used: which, and why."""
    return list(_broken.values())
