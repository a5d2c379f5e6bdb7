"""Which version this is, in one line; nothing else is loaded for it."""

from __future__ import annotations

import platform
import sys

from controller.kit.version import own_version
from controller.swarm.usable import MINIMUM_API


def versions() -> dict[str, str]:
    """Of this program, and of what it runs with."""
    return {
        "skypanel": own_version(),
        "python": platform.python_version(),
        "engineApiMinimum": ".".join(map(str, MINIMUM_API)),
    }


def say_version() -> None:
    """For people."""
    found = versions()
    sys.stdout.write(
        f"skypanel {found['skypanel']} (Python {found['python']}, Docker Engine API {found['engineApiMinimum']}+)\n"
    )
