"""Can the kinds be used that other installed packages bring? Nothing is said where there are none."""

from __future__ import annotations

from collections.abc import Iterator

from controller.actions.doctor.findings import Check, fail, ok
from controller.settings import Settings
from reconcilers.registry import registered
from specs import installed
from specs.kinds import PACKAGES


def examine(_: Settings) -> Iterator[Check]:
    """One check a package."""
    registered()  # a reconciler that is broken is found by looking for it
    refused = {package.name for package in installed.packages() if package.is_broken}
    for package in sorted(set(PACKAGES.values()) - refused):
        yield ok("kinds", f"package {package} brings {', '.join(k for k, p in PACKAGES.items() if p == package)}")
    for said in installed.broken():
        yield fail("kinds", said, "fix the package, or uninstall it; its objects are not reconciled meanwhile")
