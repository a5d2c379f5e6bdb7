"""One machine: boots in namespaces of its own with a real systemd, runs commands, and leaves nothing when it ends.

Mechanism
    `unshare` makes the namespaces, `boot.sh` the file systems (an overlay on a root file system that is shared and
    never written), and systemd is process 1 in them. slirp4netns gives it a way out without a change to the network of
    the outer machine; nothing leads in but `Machine.network`.

Guarantees
    It ends with the process that booted it, however that ends: the kernel kills systemd, and with it all the rest. What
    is left then, a folder and empty control groups, goes at the next boot under the same name.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from deploy.engine import sandbox
from deploy.engine.errors import LabError
from deploy.engine.paths import cache_root, exclusive
from deploy.machine.base import base

MARK = "SKYPANEL_LAB_MACHINE"
CGROUP = "skypanel-machines"
_CGROUPS = Path("/sys/fs/cgroup")
_ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
}


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended, and all that it said."""

    code: int
    output: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Machine:
    """A running machine; `pid` is its systemd as the outer machine sees it."""

    name: str
    suite: str
    folder: Path
    pid: int

    def command(self, *program: str) -> list[str]:
        """The command line that runs a program inside, as root."""
        every = ("--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--wdns=/root")
        return ["nsenter", f"--target={self.pid}", *every, "--", *program]

    def run(self, script: str, *, seconds: float = 600.0, check: bool = True, stdin: Path | None = None) -> Done:
        """Run a script of bash.

        Args:
            script: as typed by root in its home.
            seconds: how long it may take.
            check: whether an exit code other than 0 is an error.
            stdin: a file of the outer machine that it reads.

        Raises:
            LabError: it failed.
        """
        begun = time.monotonic()
        with (stdin or Path(os.devnull)).open("rb") as given:
            done = subprocess.run(
                self.command("bash", "-c", script),
                env=_ENVIRONMENT,
                stdin=given,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=seconds,
                check=False,
            )
        output = done.stdout.decode(errors="replace")
        if check and done.returncode:
            raise LabError(f"on {self.name}, with exit code {done.returncode}: {script}\n{output[-4000:]}")
        return Done(done.returncode, output, time.monotonic() - begun)

    def put(self, source: Path, target: str) -> None:
        """Copy a file, or a folder with its links as links, into it; `target` is a path inside."""
        packed = subprocess.run(["tar", "-C", source.parent, "-c", source.name], capture_output=True, check=True).stdout
        inside = Path(target)
        renamed = f'--transform="s,^{source.name},{inside.name},"'
        script = f'mkdir -p "{inside.parent}" && cd "{inside.parent}" && tar -x {renamed}'
        subprocess.run(self.command("sh", "-c", script), env=_ENVIRONMENT, input=packed, check=True)

    def load(self, *archives: Path) -> None:
        """Give images to its engine, as `docker load` does."""
        for archive in archives:
            with archive.open("rb") as content:
                subprocess.run(self.command("docker", "load", "-q"), stdin=content, capture_output=True, check=True)


@contextlib.contextmanager
def booted(name: str, suite: str) -> Iterator[Machine]:
    """A machine, as long as the body runs.

    Raises:
        LabError: it does not boot.
    """
    bare = base(suite)
    folder = _root() / name
    with exclusive(_root() / f".{name}.lock"):
        _remove(folder)
        for part in ("up", "work", "root", "docker", "containerd"):
            (folder / part).mkdir(parents=True)
        archives = cache_root() / "machines" / f"{suite}-archives"
        (archives / "partial").mkdir(parents=True, exist_ok=True)
        processes: list[subprocess.Popen[bytes]] = []
        try:
            processes.append(_start(folder, bare, archives, name))
            machine = Machine(name, suite, folder, _first(folder, processes[0]))
            processes.append(_connect(machine))
            _wait(machine)
            yield machine
        finally:
            for process in reversed(processes):
                process.kill()
                process.wait()
            _remove(folder)


