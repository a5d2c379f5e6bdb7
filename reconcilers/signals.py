"""Signals by their names, with their numbers on Linux, as engines and images have them."""

from __future__ import annotations

from collections.abc import Mapping
from signal import Signals

USUAL = "SIGTERM"
"""What a task is asked to stop with where nothing says otherwise."""
_FIRST_REAL_TIME, _LAST_REAL_TIME = 34, 64
NUMBERS: Mapping[str, int] = {
    **{found.name: found.value for found in Signals},
    **{f"SIGRTMIN+{n}": _FIRST_REAL_TIME + n for n in range(1, 16)},
    **{f"SIGRTMAX-{n}": _LAST_REAL_TIME - n for n in range(1, 15)},
}
"""Those of images that are machines, too: systemd is stopped with ``SIGRTMIN+3``."""
