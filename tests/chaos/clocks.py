"""The clock of one process set forward and back while it runs, by Debian's libfaketime.

Only the time of day jumps, as it does when an administrator or a time server sets it; the monotonic clock goes on.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from deploy.engine.debian import install_on_host

_LIBRARY = "/usr/lib/*/faketime/libfaketime.so.1"


class FalseClock:
    """The clock of the processes that are started with ``environment``; right until it is ``set``."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.set(0)

    @property
    def environment(self) -> Mapping[str, str]:
        """What makes a process see it; the library is installed when it is missing."""
        install_on_host({_LIBRARY: "libfaketime"})
        library = next(Path("/").glob(_LIBRARY[1:]))
        return {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def set(self, seconds: int) -> None:
        """Be so far ahead of the machine's clock, or behind it, from now on."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{seconds:+d}\n")
        new.replace(self._file)


def remove_shared_memory(pid: int) -> None:
    """What the library leaves behind of a process that was killed."""
    for left in Path("/dev/shm").glob(f"*faketime_*_{pid}"):
        left.unlink(missing_ok=True)
