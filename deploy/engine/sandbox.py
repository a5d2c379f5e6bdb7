"""A sandbox: the network, mount, process and host name namespaces of one node, held by one small process.

Mechanism
    `unshare` makes the namespaces and starts `tini` as process 1 in them; everything of a node (dockerd,
    containerd, shims, containers) runs below it. No namespace has a name in the file system and no pid file
    is kept: a sandbox is found again by the mark in its first process's environment.

Guarantees
    When process 1 dies, the kernel ends every process of the node and drops its mounts, interfaces and
    addresses: there is nothing to clean up but the folder on disk and empty cgroups. A reboot has the same
    effect.

Assumptions
    root, on a kernel with namespaces. Not one of them needs the machine's own Docker.
"""

import ctypes
import os
import select
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.engine.errors import LabError

MARK = "SKYPANEL_LAB_SANDBOX"
CLONE_NEWNET = 0x40000000

# Runs as process 1 before it becomes tini. A copied mount of another network namespace would keep that
# namespace alive for ever ("error creating vxlan interface: file exists" on the next start), so those go
# first. /run is private: the engine's runtime state, sockets and locks in it live and die with the node.
SETUP = """\
set -eu
grep -oP '^nsfs \\K\\S+' /proc/mounts | while read -r point; do umount -l "$point" || :; done
resolver=$(readlink -f /etc/resolv.conf || echo /etc/resolv.conf)
mount -t tmpfs -o mode=755 tmpfs /run
printf %s "$1" > /run/resolv.conf
case $resolver in
  /run/resolv.conf) ;;
  /run/*) mkdir -p "$(dirname "$resolver")"; cp /run/resolv.conf "$resolver" ;;
  *) [ -e "$resolver" ] || : > "$resolver"; mount --bind /run/resolv.conf "$resolver" ;;
esac
hostname "$3"
exec "$2" -s -- sleep infinity
"""


@dataclass(frozen=True, slots=True)
class Sandbox:
    """One living sandbox; `pid` is its first process as the host sees it."""

    mark: str
    pid: int

    def command(self, *program: str) -> list[str]:
        """The command line that runs `program` inside, in all of its namespaces."""
        return ["nsenter", "--target", str(self.pid), "--net", "--mount", "--uts", "--pid", "--", *program]

    def network_command(self, *program: str) -> list[str]:
        """The command line that runs `program` in the network namespace only, with the host's files."""
        return ["nsenter", f"--net=/proc/{self.pid}/ns/net", "--", *program]

    @contextmanager
    def entered_network(self) -> Iterator[None]:
        """Let the calling thread stand in the node's network while the body runs.

        A socket belongs to the namespace it is made in, so a client connected inside goes on working outside.
        Other threads, those of a pool too, are not moved.
        """
        libc = ctypes.CDLL(None, use_errno=True)
        with (
            Path("/proc/thread-self/ns/net").open() as home,
            Path(f"/proc/{self.pid}/ns/net").open() as inside,
        ):
            if libc.setns(inside.fileno(), CLONE_NEWNET):
                number = ctypes.get_errno()
                raise OSError(number, f"cannot enter the network of {self.mark}: {os.strerror(number)}")
            try:
                yield
            finally:
                if libc.setns(home.fileno(), CLONE_NEWNET):
                    os._exit(70)  # a thread lost in another network must not go on

    def processes(self) -> dict[int, str]:
        """Host pids and names of the processes directly in this sandbox, so not of those in containers."""
        own = _namespace(self.pid)
        return {pid: _name(pid) for pid in _pids() if own and _namespace(pid) == own}

    def destroy(self, *, seconds: float = 20.0) -> None:
        """End every process of the sandbox at once, as when the machine loses power."""
        handle = _open(self.pid, self.mark)
        if handle is None:
            return
        try:
            signal.pidfd_send_signal(handle, signal.SIGKILL)
            # The first process has ended only when the kernel has ended all the others.
            if not select.select([handle], [], [], seconds)[0]:
                raise LabError(f"process {self.pid} of {self.mark} does not end; see /proc/{self.pid}/stack")
        except ProcessLookupError:
            pass
        finally:
            os.close(handle)


def find(mark: str | Path) -> Sandbox | None:
    """The living sandbox with this mark, if there is one."""
    for pid in _pids():
        if _is_first(pid, str(mark)):
            return Sandbox(str(mark), pid)
    return None


