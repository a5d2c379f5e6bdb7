"""One PostgreSQL cluster and its process: make it, start it, stop it, tell whether it runs.

    <folder>/
      data/             as initdb made it; of a cluster that need not be durable, a link to a folder in memory
      run/              the socket, closed to others (mode 0700)
      server.log

Every step can be cut off by a crash and done again: initdb works beside the final place, and a pid file that
a killed server left behind is recognised by what its process really is.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from deploy.postgres.binaries import Account, PostgresError, find_account, find_bindir, major_version

SUPERUSER = "postgres"
START_SECONDS = 30.0
LONGEST_SOCKET = 107
MEMORY = Path("/dev/shm")
LEAST_MEMORY = 2 * 1024**3


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster by its folder; nothing is done before a method is called. Callers take turns by themselves.

    Args:
        folder: where everything of this cluster is.
        durable: False trades the safety of the data in a power cut for speed, for tests: three times as fast.
    """

    folder: Path
    durable: bool = True
    account: Account = field(default_factory=find_account)

    @property
    def data(self) -> Path:
        """The data folder."""
        return self.folder / "data"

    @property
    def socket_dir(self) -> Path:
        """The folder of the unix socket; libpq takes it as `host`."""
        return self.folder / "run"

    @property
    def log(self) -> Path:
        """The server's log file."""
        return self.folder / "server.log"

    def pid(self) -> int | None:
        """Process id of the running server, or None."""
        try:
            pid = int((self.data / "postmaster.pid").read_text().split("\n", 1)[0])
        except (OSError, ValueError):
            return None
        return pid if self.has_process(pid) else None

    def has_process(self, pid: int) -> bool:
        """Whether a process is alive and one of this cluster's.

        They work in the data folder; another process that got the number after a crash does not, and neither
        does one that has ended and whose parent has not asked for its exit code yet.
        """
        try:
            return Path(f"/proc/{pid}/cwd").readlink() == self.data.resolve()
        except OSError:
            return False

    def initialise(self) -> None:
        """Makes the cluster where there is none, and its settings, which count from the next start."""
        if len(str(self.socket_dir / ".s.PGSQL.5432")) > LONGEST_SOCKET:
            raise PostgresError(f"{self.socket_dir} is too long for a socket: set SKYPANEL_LAB to a shorter path")
        self._own_folder(self.socket_dir)
        if not (self.data / "PG_VERSION").exists():
            self._make_data()
        self._write_own(self.data / "postgresql.auto.conf", self._settings())

    def start(self) -> None:
        """Starts the server and waits until it answers; no effect when it runs."""
        self._check_version()
        if self.pid() is not None:
            return
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        for leftover in self.socket_dir.glob(".s.PGSQL.*"):
            leftover.unlink()
        self._write_own(self.log, "")
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                self._run(
                    "pg_ctl",
                    "start",
                    "--pgdata",
                    str(self.data),
                    "--log",
                    str(self.log),
                    "--wait",
                    "--silent",
                )
            except PostgresError as error:
                # After a SIGKILL the children go by themselves, but not at once: their memory is in use.
                log = self.log.read_text()[-1500:]
                if "shared memory block" not in log or time.monotonic() > deadline:
                    raise PostgresError(f"{error}\n{log}") from None
                time.sleep(0.1)
            else:
                return

    def stop(self, mode: str) -> None:
        """Stops the server (smart, fast, immediate) and waits for its end; no effect when it does not run."""
        if (pid := self.pid()) is not None:
            self._run("pg_ctl", "stop", "--pgdata", str(self.data), "--mode", mode, "--wait", "--silent")
            wait_until(lambda: not self.has_process(pid), "the stopped server is still there")

    def remove_data(self) -> None:
        """Removes the data of a server that does not run, wherever it is."""
        for path in MEMORY.glob(self._memory_prefix() + "*"):
            shutil.rmtree(path)
        for path in (self.data, self.folder / "data.new"):
            if path.is_symlink():
                path.unlink()
            elif path.exists():
                shutil.rmtree(path)

    def _memory_prefix(self) -> str:
        return f"skypanel-{hashlib.sha256(str(self.folder).encode()).hexdigest()[:12]}-"

    def _make_data(self) -> None:
        self.remove_data()
        raw = self.folder / "data.new"
        if not self.durable and MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > LEAST_MEMORY:
            in_memory = Path(tempfile.mkdtemp(prefix=self._memory_prefix(), dir=MEMORY))
            self._own_folder(in_memory)
            raw.symlink_to(in_memory)
        else:
            self._own_folder(raw)
        options = ["--auth-local=trust", "--auth-host=reject", "--encoding=UTF8", "--no-locale", "--no-sync"]
        self._run("initdb", "--pgdata", str(raw), "--username", SUPERUSER, "--no-instructions", *options)
        raw.rename(self.data)

    def _settings(self) -> str:
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.socket_dir),
            "unix_socket_permissions": "0700",
            "max_connections": "200",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "log_statement": "none",
        }
        if not self.durable:
            settings |= dict.fromkeys(("fsync", "synchronous_commit", "full_page_writes", "autovacuum"), "off")
            settings |= {"wal_level": "minimal", "max_wal_senders": "0", "checkpoint_timeout": "1h"}
        return "".join(f"{key} = '{value}'\n" for key, value in settings.items())

    def _check_version(self) -> None:
        cluster = (self.data / "PG_VERSION").read_text().strip()
        bindir = find_bindir()
        if (server := major_version(bindir)) != int(cluster):
            raise PostgresError(
                f"{self.data} was made by PostgreSQL {cluster}, and {bindir} has {server}:"
                f" set PGBIN to a {cluster}, or remove {self.folder}"
            )

    def _own_folder(self, path: Path) -> None:
        path.mkdir(mode=0o700, exist_ok=True)
        path.chmod(0o700)
        os.chown(path, self.account.uid, self.account.gid)

    def _write_own(self, path: Path, text: str) -> None:
        path.write_text(text)
        path.chmod(0o600)
        os.chown(path, self.account.uid, self.account.gid)

    def _run(self, program: str, *arguments: str) -> None:
        other = None if self.account.is_self else self.account
        # No pipes: the server would inherit them, and whoever reads them would wait for its end.
        output = self.folder / f"{program}.out"
        with output.open("wb") as sink:
            done = subprocess.run(
                [str(find_bindir() / program), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                check=False,
                cwd=self.folder,
                env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", "HOME": str(self.folder)},
                start_new_session=True,
                user=other.uid if other else None,
                group=other.gid if other else None,
                extra_groups=() if other else None,
            )
        text = output.read_text(errors="replace").strip()
        output.unlink()
        if done.returncode != 0:
            raise PostgresError(f"{self.folder}: {program} failed with exit code {done.returncode}: {text}")


def wait_until(done: Callable[[], bool], problem: str) -> None:
    """Waits for a condition; raises PostgresError with `problem` after a while."""
    deadline = time.monotonic() + START_SECONDS
    while not done():
        if time.monotonic() > deadline:
            raise PostgresError(f"{problem} after {START_SECONDS:.0f} s")
        time.sleep(0.02)
