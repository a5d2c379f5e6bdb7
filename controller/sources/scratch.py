"""Folders of this process for repositories, and what is left of those of processes that were killed.

Each folder has a file that its process holds locked: whoever can lock it knows that nobody uses the folder any more.
"""

from __future__ import annotations

import atexit
import fcntl
import os
import shutil
import stat
import tempfile
import time
from pathlib import Path

import structlog

log = structlog.get_logger(__name__)

PREFIX = "skypanel-sources-"
_LOCK = "lock"
_YOUNG_SECONDS = 60.0
"""One that was just made may have no lock yet."""
_UNLOCKED_SECONDS = 86_400.0
"""Those of versions that had no lock: one that is in use is written sooner."""


def make() -> Path:
    """A new folder, which goes with the process."""
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    descriptor = os.open(folder / _LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)  # held until the process ends
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return folder


def clear() -> list[Path]:
    """Remove what killed processes of this user have left beside it; in a thread of its own. What was removed."""
    gone = []
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        try:
            if _is_abandoned(folder):
                shutil.rmtree(folder, ignore_errors=True)
                gone.append(folder)
        except OSError:  # another process does the same
            continue
    if gone:
        log.info("sources.left_folders_removed", count=len(gone))
    return gone


def _is_abandoned(folder: Path) -> bool:
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        return False
    age = time.time() - found.st_mtime
    try:
        descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return age > _UNLOCKED_SECONDS
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return age > _YOUNG_SECONDS