def _start(folder: Path, bare: Path, archives: Path, name: str) -> subprocess.Popen[bytes]:
    """The process whose end is the machine's; it ends with this one."""
    groups = _make_cgroups(folder)
    script = "".join(f"echo $$ > {group}/cgroup.procs\n" for group in groups)
    namespaces = "--uts --ipc --pid --net --cgroup --mount --propagation private --fork --kill-child"
    script += f'exec unshare {namespaces} -- bash "$@"\n'
    arguments = [str(folder), str(bare), name, str(archives)]
    boot = ["bash", "-ec", script, "boot", str(Path(__file__).with_name("boot.sh")), *arguments]
    return _spawn(boot, folder / "boot.log", {**_ENVIRONMENT, MARK: str(folder)})


def _spawn(command: list[str], log: Path, environment: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
    """A program that is killed when this one ends."""
    with log.open("wb") as output:
        return subprocess.Popen(
            ["setpriv", "--pdeathsig=KILL", *command],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _first(folder: Path, holder: subprocess.Popen[bytes], *, seconds: float = 20.0) -> int:
    """The process id of its systemd."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and holder.poll() is None:
        for pid in _inside(folder):
            if Path(f"/proc/{pid}/comm").read_text().strip() == "systemd":
                return pid
        time.sleep(0.02)
    raise LabError(f"no machine can be made in {folder}: {(folder / 'boot.log').read_text(errors='replace')[-2000:]}")


def _connect(machine: Machine) -> subprocess.Popen[bytes]:
    arguments = ["--configure", "--mtu=65520", "--disable-host-loopback", str(machine.pid), "tap0"]
    return _spawn(["slirp4netns", *arguments], machine.folder / "network.log")


def _wait(machine: Machine, *, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    ready = "systemctl is-system-running | grep -qx running && ip route | grep -q ^default"
    while (done := machine.run(ready, check=False)).code:
        if time.monotonic() > deadline:
            failed = machine.run("systemctl --failed --no-legend", check=False).output
            raise LabError(f"{machine.name} does not come up: {done.output} {failed}")
        time.sleep(0.1)


def _make_cgroups(folder: Path) -> list[Path]:
    """A control group of its own in each tree; the machine sees it as the root."""
    trees = (
        [_CGROUPS]
        if (_CGROUPS / "cgroup.procs").exists()
        else [tree for tree in _CGROUPS.iterdir() if not tree.is_symlink()]
    )
    groups = [tree / CGROUP / folder.name for tree in trees]
    for group in groups:
        for part in (group.parent, group):
            part.mkdir(exist_ok=True)
            for setting in ("cpuset.cpus", "cpuset.mems"):
                if (part.parent / setting).exists() and (part / setting).exists():
                    (part / setting).write_text((part.parent / setting).read_text())
    return groups


def _remove(folder: Path) -> None:
    """What a machine of that folder left, running or not."""
    deadline = time.monotonic() + 20
    while pids := _inside(folder):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, 9)
        if time.monotonic() > deadline:
            raise LabError(f"processes of {folder} do not end: {pids}")
        time.sleep(0.02)
    for top in (_CGROUPS / CGROUP / folder.name, *_CGROUPS.glob(f"*/{CGROUP}/{folder.name}")):
        for group, _, _ in os.walk(top, topdown=False):
            _remove_group(Path(group))
    shutil.rmtree(folder, ignore_errors=False) if folder.exists() else None


def _remove_group(group: Path) -> None:
    deadline = time.monotonic() + 10
    while group.exists():
        try:
            group.rmdir()
        except OSError as error:
            if time.monotonic() > deadline:
                raise LabError(f"cannot remove the control group {group}: {error}") from error
            time.sleep(0.02)


def _inside(folder: Path) -> list[int]:
    """First processes of machines of that folder; their end is the end of all in it."""
    found = []
    for pid in sandbox.find_marked(MARK, str(folder)):
        with contextlib.suppress(OSError):
            status = Path(f"/proc/{pid}/status").read_text()
            levels = next((line.split()[1:] for line in status.splitlines() if line.startswith("NSpid:")), [])
            if len(levels) > 1 and levels[-1] == "1":
                found.append(pid)
    return found


def _root() -> Path:
    return Path(os.environ.get("SKYPANEL_LAB") or "/var/lib/skypanel-lab").absolute() / ".machines"
