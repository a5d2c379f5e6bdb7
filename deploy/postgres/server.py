"""One private server: its folder, its process, its roles and databases.

    pg-<name>/          lock
      data/             the cluster, as initdb made it
      run/              the socket, closed to others (mode 0700)
      server.log

`ensure` can be called by several processes at once and after any crash: a lock file orders them, and a pid file that a
killed server left behind is recognised by what its process really is.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from deploy.postgres.binaries import Account, PostgresError, find_account, find_bindir, major_version

DATABASE = "skypanel"
SUPERUSER = "postgres"
OWNER = "skypanel_owner"
# Login role -> the group that the migrations give rights to.
LOGINS = {"panel": "skypanel_panel", "controller": "skypanel_controller", "reader": "skypanel_reader"}
START_SECONDS = 30.0
LONGEST_SOCKET = 107


@dataclass(frozen=True, slots=True)
class Server:
    """A server by name; nothing is done before a method is called.

    Args:
        name: folder name, also the way to tell several servers apart.
        folder: where everything of this server is.
        durable: False trades the safety of the data in a power cut for speed, for tests.
    """

    name: str
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

    def dsn_for(self, role: str = OWNER, database: str = DATABASE) -> str:
        """The connection URL of a role (superuser: "postgres")."""
        return f"postgresql://{quote(role)}@/{quote(database)}?host={quote(str(self.socket_dir), safe='')}"

    def pid(self) -> int | None:
        """Process id of the running server, or None."""
        try:
            pid = int((self.data / "postmaster.pid").read_text().split("\n", 1)[0])
            # A server works in its data folder; another process that got the number after a crash does not.
            return pid if Path(f"/proc/{pid}/cwd").readlink() == self.data.resolve() else None
        except (OSError, ValueError):
            return None

    def up(self) -> None:
        """Makes the cluster, starts it, and makes roles and the database: whatever of that is missing."""
        with self._locked():
            self._initialise()
            self._start()
            self._make_roles()

    def start(self) -> None:
        """Starts the server; no effect when it runs."""
        with self._locked():
            self._start()

    def stop(self, mode: str = "fast") -> None:
        """Stops it (mode: smart, fast, immediate); no effect when it does not run."""
        with self._locked():
            self._stop(mode)

    def restart(self) -> None:
        """Stops and starts it; connections break."""
        with self._locked():
            self._stop("fast")
            self._start()

    def kill(self) -> None:
        """Kills the main process as a crash would (SIGKILL); what it leaves behind is left for `start`."""
        if (pid := self.pid()) is not None:
            os.kill(pid, signal.SIGKILL)
            self._wait("the killed server is still there", lambda: not Path(f"/proc/{pid}").exists())

    def destroy(self) -> None:
        """Stops the server and removes all its data."""
        with self._locked():
            self._stop("immediate")
        shutil.rmtree(self.folder)

    def connect(self, role: str = SUPERUSER, database: str = SUPERUSER) -> psycopg.Connection:
        """An autocommit connection."""
        return psycopg.connect(self.dsn_for(role, database), autocommit=True, connect_timeout=10)

    def create_empty_database(self, name: str) -> str:
        """A new empty database, owned by the owner role; gives the owner's URL."""
        with self.connect() as conn:
            conn.execute(
                sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(name), sql.Identifier(OWNER))
            )
        return self.dsn_for(OWNER, name)

    def drop_database(self, name: str) -> None:
        """Removes a database, also when somebody is still connected; no effect when there is none."""
        with self.connect() as conn:
            conn.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def create_database(self, name: str) -> str:
        """A new database with all migrations applied, copied from a template; gives the owner's URL."""
        from deploy.postgres.template import migrated_template  # noqa: PLC0415 - imports the controller

        with self._locked(), self.connect() as conn:
            template = migrated_template(self, conn)
            conn.execute(
                sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {}").format(
                    sql.Identifier(name), sql.Identifier(OWNER), sql.Identifier(template)
                )
            )
        return self.dsn_for(OWNER, name)

    # ---- below: with the lock held

    def _initialise(self) -> None:
        if len(str(self.socket_dir / ".s.PGSQL.5432")) > LONGEST_SOCKET:
            raise PostgresError(
                f"{self.socket_dir} is too long for a unix socket: set SKYPANEL_LAB to a shorter path"
            )
        self._own_folder(self.socket_dir)
        if (self.data / "PG_VERSION").exists():
            return
        # initdb works beside the final place, so that a crash in the middle leaves nothing that looks finished.
        raw = self.folder / "data.new"
        shutil.rmtree(raw, ignore_errors=True)
        self._own_folder(raw)
        self._run(
            "initdb", "--pgdata", raw, "--username", SUPERUSER, "--auth-local=trust", "--auth-host=reject",
            "--encoding=UTF8", "--no-locale", "--no-sync", "--no-instructions",
        )  # fmt: skip
        raw.rename(self.data)

    def _start(self) -> None:
        self._check_version()
        if self.pid() is not None:
            return
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        for leftover in self.socket_dir.glob(".s.PGSQL.*"):
            leftover.unlink()
        durable = "on" if self.durable else "off"
        (self.data / "postgresql.auto.conf").write_text(
            f"listen_addresses = ''\nunix_socket_directories = '{self.socket_dir}'\nunix_socket_permissions = 0700\n"
            f"max_connections = 200\nfsync = {durable}\nsynchronous_commit = {durable}\nfull_page_writes = {durable}\n"
            "timezone = 'UTC'\nlog_timezone = 'UTC'\nlog_min_duration_statement = -1\nlog_statement = 'none'\n"
        )
        self.log.touch(mode=0o600)
        os.chown(self.log, self.account.uid, self.account.gid)
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                self._run("pg_ctl", "start", "--pgdata", self.data, "--log", self.log, "--wait", "--silent")
            except PostgresError as error:
                # After a SIGKILL the children go by themselves, but not at once: their memory is still in use.
                log = self.log.read_text()[-1500:]
                if "shared memory block" not in log or time.monotonic() > deadline:
                    raise PostgresError(f"{error}\n{log}") from None
                time.sleep(0.1)
            else:
                return

    def _stop(self, mode: str) -> None:
        if (pid := self.pid()) is not None:
            self._run("pg_ctl", "stop", "--pgdata", self.data, "--mode", mode, "--wait", "--silent")
            self._wait("the stopped server is still there", lambda: not Path(f"/proc/{pid}").exists())

    def _make_roles(self) -> None:
        def exists(catalog: str, column: str, name: str) -> bool:
            query = sql.SQL("SELECT 1 FROM {} WHERE {} = %s").format(
                sql.Identifier(catalog), sql.Identifier(column)
            )
            return conn.execute(query, [name]).fetchone() is not None

        with self.connect() as conn:
            if not exists("pg_roles", "rolname", OWNER):
                conn.execute(sql.SQL("CREATE ROLE {} LOGIN CREATEROLE").format(sql.Identifier(OWNER)))
            for login, group in LOGINS.items():
                if not exists("pg_roles", "rolname", group):
                    conn.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(group)))
                if not exists("pg_roles", "rolname", login):
                    conn.execute(
                        sql.SQL("CREATE ROLE {} LOGIN IN ROLE {}").format(
                            sql.Identifier(login), sql.Identifier(group)
                        )
                    )
            if not exists("pg_database", "datname", DATABASE):
                conn.execute(
                    sql.SQL("CREATE DATABASE {} OWNER {}").format(
                        sql.Identifier(DATABASE), sql.Identifier(OWNER)
                    )
                )

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

    def _run(self, program: str, *arguments: str | Path) -> None:
        identity = (
            {}
            if self.account.is_self
            else {"user": self.account.uid, "group": self.account.gid, "extra_groups": ()}
        )
        command = [str(find_bindir() / program), *map(str, arguments)]
        environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "HOME": str(self.folder)}
        # No pipes: the server would inherit them, and whoever reads them would wait for its end.
        output = self.folder / f"{program}.out"
        with output.open("wb") as sink:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, check=False,
                cwd=self.folder, env=environment, start_new_session=True, **identity,
            )  # fmt: skip
        text = output.read_text(errors="replace").strip()
        output.unlink()
        if done.returncode != 0:
            raise PostgresError(
                f"server {self.name}: {program} failed with exit code {done.returncode}: {text}"
            )

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        self.folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        with (self.folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    @staticmethod
    def _wait(problem: str, done: object) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not done():  # type: ignore[operator]
            if time.monotonic() > deadline:
                raise PostgresError(f"{problem} after {START_SECONDS:.0f} s")
            time.sleep(0.02)


def lab_root() -> Path:
    """Where the lab keeps its state: $SKYPANEL_LAB, else /var/lib/skypanel-lab."""
    return Path(os.environ.get("SKYPANEL_LAB") or "/var/lib/skypanel-lab")


def named(name: str, *, durable: bool = True) -> Server:
    """The server of that name, running or not."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,31}", name):
        raise PostgresError(
            f"{name!r} is not a server name: lower-case letters, digits and hyphens, at most 32"
        )
    return Server(name, lab_root() / f"pg-{name}", durable)


def ensure(name: str, *, durable: bool = True) -> Server:
    """The server of that name, running, with roles and the (empty) database `skypanel`.

    Raises:
        PostgresError: it cannot be installed or started.
    """
    server = named(name, durable=durable)
    server.up()
    return server
