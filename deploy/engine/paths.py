"""Where the lab keeps things.

State is under `$SKYPANEL_LAB`; what can be fetched or built again is under `$SKYPANEL_LAB_CACHE`.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fcntl import LOCK_EX, flock
from pathlib import Path

from deploy.engine.errors import LabError

NAME_FORM = re.compile(r"^[a-z][a-z0-9-]{0,19}$")
SOCKET_PATH_LIMIT = 107  # sun_path less its final zero byte


@dataclass(frozen=True, slots=True)
class LabPaths:
    """The folders of one named lab."""

    root: Path
    name: str

    @property
    def home(self) -> Path:
        """Everything of this lab; `down` removes it."""
        return self.root / self.name

    @property
    def description(self) -> Path:
        """What was asked for: nodes, managers, suite, forwards (JSON)."""
        return self.home / "lab.json"

    def node(self, index: int) -> Path:
        """Folder of node `index` (1-based); 0 is the switch that joins them."""
        return self.home / (f"n{index}" if index else "switch")

    def socket(self, index: int) -> Path:
        """The engine's unix socket on node `index`."""
        return self.node(index) / "docker.sock"


def lab_paths(name: str) -> LabPaths:
    """Folders for the lab called `name`.

    Raises:
        LabError: the name or `$SKYPANEL_LAB` cannot be used.
    """
    if not NAME_FORM.match(name):
        raise LabError(f"{name!r} cannot name a lab: use a letter, then up to 19 lower-case letters, digits, hyphens")
    root = Path(os.environ.get("SKYPANEL_LAB") or "/var/lib/skypanel-lab").absolute()
    if root.resolve().is_relative_to("/run"):
        raise LabError(f"SKYPANEL_LAB={root}: /run is private inside a node; choose a folder outside of it")
    paths = LabPaths(root, name)
    if len(str(paths.socket(99))) > SOCKET_PATH_LIMIT:
        raise LabError(f"SKYPANEL_LAB={root}: too long, a unix socket's path has at most {SOCKET_PATH_LIMIT} bytes")
    return paths


def cache_root() -> Path:
    """Folder of packages and images that can be fetched or built again."""
    return Path(os.environ.get("SKYPANEL_LAB_CACHE") or "/var/cache/skypanel-lab").absolute()


@contextmanager
def exclusive(lock: Path) -> Iterator[None]:
    """Hold the lock file while the body runs; the kernel frees it when the process dies."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as handle:
        flock(handle, LOCK_EX)
        yield
