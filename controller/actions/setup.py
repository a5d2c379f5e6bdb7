"""Sets an installation up: roles, database and schema on a PostgreSQL server, and the files with connection strings.

The controller's has a key for config vars as well, made once, and never where data keys are under another one.

A connection string that stands in a file is never replaced, as a running controller may work with it: one that does not
work is told. Where there is none, the login gets a new password and the file a line. So a crash between the two is
mended by the next run, and a second run changes nothing.
"""

from __future__ import annotations

import os
import pwd
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg
from dotenv import dotenv_values
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from controller.actions.errors import ActionError
from controller.kit.redaction import redact
from controller.schema import setup as roles
from controller.schema.setup import Login, Steps, api_of, controller_of, people_of
from controller.settings_sources import API as OF_API
from controller.settings_sources import INSTALLED
from controller.settings_sources import PEOPLE as OF_PEOPLE
from controller.vault.keyring import FILE_VARIABLE, VARIABLE, generate

URL = "DATABASE_URL"
API_URL = "SKYPANEL_API_DATABASE_URL"
_LONGEST = 40


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be there.

    Args:
        admin: connection string of a superuser; empty: this machine's server, as the system's user ``postgres``.
        database: name of the database.
        host: host that the logins connect to; empty: that of ``admin``, and 127.0.0.1 for a socket.
        folder: where the files go.
    """

    admin: str
    database: str
    host: str
    folder: Path

    @property
    def files(self) -> dict[Login, tuple[Path, str]]:
        """Where the connection string of each login goes: the file, and the name of its line."""
        return {
            controller_of(self.database): (self.folder / INSTALLED.name, URL),
            people_of(self.database): (self.folder / OF_PEOPLE.name, URL),
            api_of(self.database): (self.folder / OF_API.name, API_URL),
        }


def setup(wanted: Wanted, say: Callable[[str], None], *, dry: bool = False) -> None:
    """Make what is missing.

    Args:
        wanted: what is to be there.
        say: told each step; never a password.
        dry: make nothing, and say what would be made.

    Raises:
        ActionError: the server cannot be reached, a login cannot be used afterwards, or a file has a connection string
            that cannot.
        MissingPrivilegeError: it is no superuser.
        MigrationError: the schema cannot be brought to this version.
    """
    if len(wanted.database) > _LONGEST:
        raise ActionError(
            f"--database is longer than {_LONGEST} characters", "its logins are named by it: choose a shorter one"
        )
    steps = Steps(say, dry)
    with _administrator(wanted.admin, None) as admin:
        roles.server(admin, wanted.database, steps)
        there = admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", [wanted.database]).fetchone()
    if there is None:  # a dry run
        say("would have applied the migrations, made the logins and written their files")
        return
    with _administrator(wanted.admin, wanted.database) as admin:
        roles.schema(admin, steps)
        host = wanted.host or (admin.info.host if not admin.info.host.startswith("/") else "127.0.0.1")
        for login, (path, line) in wanted.files.items():
            if _is_there(path, line, wanted.database):
                continue
            password = roles.login(admin, login, steps)
            url = _url(login.name, password, host, admin.info.port, wanted.database)
            if not dry:
                _try(url, login)
                _write(path, line, url)
            say(f"{'would have ' if dry else ''}written {path}")
        _key(admin, wanted.folder / INSTALLED.name, steps)


@contextmanager
def _administrator(url: str, database: str | None) -> Iterator[psycopg.Connection]:
    try:
        named = conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        raise ActionError(
            "--admin is not a connection string", "write postgresql://postgres:password@host:5432/postgres"
        ) from None
    chosen = {**named, "dbname": database or named.get("dbname") or "postgres"}
    conninfo = make_conninfo("", connect_timeout=5, application_name="skypanel-setup", **chosen)
    try:
        with _user_of_the_server(alone=not url):
            conn = psycopg.connect(conninfo, autocommit=True)
    except psycopg.OperationalError as error:
        raise ActionError(
            f"PostgreSQL does not answer: {' '.join(str(error).split())}",
            "apt-get install postgresql for one on this machine, or name a superuser of another with --admin URL",
        ) from None
    with conn:
        yield conn


@contextmanager
def _user_of_the_server(*, alone: bool) -> Iterator[None]:
    """Connect as the system's user ``postgres``, whom a server on the same machine knows by its socket."""
    try:
        other = pwd.getpwnam("postgres").pw_uid
    except KeyError:
        alone = False
    if not alone or os.geteuid() != 0:
        yield
        return
    os.seteuid(other)
    try:
        yield
    finally:
        os.seteuid(0)


def _url(user: str, password: str, host: str, port: int, database: str) -> str:
    address = f"[{host}]" if ":" in host else quote(host, safe="")  # a host that is a folder has a socket in it
    return f"postgresql://{user}:{quote(password, safe='')}@{address}:{port}/{quote(database, safe='')}"


def _is_there(path: Path, line: str, database: str) -> bool:
    """Whether the file has a connection string to the database.

    Raises:
        ActionError: it has one that does not work, or to another database.
    """
    url = (dotenv_values(path).get(line) if path.exists() else None) or ""
    if not url:
        return False
    mend = f"mend it, or take the line {line} out of the file: then a login with a new password is written there"
    try:
        if (named := conninfo_to_dict(url).get("dbname")) != database:
            raise ActionError(f"{path} names database {named}, not {database}", f"name another --folder, or {mend}")
        psycopg.connect(url, connect_timeout=5).close()
    except psycopg.Error as error:
        said = redact(" ".join(str(error).split()))
        raise ActionError(f"the connection string in {path} does not work: {said}", mend) from None
    return True


def _try(url: str, login: Login) -> None:
    try:
        psycopg.connect(url, connect_timeout=5).close()
    except psycopg.OperationalError as error:
        raise ActionError(
            f"{login.name} cannot connect: {' '.join(str(error).split())}",
            "let it in by a line `host all all ADDRESS scram-sha-256` in pg_hba.conf, or name the host with --host",
        ) from None


def _key(admin: psycopg.Connection, path: Path, steps: Steps) -> None:
    """The key that opens config vars, beside the controller's connection string, where none is needed or named yet."""
    named = dotenv_values(path) if path.exists() else {}
    if named.get(VARIABLE) or named.get(FILE_VARIABLE):
        return
    needed = admin.execute("SELECT EXISTS (SELECT FROM skypanel.data_keys)").fetchone() if not steps.dry else None
    if needed is not None and needed[0]:
        return  # it is somewhere, or lost: another one would open nothing
    if not steps.dry:
        _write(path, VARIABLE, generate())
    steps.say(f"{'would have ' if steps.dry else ''}put a key for config vars into {path}: keep a copy of it")


def _write(path: Path, name: str, value: str) -> None:
    """Put the line into the file, whose other lines stay; whole or not at all, and for its owner alone."""
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    before = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    lines = [line for line in before if not line.removeprefix("export ").startswith(f"{name}=")]
    descriptor, made = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mode 0600
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in [f"{name}={value}", *lines])
        file.flush()
        os.fsync(file.fileno())
    Path(made).replace(path)