def create(
    mark: Path, *, hostname: str, resolver: str, tini: Path, own_network: bool = True, seconds: float = 10.0
) -> Sandbox:
    """Make a sandbox, or return the one that lives under this mark.

    Args:
        mark: the node's folder, which is also its identity.
        hostname: the node's own.
        resolver: its /etc/resolv.conf; a name server that refuses makes unknown names fail at once.
        tini: a static init program.
        own_network: whether it gets a network namespace of its own, or shares the host's.
        seconds: how long its setup may take.

    Raises:
        LabError: the namespaces could not be made.
    """
    if existing := find(mark):
        return existing
    mark.mkdir(parents=True, exist_ok=True)
    log = mark / "sandbox.log"
    namespaces = ["--uts", "--pid", "--fork", "--mount", "--mount-proc", "--propagation", "slave"]
    if own_network:
        namespaces.append("--net")
    log.unlink(missing_ok=True)
    detach(
        ["unshare", *namespaces, "--", "sh", "-c", SETUP, "sandbox", resolver, str(tini), hostname],
        {**os.environ, MARK: str(mark)},
        log,
    )
    deadline = time.monotonic() + seconds
    while lives(MARK, str(mark)):
        if sandbox := find(mark):
            return sandbox
        if time.monotonic() > deadline:
            for pid in find_marked(MARK, str(mark)):
                os.kill(pid, signal.SIGKILL)
            break
        time.sleep(0.005)
    reason = log.read_text(errors="replace").strip() or "no message"
    raise LabError(
        f"cannot make the namespaces of {mark}: {reason} (root, and CAP_SYS_ADMIN in a container, are needed)"
    )


def marks() -> set[str]:
    """Marks of every living sandbox on this machine."""
    prefix = f"{MARK}=".encode()
    entries = (entry for pid in _pids() for entry in _environment(pid) if entry.startswith(prefix))
    return {entry.removeprefix(prefix).decode() for entry in entries}


def find_marked(variable: str, value: str) -> list[int]:
    """Host pids of the processes that have `variable=value` in their environment."""
    entry = f"{variable}={value}".encode()
    return [pid for pid in _pids() if entry in _environment(pid)]


def lives(variable: str, value: str, *, seconds: float = 0.5) -> bool:
    """Whether a process with `variable=value` is there; looks again for a while, as exec hides an environment."""
    deadline = time.monotonic() + seconds
    while not find_marked(variable, value):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


def detach(command: Sequence[str], environment: dict[str, str], log: Path) -> None:
    """Start a program that outlives this one and is nobody's child; what it says is appended to the log."""
    with log.open("ab") as output:
        subprocess.run(
            ["setsid", "--fork", *command],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            check=True,
        )


def run(command: Sequence[str], *, stdin: str | None = None) -> str:
    """Run a short command and return its output.

    Raises:
        LabError: it failed; the message has its words.
    """
    done = subprocess.run(list(command), input=stdin, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LabError(f"{' '.join(command)} failed ({done.returncode}): {done.stderr.strip()[-800:]}")
    return done.stdout


def _open(pid: int, mark: str) -> int | None:
    """A handle on the process, checked after it was taken: a reused pid is never signalled."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return None
    if _is_first(pid, mark):
        return handle
    os.close(handle)
    return None


def _is_first(pid: int, mark: str) -> bool:
    if f"{MARK}={mark}".encode() not in _environment(pid):
        return False
    status = _read(Path(f"/proc/{pid}/status")).decode(errors="replace")
    levels = next((line.split()[1:] for line in status.splitlines() if line.startswith("NSpid:")), [])
    # Process 1 of its own namespace, and no longer the shell that prepares it.
    return len(levels) > 1 and levels[-1] == "1" and _name(pid).startswith("tini")


def _pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _environment(pid: int) -> list[bytes]:
    return _read(Path(f"/proc/{pid}/environ")).split(b"\0")


def _name(pid: int) -> str:
    return _read(Path(f"/proc/{pid}/comm")).decode(errors="replace").strip()


def _namespace(pid: int) -> str:
    try:
        return str(Path(f"/proc/{pid}/ns/pid").readlink())
    except OSError:
        return ""


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
