"""One Docker Engine in one sandbox: its configuration, start, stop, kill, and the wait until it answers."""

import hashlib
import json
import os
import shutil
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.engine import debian
from deploy.engine.api import EngineApi
from deploy.engine.errors import LabError
from deploy.engine.sandbox import Sandbox, detach

# What an unpacked engine takes from the machine. Its own runc may want a newer libc than the machine has.
HOST_PROGRAMS = {
    "runc": "runc",
    "iptables": "iptables",
    "ip": "iproute2",
    "nft": "nftables",
    "nsenter": "util-linux",
    "/usr/lib/*/libsystemd.so.0": "libsystemd0",
    "/*/*/libdevmapper.so.1.02.1": "libdevmapper1.02.1",
}
PACKAGES = {
    "bookworm": ["docker.io", "containerd", "tini"],  # 20.10.24, API 1.41: older than the controller accepts
    "trixie": ["docker.io", "containerd", "tini", "docker-cli"],  # 26.1.5, API 1.45
    "forky": ["docker.io", "containerd", "tini", "docker-cli"],  # 28.5.2, API 1.51
}
DEFAULT_SUITE = "trixie"
CGROUP_PARENT = "skypanel-lab"


@dataclass(frozen=True, slots=True)
class Daemon:
    """The engine of one node.

    `folder` has its data, socket and log; `binaries` is an unpacked suite; `options` are for its daemon.json; with
    `pulls`, tasks ask registries for their images.
    """

    sandbox: Sandbox
    folder: Path
    binaries: Path
    cgroup: str
    options: tuple[tuple[str, Any], ...] = ()
    pulls: bool = False

    @property
    def socket(self) -> Path:
        """Its unix socket, as the host sees it."""
        return self.folder / "docker.sock"

    @property
    def log(self) -> Path:
        """What it says."""
        return self.folder / "dockerd.log"

    def api(self) -> EngineApi:
        """Calls to this engine."""
        return EngineApi(self.socket)

    def pids(self) -> list[int]:
        """Host pids of dockerd; empty when it does not run."""
        return [pid for pid, name in self.sandbox.processes().items() if name == "dockerd"]

    def start(self) -> None:
        """Start it, unless it runs; returns before it answers (see `wait`)."""
        if self.pids():
            return
        self._configure()
        path = f"{self.binaries}/usr/sbin:{self.binaries}/usr/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        proxies = {name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")}
        environment = {
            **proxies,
            "PATH": path,
            "HOME": "/root",
            # Images of the lab are loaded, never pulled: a task does not ask a registry that is not there.
            "DOCKER_SERVICE_PREFER_OFFLINE_IMAGE": "" if self.pulls else "1",
        }
        self.socket.unlink(missing_ok=True)
        leftover = ["sh", "-c", 'rm -f /run/docker.pid; exec "$@"', "start"]
        program = self.sandbox.command(*leftover, "dockerd", "--config-file", str(self.folder / "daemon.json"))
        detach(program, environment, self.log)

    def wait(self, *, seconds: float = 60.0) -> None:
        """Wait until it answers.

        Raises:
            LabError: it ended or stayed silent; the message has the end of its log.
        """
        deadline = time.monotonic() + seconds
        born = time.monotonic() + 2  # nsenter may need a moment before dockerd is seen
        api = self.api()
        while not api.answers():
            if time.monotonic() > deadline or (time.monotonic() > born and not self.pids()):
                tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-12:])
                raise LabError(f"the engine on {self.socket} does not answer; the end of {self.log}:\n{tail}")
            time.sleep(0.02)

    def stop(self, *, seconds: float = 60.0) -> None:
        """Ask it to end, which ends its containers, and wait until it has."""
        self._signal(signal.SIGTERM, seconds)

    def kill(self, *, seconds: float = 10.0) -> None:
        """SIGKILL the daemon alone: its containers go on, as when it crashes."""
        self._signal(signal.SIGKILL, seconds)

    def _signal(self, number: signal.Signals, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        for pid in self.pids():
            os.kill(pid, number)
        while self.pids():
            if time.monotonic() > deadline:
                raise LabError(f"dockerd of {self.folder} does not end on {number.name}; see {self.log}")
            time.sleep(0.02)

    def _configure(self) -> None:
        """All options in a file of our own, so that the machine's /etc/docker/daemon.json has no say."""
        options = {
            "hosts": [f"unix://{self.socket}", "unix:///run/docker.sock"],
            "data-root": str(self.folder / "data"),
            "exec-root": "/run/docker",
            "pidfile": "/run/docker.pid",
            "exec-opts": ["native.cgroupdriver=cgroupfs"],
            "cgroup-parent": f"/{CGROUP_PARENT}/{self.cgroup}",
            "storage-driver": "overlay2",
            "init-path": str(init_program(self.binaries)),
            "log-opts": {"max-size": "10m", "max-file": "2"},
            "shutdown-timeout": 5,
            **dict(self.options),
        }
        (self.folder / "daemon.json").write_text(json.dumps(options, indent=2) + "\n")


def binaries(suite: str) -> Path:
    """The unpacked engine of a Debian suite, with what it needs from the machine installed."""
    if suite not in PACKAGES:
        raise LabError(f"no engine is known for the suite {suite!r}; choose one of {', '.join(PACKAGES)}")
    debian.install_on_host(HOST_PROGRAMS)
    return debian.fetch(suite, PACKAGES[suite])


def init_program(folder: Path) -> Path:
    """The static init of an unpacked engine; newer suites have none in their packages, and take the default suite's."""
    own = folder / "usr/bin/tini-static"
    return own if own.exists() else debian.fetch(DEFAULT_SUITE, PACKAGES[DEFAULT_SUITE]) / "usr/bin/tini-static"


def cgroup_name(mark: Path) -> str:
    """Name of a node's control group: readable, and not shared by nodes of other roots."""
    return f"{mark.parent.name}-{mark.name}-{hashlib.sha256(str(mark).encode()).hexdigest()[:8]}"


def remove_cgroups(cgroup: str) -> None:
    """Remove the empty control groups that the containers of a dead engine leave behind."""
    root = Path("/sys/fs/cgroup")
    # One tree in version 2, one for each controller in version 1. No deeper search: other labs change theirs.
    for parent in (root / CGROUP_PARENT / cgroup, *root.glob(f"*/{CGROUP_PARENT}/{cgroup}")):
        for folder, _, _ in os.walk(parent, topdown=False):
            _remove_group(Path(folder))


def remove_folder(folder: Path) -> None:
    """Remove a folder so that a crash half way leaves nothing that looks whole."""
    if not folder.exists():
        return
    doomed = folder.with_name(f".{folder.name}.removing-{os.getpid()}")
    folder.rename(doomed)
    shutil.rmtree(doomed)


def _remove_group(folder: Path) -> None:
    deadline = time.monotonic() + 5
    while folder.exists():
        try:
            folder.rmdir()
        except OSError as error:
            if time.monotonic() > deadline:
                raise LabError(f"cannot remove the control group {folder}: {error}") from error
            time.sleep(0.01)
