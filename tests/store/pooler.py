"""PgBouncer before a test's database: Debian's package, unpacked beside the system."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import psycopg

from deploy.engine import debian
from deploy.postgres.binaries import find_account
from tests.store.conftest import Database

SUITE = "bookworm"
_CONFIGURATION = """\
[databases]
{name} = host={socket} dbname={name} user=controller pool_size=6
[pgbouncer]
unix_socket_dir = {folder}
listen_port = 6432
auth_type = any
user = {account}
pool_mode = {mode}
admin_users = postgres
"""
_SECONDS = 20


@contextmanager
def pooler(database: Database, mode: str) -> Iterator[str]:
    """The URL of the controller's role through a pooler in ``mode``: ``session`` or ``transaction``."""
    account = find_account()
    place = Path(tempfile.mkdtemp(prefix="skypanel-pooler-"))  # its own account must get through to it
    os.chown(place, account.uid, account.gid)
    configuration = place / "pgbouncer.ini"
    configuration.write_text(
        _CONFIGURATION.format(
            name=database.name, socket=database.server.socket_dir, folder=place, account=account.name, mode=mode
        ),
        encoding="utf-8",
    )
    program, environment = _program()
    running = subprocess.Popen([program, str(configuration)], env=environment, stderr=subprocess.DEVNULL)
    url = f"postgresql://controller@/{quote(database.name)}?host={quote(str(place), safe='')}&port=6432"
    try:
        _wait(running, url)
        yield url
    finally:
        running.send_signal(signal.SIGTERM)
        running.wait(_SECONDS)
        shutil.rmtree(place)


def _program() -> tuple[str, dict[str, str]]:
    if found := shutil.which("pgbouncer"):
        return found, dict(os.environ)
    tree = debian.fetch(SUITE, ["pgbouncer"], with_dependencies=True)
    libraries = [str(folder) for part in ("usr/lib", "lib") for folder in tree.glob(f"{part}/*-linux-gnu")]
    return str(tree / "usr/sbin/pgbouncer"), {**os.environ, "LD_LIBRARY_PATH": ":".join(libraries)}


def _wait(running: subprocess.Popen[bytes], url: str) -> None:
    deadline = time.monotonic() + _SECONDS
    while True:
        try:
            psycopg.connect(url, connect_timeout=2).close()
        except psycopg.OperationalError as error:
            if running.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"PgBouncer did not start: {error}") from error
            time.sleep(0.05)
        else:
            return
