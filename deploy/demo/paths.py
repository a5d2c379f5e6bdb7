"""Where a demo keeps its files, and which ports of this machine it takes."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from pathlib import Path

from deploy.demo.errors import DemoError
from deploy.engine.paths import lab_paths

ROOT = Path(__file__).resolve().parents[2]
DEFAULT_NAME = "demo"
DEFAULT_PORT = 8080
DEFAULT_LISTEN_PORT = 9470
PORTS_TRIED = 50


@dataclass(frozen=True, slots=True)
class DemoPaths:
    """The files of one demo, below `.run/` of the checkout; the engine's and the database's are the lab's.

    Raises:
        LabError: the name cannot name a lab.
    """

    name: str

    def __post_init__(self) -> None:
        lab_paths(self.name)

    @property
    def folder(self) -> Path:
        """Made when it is first used."""
        folder = ROOT / ".run"
        folder.mkdir(exist_ok=True)
        return folder

    @property
    def pid_file(self) -> Path:
        """The controller's process, for people; the demo itself looks for the process's mark."""
        return self.folder / f"{self.name}.pid"

    @property
    def log(self) -> Path:
        """The controller's log, JSON lines."""
        return self.folder / f"{self.name}.log"

    @property
    def environment(self) -> Path:
        """Variables for a person's shell."""
        return self.folder / f"{self.name}.env"

    @property
    def programs(self) -> Path:
        """Links to programs that this machine does not have on its PATH, such as docker."""
        return self.folder / f"{self.name}.bin"

    @property
    def mark(self) -> str:
        """Identity of this demo's controller: the same from every checkout that uses the same lab."""
        return str(lab_paths(self.name).home)

    def remove(self) -> None:
        """Remove the files, and the folder when no other demo uses it."""
        for path in (self.pid_file, self.log, self.environment):
            path.unlink(missing_ok=True)
        for link in self.programs.glob("*"):
            link.unlink()
        if self.programs.exists():
            self.programs.rmdir()
        if not any(self.folder.iterdir()):
            self.folder.rmdir()


def free_port(wanted: int, what: str) -> int:
    """The wanted port of the loopback, or the next one that is free.

    Args:
        wanted: a TCP port.
        what: what it is for, for the message.

    Raises:
        DemoError: the port cannot be used, or none of the following is free.
    """
    if not 0 < wanted < 65536:
        raise DemoError(f"{wanted} is not a port: choose one from 1 to 65535")
    for port in range(wanted, min(wanted + PORTS_TRIED, 65536)):
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        return port
    raise DemoError(
        f"no port from {wanted} to {wanted + PORTS_TRIED} is free for {what}: see `ss -ltnp`, "
        "or choose another one: make demo PORT=..."
    )


def shown(path: Path) -> str:
    """The path as a person in the checkout would write it."""
    absolute = path if path.is_absolute() else ROOT / path
    return str(absolute.relative_to(ROOT) if absolute.is_relative_to(ROOT) else absolute)
