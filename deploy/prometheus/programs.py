"""Where `prometheus` and `promtool` are: this machine's own, else Debian's package, unpacked beside the system."""

from __future__ import annotations

import shutil
from pathlib import Path

from deploy.engine import debian

SUITE = "bookworm"


def prometheus() -> Path:
    """The server.

    Raises:
        LabError: it is not here and cannot be fetched.
    """
    return _program("prometheus")


def promtool() -> Path:
    """The tool that checks metrics, configurations and rules.

    Raises:
        LabError: it is not here and cannot be fetched.
    """
    return _program("promtool")


def _program(name: str) -> Path:
    if found := shutil.which(name):
        return Path(found)
    return debian.fetch(SUITE, ["prometheus"]) / "usr/bin" / name
