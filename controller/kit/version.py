"""Which version this is."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version


def own_version() -> str:
    """The version that was installed."""
    try:
        return version("skypanel-controller")
    except PackageNotFoundError:
        return "from a source tree"
