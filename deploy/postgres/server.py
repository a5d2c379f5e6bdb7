"""A named server: its cluster, its roles, its databases. Several processes may use one at the same time."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from deploy.postgres.binaries import PostgresError
from deploy.postgres.cluster import SUPERUSER, Cluster, wait_until

DATABASE = "skypanel"
OWNER = "skypanel_owner"
_STRATEGIES = 150000
"""From this version on a new database can be made by copying files, instead of through the write-ahead log."""
# Login role -> the groups that the migrations give rights to.
LOGINS = {
    "panel": ("skypanel_panel",),
    "controller": ("skypanel_controller",),
    "reader": ("skypanel_reader",),
    "scanner": ("skypanel_scanner",),
    "interface": ("skypanel_panel", "skypanel_interface"),
    "api": ("skypanel_api",),
}


@dataclass(frozen=True, slots=True)
class Server:
    """A server by name, running or not; made by `named` or `ensure`."""

    name: str
    cluster: Cluster

    @property
    def socket_dir(self) -> Path:
        """The folder of the unix socket; libpq takes it as `host`."""
        return self.cluster.socket_dir

    @property
    def exists(self) -> bool:
        """Whether there is a server of this name, running or not."""
        return self.cluster.data.exists()

    def dsn_for(self, role: str = OWNER, database: str = DATABASE) -> str:
        """The connection URL of a role (superuser: "postgres")."""
        return f"postgresql://{quote(role)}@/{quote(database)}?host={quote(str(self.socket_dir), safe='')}"

    def pid(self) -> int | None:
        """Process id of the running server, or None."""
        return self.cluster.pid()

    def up(self) -> None:
        """Makes the cluster, starts it, and makes roles and the database: whatever of that is missing."""
        with self._locked():
            self.cluster.initialise()
            self.cluster.start()
            self._make_roles()

    def start(self) -> None:
        """Starts the server; no effect when it runs."""
        with self._locked():
            self.cluster.start()

    def stop(self, mode: str = "fast") -> None:
        """Stops it (mode: smart, fast, immediate); no effect when it does not run."""
        with self._locked():
            self.cluster.stop(mode)

    def restart(self) -> None:
        """Stops and starts it; connections break."""
        with self._locked():
            self.cluster.stop("fast")
            self.cluster.start()

    def kill(self) -> None:
        """Kills the main process as a crash would (SIGKILL); what that leaves behind is left for `start`."""
        if (pid := self.pid()) is not None:
            os.kill(pid, signal.SIGKILL)
            wait_until(lambda: not self.cluster.has_process(pid), "the killed server is still there")

    def destroy(self) -> None:
        """Stops the server and removes all its data."""
        with self._locked():
            self.cluster.stop("immediate")
            self.cluster.remove_data()
            shutil.rmtree(self.cluster.folder)

    def connect(self, role: str = SUPERUSER, database: str = SUPERUSER) -> psycopg.Connection:
        """An autocommit connection."""
        return psycopg.connect(self.dsn_for(role, database), autocommit=True, connect_timeout=10)

    def create_database(self, name: str) -> str:
        """A new database with all migrations applied, copied from a template; gives the owner's URL."""
        from deploy.postgres.template import migrated_template  # noqa: PLC0415 - only this needs the controller

        with self._locked(), self.connect() as conn:
            template = migrated_template(self, conn)
            command = sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {}").format(
                *map(sql.Identifier, (name, OWNER, template))
            )
            if not self.cluster.durable and conn.info.server_version >= _STRATEGIES:
                command += sql.SQL(" STRATEGY FILE_COPY")  # its checkpoints cost nothing where nothing waits for a disk
            conn.execute(command)
        return self.dsn_for(OWNER, name)

    def create_empty_database(self, name: str) -> str:
        """A new database without anything, owned by the owner role; gives the owner's URL."""
        with self.connect() as conn:
            conn.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(*map(sql.Identifier, (name, OWNER))))
        return self.dsn_for(OWNER, name)

    def drop_database(self, name: str) -> None:
        """Removes a database, also when somebody is still connected; no effect when there is none."""
        with self.connect() as conn:
            conn.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def _make_roles(self) -> None:
        with self.connect() as conn:
            roles = {name for (name,) in conn.execute("SELECT rolname FROM pg_roles")}
            if OWNER not in roles:
                conn.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(OWNER)))
            for group in sorted({group for groups in LOGINS.values() for group in groups} - roles):
                conn.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(group)))
            for login, groups in LOGINS.items():
                if login not in roles:
                    command = sql.SQL("CREATE ROLE {} LOGIN IN ROLE {}")
                    of = sql.SQL(", ").join(map(sql.Identifier, groups))
                    conn.execute(command.format(sql.Identifier(login), of))
            found = conn.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
        if found is None:
            self.create_empty_database(DATABASE)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """One process at a time changes this server. The lock file is beside the folder, so that it stays."""
        self.cluster.folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        with self.cluster.folder.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self.cluster.folder.mkdir(mode=0o755, exist_ok=True)
            yield


def lab_root() -> Path:
    """Where the lab keeps its state: $SKYPANEL_LAB, else /var/lib/skypanel-lab."""
    return Path(os.environ.get("SKYPANEL_LAB") or "/var/lib/skypanel-lab")


def named(name: str, *, durable: bool = True) -> Server:
    """The server of that name, running or not."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,31}", name):
        raise PostgresError(f"{name!r} is not a server name: lower-case letters, digits, hyphens, at most 32")
    return Server(name, Cluster(lab_root() / f"pg-{name}", durable=durable))


def ensure(name: str, *, durable: bool = True) -> Server:
    """The server of that name, running, with roles and the (empty) database `skypanel`.

    Raises:
        PostgresError: it cannot be installed or started.
    """
    server = named(name, durable=durable)
    server.up()
    return server
